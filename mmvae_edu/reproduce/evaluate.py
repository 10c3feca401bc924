"""What a trained model is worth: the numbers of the slides' tables, with standard errors."""

import numpy as np

from ..estimators import conditional, marginal
from .agreement import agreement


def likelihoods(model, job, data):
    """Table 2 of slide 8: name → (mean, standard error) over the test split, in nats.      [S8.T2]

    x1 is the image and x2 the label.  "log p(x1|x2), slides" is the slides' difference of
    estimates, from q(z|x1) and from the prior; the true conditional stands beside it.
    """
    image, label = ({name: data.test.x[name]} for name in ("image", "label"))
    both, theta, K = image | label, model.theta, job["evaluation"]["K"]
    rng = np.random.default_rng((job["seed"], 1))
    if model.condition:
        return _numbers({"log p(x1|x2)": conditional(model, theta, image, label, K=K, rng=rng)})
    found = {"log p(x1)": marginal(model, theta, image, K=K, rng=rng)}
    if "label" in model.modalities:
        joint = found["log p(x1,x2)"] = marginal(model, theta, both, given=image, K=K, rng=rng)
        L = job["evaluation"]["prior_samples"]
        prior = marginal(model, theta, label, given={}, K=L, rng=rng)
        found |= {"log p(x2)": prior, "log p(x1|x2), slides": joint - prior}
        if job["class"] != "BiVCCA":  # which has no q(z|x1,x2)
            found["log p(x1|x2)"] = conditional(model, theta, image, label, K=K, rng=rng)
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
