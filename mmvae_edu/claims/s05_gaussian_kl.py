"""Claims about slide 5 with a Gaussian q: the KL between two Gaussians."""

import numpy as np

from ..gaussian import kl_gauss
from ..oracles import LinearGaussian
from .differentiate import differentiated, gradients
from .registry import T0, T1, T2C, claim, mutant
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


@claim("S5.11", of=kl_gauss, tol=T2C, oracle="O7 complex step")
def gaussian_kl_gradient(f, rng):
    """The pullback of the Gaussian KL is its derivative, in all four arguments."""
    return gradients(f, kl_gauss, *rng.normal(size=(4, 3, 2)), rng=rng)


def _kl(mu1, log_var1, mu2, log_var2, *, half=0.5, one=1.0, denominator=2, factor=1.0):
    log_ratio = factor * (log_var1 - log_var2)
    distance = (mu1 - mu2) ** 2 * np.exp(-factor * (log_var2 if denominator == 2 else log_var1))
    return half * (np.exp(log_ratio) - one - log_ratio + distance).sum(axis=-1)


@mutant(kl_gauss, says="the KL is doubled: its 1/2 is missing", hint=3)
@differentiated
def gaussian_kl_missing_half(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, half=1.0)


@mutant(kl_gauss, says="KL(p ‖ q): the arguments are swapped")
def gaussian_kl_swapped(mu1, log_var1, mu2, log_var2):
    kl, pullback = kl_gauss(mu2, log_var2, mu1, log_var1)

    def swapped_pullback(dkl):
        dmu2, dlog_var2, dmu1, dlog_var1 = pullback(dkl)
        return dmu1, dlog_var1, dmu2, dlog_var2

    return kl, swapped_pullback


@mutant(kl_gauss, says="the distance of the means is divided by var1, not by var2", hint=3)
@differentiated
def gaussian_kl_wrong_scale(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, denominator=1)


@mutant(kl_gauss, says="off by exactly D/2: the −1 is missing", hint=3)
@differentiated
def gaussian_kl_missing_one(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, one=0.0)


@mutant(kl_gauss, says="σ where the KL has the variance σ²")
@differentiated
def gaussian_kl_std_for_var(mu1, log_var1, mu2, log_var2):
    return _kl(mu1, log_var1, mu2, log_var2, factor=0.5)


@mutant(kl_gauss, says="p is taken as constant: no gradient reaches mu2 and log_var2", hint=1)
def gaussian_kl_detached(mu1, log_var1, mu2, log_var2):
    kl, pullback = kl_gauss(mu1, log_var1, mu2, log_var2)

    def detached_pullback(dkl):
        return (*pullback(dkl)[:2], np.zeros_like(mu2), np.zeros_like(log_var2))

    return kl, detached_pullback
