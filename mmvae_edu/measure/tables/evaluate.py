"""Evaluations of a trained model: the numbers of the slides' tables, with standard errors."""

import numpy as np

from ...estimators import conditional, marginal, marginals
from .agreement import agreement, nats


def likelihoods(model, job, data):
    """Measure Table 2 of slide 8: name → mean over the test split, error, and ESS.         [S8.T2]

    x1 is the image and x2 all the rest: the label, or the attributes.  "log p(x1|x2)" is the
    slides' difference of estimates, log p(x1,x2) from q(z|x1) and log p(x2); "… by q(z|x1,x2)"
    the same with a proposal for log p(x1,x2) that has seen both.
    """
    x = {name: data.test.x[name] for name in model.modalities}
    x1, x2 = {"image": x.pop("image")}, x
    theta, K = model.theta, job["evaluation"]["K"]
    rng = np.random.default_rng((job["seed"], 1))
    if model.condition:
        return {"log p(x1|x2)": nats(conditional(model, theta, x1, x2, K=K, rng=rng))}
    if not x2:
        return {"log p(x1)": nats(marginal(model, theta, x1, K=K, rng=rng))}
    first, joint = marginals(model, theta, [x1, x2], given=x1, K=K, rng=rng)
    second = _of_x2(model, x2, K, job["evaluation"].get("prior_samples"), rng)
    found = {"log p(x1)": first, "log p(x1,x2)": joint, "log p(x2)": second}
    found["log p(x1|x2)"] = joint - second
    if job["class"] != "BiVCCA":  # which has no q(z|x1,x2)
        seen_both = marginal(model, theta, x1 | x2, K=K, rng=rng)
        found["log p(x1|x2) by q(z|x1,x2)"] = seen_both - second
    return {name: nats(estimate) for name, estimate in found.items()}


def _of_x2(model, x2, K, prior_samples, rng):
    """Estimate log p(x2) from so many samples of the prior, as the slides do, or K of q(z|x2).

    The prior serves if x2 takes few values: each is estimated once for all its examples, which
    share its error, and the mean's error is that of the examples' draw alone.  Eighteen attributes
    take thousands of values, most of them rare, which few samples of the prior explain.
    """
    if prior_samples is None:
        return marginal(model, model.theta, x2, K=K, rng=rng)
    ((name, values),) = x2.items()
    values, rows = np.unique(values, axis=0, return_inverse=True)
    prior = marginal(model, model.theta, {name: values}, given={}, K=prior_samples, rng=rng)
    return prior.take(rows.ravel())  # NumPy 2.0 returns a column


EVALUATIONS = {"likelihoods": likelihoods, "agreement": agreement}
