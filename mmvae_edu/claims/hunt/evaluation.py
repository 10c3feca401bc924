"""Bug hunt, file 05: the test log likelihood of a batch."""

import numpy as np

from ...oracles import LinearGaussian
from ..gaussian_instances import exact_posterior
from ..instances import log_mean_weight
from ..registry import T0, claim
from .versions import close, hunted, load


def _instance(rng, N=3, D=2, *, exact_q=False):
    """Draw a linear-Gaussian model, images x (N, P), and q: mu, log_var (N, D), exact or not."""
    model = LinearGaussian.random(rng, D, {"x": 4})
    _, x = model.sample(rng, N)
    mu, log_var = exact_posterior(model, x, [True])
    if not exact_q:
        mu, log_var = mu + rng.normal(size=mu.shape), log_var + 0.3 * rng.normal(size=mu.shape)
    return model, x["x"], mu, log_var


def _estimates(log_evidence, model, x, mu, log_var, eps):
    def log_joint(x, z):
        return model.log_joint(z, {"x": x})

    return log_evidence(x, mu, log_var, log_joint, eps=eps)


def _exact(model, x, mu, log_var, eps):
    return log_mean_weight(lambda z: model.log_joint(z, {"x": x}), mu, log_var, eps)


def check_05(file):
    """The exact posterior gives log p(x) of every image; another q the log of the mean weight."""
    rng = np.random.default_rng(1)
    eps = rng.normal(size=(5, 3, 2))
    model, x, mu, log_var = _instance(rng, exact_q=True)
    evidence = _estimates(file.log_evidence, model, x, mu, log_var, eps)
    q = mu + 0.5, log_var + 0.4
    found = _estimates(file.log_evidence, model, x, *q, eps)
    return close(evidence, model.log_prob({"x": x})) and close(found, _exact(model, x, *q, eps))


def fix_05(x, mu, log_var, log_joint, *, eps, file):
    """The flat batch runs over images first: (K, N), and the mean is over K."""
    K, N, D = eps.shape
    z = mu + np.exp(0.5 * log_var) * eps
    log_p = log_joint(np.tile(x, (K, 1)), z.reshape(K * N, D)).reshape(K, N)
    return file.log_mean_exp(log_p - file.log_normal(z, mu, log_var), axis=0)


hunted("S9.2", check_05, fix_05)


@claim("S9.2", of=fix_05, tol=T0, oracle="O3 linear-Gaussian, pairwise additions")
def hunted_evaluation_averages_each_images_weights(f, rng):
    """Repaired or clean, the hunt's evaluation averages the weights of each image by itself."""

    def log_evidence(*args, **constants):
        return f(*args, **constants, file=load(5))

    case = *_instance(rng, N=4), rng.normal(size=(6, 4, 2))
    return _estimates(log_evidence, *case), _exact(*case)
