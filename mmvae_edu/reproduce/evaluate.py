"""What a trained model is worth: the numbers of the slides' tables, with standard errors."""

import numpy as np

from ..estimators import conditional, marginal, marginals
from .agreement import agreement


def likelihoods(model, job, data):
    """Table 2 of slide 8: name → (mean, standard error) over the test split, in nats.      [S8.T2]

    x1 is the image and x2 the label.  "log p(x1|x2)" is the slides' difference of estimates,
    log p(x1,x2) from q(z|x1) and log p(x2) from the prior; "… by q(z|x1,x2)" the same with the
    better proposal for log p(x1,x2).
    """
    image, label = ({name: data.test.x[name]} for name in ("image", "label"))
    theta, K, L = model.theta, job["evaluation"]["K"], job["evaluation"].get("prior_samples")
    rng = np.random.default_rng((job["seed"], 1))
    if model.condition:
        return _numbers({"log p(x1|x2)": conditional(model, theta, image, label, K=K, rng=rng)})
    if "label" not in model.modalities:
        return _numbers({"log p(x1)": marginal(model, theta, image, K=K, rng=rng)})
    first, joint = marginals(model, theta, [image, label], given=image, K=K, rng=rng)
    values, rows = np.unique(label["label"], axis=0, return_inverse=True)  # log p(x2) of each once
    prior = marginal(model, theta, {"label": values}, given={}, K=L, rng=rng).take(rows)
    found = {"log p(x1)": first, "log p(x1,x2)": joint, "log p(x2)": prior}
    found["log p(x1|x2)"] = joint - prior
    if job["class"] != "BiVCCA":  # which has no q(z|x1,x2)
        better = marginal(model, theta, image | label, K=K, rng=rng)
        found["log p(x1|x2) by q(z|x1,x2)"] = better - prior
    return _numbers(found)


def _numbers(found):
    """name → the mean in nats, its standard error, and the median effective sample size."""
    return {
        name: {
            "mean": estimate.mean,
            "error": estimate.mean_error,
            "ess": float(np.median(estimate.ess)),
        }
        for name, estimate in found.items()
    }


EVALUATIONS = {"likelihoods": likelihoods, "agreement": agreement}
