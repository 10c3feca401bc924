"""Claims about slide 11: the bounds on several modalities, and the mixture of experts."""

import itertools

import mpmath
import numpy as np

from ..objectives import iwae, mixture_elbo
from ..oracles import iwae_exact
from ..posteriors import log_mixture_weights, mixture_log_prob
from .instances import discrete_mixture, expected_bound
from .registry import T0, T1, claim

# S11.1: L_ELBO(x_1:M) = E_{q_Φ} log p(z, x_1:M) / q_Φ(z|x_1:M)


@claim("S11.1", of=mixture_elbo, tol=T0, oracle="O1 enumeration")
def mixture_elbo_is_the_elbo_of_the_mixture(f, rng):
    """With w = p / q_Φ at every expert's samples, the mean of log w is the ELBO of q_Φ."""
    model, x, q, log_w, states = discrete_mixture(rng, 5, 3, K=12)
    return f(log_w[states][..., None])[0], np.array([model.elbo(q.mean(axis=0), x)])


@claim("S11.1", of=mixture_elbo, tol=T0, oracle="a mean over the present experts")
def absent_experts_have_no_stratum(f, rng):
    """Under a mask the mean is over the present experts; an absent one's weights may be NaN."""
    log_w = rng.normal(-90, 5, size=(3, 4, 7))
    present = np.array(list(itertools.product([True, False], repeat=3))[:-1]).T
    log_w[~present[:, None].repeat(4, axis=1)] = np.nan
    rhs = [log_w[kept, :, n].mean() for n, kept in enumerate(present.T)]
    return f(log_w, present=present)[0], np.array(rhs)


# S11.2: L_IWAE(x_1:M), K samples of q_Φ itself


@claim("S11.2", of=iwae, tol=T1, oracle="O4 Frullani")
def iwae_of_the_mixture_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from the mixture q_Φ it is L_IWAE, exactly."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    mixture = q.mean(axis=0)
    rhs = [iwae_exact(mixture, np.exp(log_w), K) for K in (1, 2, 4)]
    return np.array([expected_bound(f, mixture, log_w, K) for K in (1, 2, 4)]), np.array(rhs)


# S11.3: q_Φ(z|x_1:M) = Σ α_m q_m(z|x_m)


def _experts(rng, K=4, M=3, N=5, D=2):
    """z (K, N, D), mu, log_var (M, N, D), and a mask that leaves every row an expert."""
    mask = np.array([[1, 1, 0, 0, 1], [1, 0, 1, 0, 1], [1, 1, 0, 1, 0]], bool)
    mu, log_var = rng.normal(0, 1.5, (M, N, D)), rng.uniform(-2, 1.5, (M, N, D))
    return rng.normal(0, 2, (K, N, D)), mu, log_var, mask


def _log_alpha(mask):
    with np.errstate(divide="ignore"):
        return np.log(mask / mask.sum(axis=0))


@claim("S11.3", of=mixture_log_prob, tol=T1, oracle="O5 mpmath, 50 digits")
def the_mixture_averages_densities(f, rng):
    """log q_Φ is the logarithm of the mean of the present experts' densities."""
    z, mu, log_var, mask = _experts(rng)
    log_q, _ = f(z, mu, log_var, log_alpha=_log_alpha(mask))
    rhs = np.empty(log_q.shape)
    with mpmath.workdps(50):
        for k, n in np.ndindex(*rhs.shape):
            densities = [
                mpmath.fprod(
                    mpmath.npdf(float(z[k, n, d]), float(mu[m, n, d]), mpmath.exp(lv / 2))
                    for d, lv in enumerate(log_var[m, n])
                )
                for m in np.flatnonzero(mask[:, n])
            ]
            rhs[k, n] = mpmath.log(mpmath.fsum(densities) / len(densities))
    return log_q, rhs


@claim("S11.3", of=mixture_log_prob, tol=T1, oracle="O2 quadrature")
def the_mixture_is_a_density(f, rng):
    """The mixture of experts integrates to 1 over one latent dimension."""
    z, step = np.linspace(-40, 40, 4001, retstep=True)
    mu, log_var = rng.normal(0, 2, (3, 1, 1)), rng.uniform(-1, 2, (3, 1, 1))
    log_q, _ = f(z[:, None, None], mu, log_var, log_alpha=np.full((3, 1), -np.log(3)))
    return np.exp(log_q).sum(axis=0) * step, np.ones(1)


@claim("S11.3", of=log_mixture_weights, tol=T0, oracle="counting")
def present_experts_share_the_mass(f, rng):
    """α_m is 1 over the number of present experts, and 0 for an absent one."""
    mask = _experts(rng)[-1]
    return np.exp(f(mask)), mask / mask.sum(axis=0)
