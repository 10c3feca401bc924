"""Claims about slide 5 with a Gaussian q: the KL between two Gaussians."""

import numpy as np

from ..gaussian import kl_gauss
from ..oracles import LinearGaussian
from .registry import T0, T1, claim
from .s05_gaussian import kl_by_quadrature


@claim("S5.11", of=kl_gauss, tol=T1, oracle="O2 quadrature")
def gaussian_kl_is_the_integral(f, rng):
    """The KL between two Gaussians is the integral of q log(q/p), summed over dimensions."""
    args = rng.normal(size=(4, 3, 2))
    return f(*args)[0], kl_by_quadrature(*args)


@claim("S5.6", of=kl_gauss, tol=T0, oracle="O3 linear-Gaussian")
def gaussian_gap_is_the_kl(f, rng):
    """log p(x) − L^v is KL(q ‖ p(z|x)) where both are Gaussian."""
    model = LinearGaussian.random(rng, 2, {"x": 4})
    _, x = model.sample(rng, 3)
    mean, cov = model.posterior(x)
    mu, log_var = rng.normal(size=(2, 3, 2))
    post_log_var = np.broadcast_to(np.log(np.diag(cov)), mean.shape)
    gap = model.log_prob(x) - model.elbo(mu, log_var, x)
    return np.stack([f(mu, log_var, mean, post_log_var)[0], 0 * gap]), np.stack(
        [gap, f(mean, post_log_var, mean, post_log_var)[0]]
    )
