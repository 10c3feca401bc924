"""Claims about slide 5 with a Gaussian q: L1 = −KL(q ‖ p(z)), sampled and in closed form."""

import mpmath
import numpy as np

from ..gaussian import neg_kl_std_normal
from ..objectives import log_prior_ratio
from ..oracles import NonlinearModel, expect_gaussian, log_normal
from .instances import violation
from .registry import T0, T1, T4, claim


def kl_by_quadrature(*args):
    """KL(N(mu1, var1) ‖ N(mu2, var2)) of mu1, log_var1, mu2, log_var2 (N, D): (N,)."""

    def one_dimension(m1, l1, m2, l2):
        return expect_gaussian(lambda z: log_normal(z, m1, l1) - log_normal(z, m2, l2), m1, l1)

    return np.vectorize(one_dimension)(*args).sum(axis=-1)


def neg_kl_by_quadrature(mu, log_var):
    return -kl_by_quadrature(mu, log_var, 0.0, 0.0)


# ---- S5.10: −KL(q ‖ p(z)), sampled or in closed form ------------------------------------------


@claim("S5.10", of=log_prior_ratio, tol=T4, oracle="O2 quadrature")
def sampled_ratio_averages_to_minus_kl(f, rng):
    """Over samples of q, log p(z) − log q(z|x) averages to −KL(q ‖ p(z))."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    z = mu + np.exp(log_var / 2) * rng.standard_normal((20_000, 3, 2))
    return f(z, mu, log_var)[0], neg_kl_by_quadrature(mu, log_var)


@claim("S5.10", of=log_prior_ratio, tol=T1, oracle="O2 quadrature")
def closed_form_ratio_is_minus_kl(f, rng):
    """In closed form every sample's ratio is −KL(q ‖ p(z)), the mean of the sampled form."""
    mu, log_var = rng.normal(size=(2, 3, 2))
    ratio, _ = f(rng.normal(size=(4, 3, 2)), mu, log_var, closed_form=True)
    return ratio, np.broadcast_to(neg_kl_by_quadrature(mu, log_var), (4, 3))


# ---- S5.11: L1 and the KL between Gaussians ---------------------------------------------------


@claim("S5.11", of=neg_kl_std_normal, tol=T1, oracle="O2 quadrature")
def l1_is_minus_the_integral(f, rng):
    """L1 is −KL(q ‖ p(z)), an integral in each dimension."""
    mu, log_var = rng.normal(size=(2, 4, 3))
    return f(mu, log_var)[0], neg_kl_by_quadrature(mu, log_var)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="O5 mpmath, 50 digits")
def l1_to_fifty_digits(f, rng):
    """L1 = ½ Σ (1 + log σ² − μ² − σ²), from variances of e^−30 to e^8."""
    mu, log_var = rng.normal(size=(5, 3)), rng.uniform(-30, 8, size=(5, 3))
    exact = []
    for row in np.stack([mu, log_var], axis=-1):
        with mpmath.workdps(50):
            terms = [1 + v - mpmath.mpf(m) ** 2 - mpmath.exp(v) for m, v in row]
            exact.append(float(mpmath.fsum(terms) / 2))
    return f(mu, log_var)[0], np.array(exact)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="nonpositivity")
def l1_is_zero_only_at_the_prior(f, rng):
    """L1 < 0 except at μ = 0, σ = 1, where it is 0."""
    mu, log_var = rng.normal(size=(2, 50, 2))
    excess, zeros = violation(f(mu, log_var)[0], np.full(50, -1e-6))
    at_prior, _ = f(np.zeros((1, 2)), np.zeros((1, 2)))
    return np.append(excess, at_prior), np.append(zeros, 0.0)


@claim("S5.11", of=neg_kl_std_normal, tol=T0, oracle="hand calculation")
def l1_gradient_by_hand(f, rng):
    """∂L1/∂μ = −μ and ∂L1/∂log σ² = ½ (1 − σ²)."""
    mu, log_var = rng.normal(size=(2, 4, 3))
    dneg_kl = rng.normal(size=4)
    exact = np.stack([-mu, 0.5 * (1 - np.exp(log_var))])
    return np.stack(f(mu, log_var)[1](dneg_kl)), exact * dneg_kl[:, None]


@claim("S5.10", of=neg_kl_std_normal, tol=T1, oracle="O2 quadrature")
def l1_completes_the_elbo_of_a_nonlinear_decoder(f, rng):
    """L^v = L1 + E_q log p(x|z), with a tanh decoder and every expectation an integral."""
    model = NonlinearModel.random(rng, H=3, P=4, n=2)
    x = rng.integers(0, 3, size=4)
    mu, log_var = rng.normal(size=(2, 3, 1))
    pairs = list(zip(mu[:, 0], log_var[:, 0], strict=True))
    likelihood = [expect_gaussian(lambda z: model.log_lik(z, x), *pair) for pair in pairs]
    return f(mu, log_var)[0] + likelihood, np.array([model.elbo(*pair, x) for pair in pairs])
