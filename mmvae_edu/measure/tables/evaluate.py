"""Evaluations of a trained model: the numbers of the slides' tables, with standard errors."""

import numpy as np

from ...criteria import shared_nats, temperature
from ...data.digits import Split
from ...data.sets import drawn
from ...estimators import class_log_prob, conditional, marginal, marginals
from ...support.devices import to_host
from .agreement import agreement, nats, percent, trained_classifier
from .by_subset import by_subset

HELD_APART = 2_000  # training examples that fit the temperature where none are held out


def likelihoods(model, job, data):
    """Measure Table 2 of slide 8: name → mean over the test split, error, and ESS.         [S8.T2]

    x1 is the image and x2 all the rest: the label, or the attributes.  "log p(x1|x2)" is the
    slides' difference of estimates, log p(x1,x2) from q(z|x1) and log p(x2); "… by q(z|x1,x2)"
    the same with a proposal for log p(x1,x2) that has seen both.  An evaluation with the key
    `sharing` measures what x1 and a label x2 share too, which changes no other number.
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
    numbers = {name: nats(estimate) for name, estimate in found.items()}
    if "sharing" in job["evaluation"]:
        numbers |= sharing(model, job, data, first - joint)
    return numbers


def sharing(model, job, data, gap):
    """Measure what image and label share, in four ways.                                  [S10.c]

    label from image    how often argmax_c p(x2 = c|x1) is right, of K draws of q(z|x1)
    image from label    how often a classifier sees the label in the mean decoded from one draw of
                        q(z|x2); "real image" is its accuracy on the real test images
    shared              the nats that p(x2|x1) tells of the label, after one temperature that was
                        fitted on examples held apart
    gap                 log p(x1) − log p(x1,x2), an Estimate: p(x2|x1) tells at least ln C − gap,
                        and a large gap alone does not say that nothing is shared
    """
    settings, test, seed = job["evaluation"]["sharing"], data.test, job["seed"]
    ((name, label),) = ((m, kind) for m, kind in model.modalities.items() if m != "image")
    part = f"What image and label share: at least ln {label.features} − gap"
    rng = np.random.default_rng((seed, 3))

    def told(split):
        given = {"image": split.x["image"]}
        return class_log_prob(model, model.theta, given, name, K=settings["K"], rng=rng)

    apart = held_apart(data, job["data"]["name"], rng)
    T = temperature(told(apart), apart.label)
    log_p = told(test)
    shared, error = shared_nats(log_p, test.label, temperature=T)
    theta, model.theta = model.theta, to_host(model.theta)  # where classifiers run
    sees = trained_classifier(model, "image", data.train, settings, seed)
    decoded = model.generate({name: test.x[name]}, "image", rng=rng)["image"]
    model.theta = theta
    rates = {
        "label from image": (log_p.argmax(axis=1) == test.label).mean(),
        "image from label": sees.accuracy(decoded, test.label),
        "real image": sees.accuracy(test.x["image"], test.label),
    }
    found = {name: percent(rate, len(test.label), part) for name, rate in rates.items()}
    found["shared"] = {"mean": shared, "error": error, "part": part, "unit": "nats"}
    return found | {"gap": nats(gap) | {"part": part, "unit": "nats"}}


def held_apart(data, name, rng):
    """Select the examples on which a temperature is fitted: validation's, or training's last.

    Where a training uses all examples, the model has seen those: T is then a little too high.
    """
    if len(data.validation.label):
        return data.validation
    last = slice(-HELD_APART, None)
    split = Split({m: x[last] for m, x in data.train.x.items()}, data.train.label[last])
    return drawn(split, rng) if name == "binary-mnist" else split


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


EVALUATIONS = {"likelihoods": likelihoods, "agreement": agreement, "by_subset": by_subset}
