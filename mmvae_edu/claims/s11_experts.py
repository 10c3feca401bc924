"""Claims about slide 11's "Why MoE?": what a mixture makes of its experts, and what they decode."""

import math

import numpy as np

from ..objectives import mixture_elbo
from ..oracles import DiscreteModel, expect_gaussian
from ..slides.s11_mixture import cross_reconstruction, mixture_moments, reconstruction_cap
from .instances import discrete_model, violation
from .registry import T0, T1, claim

# ---- S11.3: two moments of the mixture ----------------------------------------------------------


def _experts(rng, M=3, N=4, D=2):
    return rng.normal(0, 2, (M, N, D)), rng.uniform(-2, 1.5, (M, N, D))


@claim("S11.3", of=mixture_moments, tol=T1, oracle="O2 quadrature")
def the_mixtures_moments_are_its_integrals(f, rng):
    """Mean and variance are the integrals of z and of (z − mean)² under the present experts' mean
    density; what stands for an absent expert may be NaN."""
    mu, log_var = _experts(rng)
    mask = np.array([[1, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]], bool)
    mean, var = np.empty((2, *mu.shape[1:]))
    for n, d in np.ndindex(*mean.shape):
        present = [(mu[m, n, d], log_var[m, n, d]) for m in np.flatnonzero(mask[:, n])]
        first = [expect_gaussian(lambda z: z, *expert) for expert in present]
        mean[n, d] = math.fsum(first) / len(present)
        second = [expect_gaussian(lambda z, c=mean[n, d]: (z - c) ** 2, *e) for e in present]
        var[n, d] = math.fsum(second) / len(present)
    mu[~mask] = log_var[~mask] = np.nan
    return f(mu, log_var, mask=mask), np.array([mean, np.log(var)])


@claim("S11.3", of=mixture_moments, tol=T0, oracle="one of the experts")
def equal_experts_are_no_surer_together(f, rng):
    """M equal experts have the mean and the variance of one: the mixture counts evidence once."""
    mu, log_var = _experts(rng, M=1)
    return f(np.repeat(mu, 5, axis=0), np.repeat(log_var, 5, axis=0)), np.stack([mu[0], log_var[0]])


@claim("S11.3", of=mixture_moments, tol=T0, oracle="hand calculation")
def experts_in_conflict_make_the_mixture_wide(f, rng):
    """The variance of two experts' mixture exceeds their mean variance by a quarter of the squared
    distance between their means."""
    mu, log_var = _experts(rng, M=2)
    mean, joint_log_var = f(mu, log_var)
    quarter = np.exp(joint_log_var) - np.exp(log_var).mean(axis=0)
    return np.stack([mean, quarter]), np.stack([mu.mean(axis=0), (mu[0] - mu[1]) ** 2 / 4])


# ---- the reconstruction of one modality from another --------------------------------------------


def _pairs(model, rng, S=4):
    """Return p(x_1, x_2) of a model with two modalities, and a random q(z|x_1), z of S states."""
    U, V = (table.shape[1] for table in model.log_lik)
    joint = np.exp([[model.log_evidence((u, v)) for v in range(V)] for u in range(U)])
    return joint, rng.dirichlet(np.ones(S), size=U)


def _entropy(p):
    return -math.fsum(a * math.log(a) for a in np.ravel(p) if a > 0)


@claim(of=cross_reconstruction, tol=T0, oracle="O1 enumeration")
def cross_reconstruction_averages_over_pairs_and_latents(f, rng):
    """Every pair (x_m, x_n) counts as often as it occurs, and every z as often as x_m makes it."""
    model = discrete_model(rng, S=4, symbols=(2, 3))
    joint, _ = _pairs(model, rng)
    q, decoder = np.array([model.posterior((u, 0), [0]) for u in (0, 1)]), np.exp(model.log_lik[1])
    total = [
        math.exp(model.log_evidence(x)) * q[x[0], s] * model.log_lik[1][s, x[1]]
        for x in model.all_x()
        for s in range(4)
    ]
    return f(joint, q, decoder), math.fsum(total)


@claim(of=cross_reconstruction, tol=T0, oracle="O1 enumeration")
def cross_reconstruction_is_capped(f, rng):
    """Whatever encoder of x_m and decoder of x_n: at most −H(x_n|x_m) = H(x_m) − H(x_m, x_n)."""
    joint, q = _pairs(discrete_model(rng, symbols=(3, 4)), rng)
    cap = _entropy(joint.sum(axis=1)) - _entropy(joint)
    found = [f(joint, q, rng.dirichlet(np.ones(4), size=4)) for _ in range(20)]
    best = f(joint, np.eye(3), joint / joint.sum(axis=1, keepdims=True))
    excess, zeros = violation(found, cap)
    return [*excess, best], [*zeros, cap]


@claim(of=cross_reconstruction, tol=T0, oracle="hand calculation")
def what_never_occurs_is_not_scored(f, rng):
    """A z that x_m never makes, and an x_n that never comes with it, may have probability 0."""
    p, r = rng.uniform(0.2, 0.8, size=2)
    joint = np.array([[p, 0.0], [0.0, 1 - p]])
    q = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    decoder = np.array([[1.0, 0.0], [0.0, 1.0], [r, 1 - r]])
    impossible = decoder[::-1]  # x_n = 1 comes with a z that cannot make it
    return [f(joint, q, decoder), f(joint, q, impossible) == -np.inf], [(1 - p) * np.log(1 - r), 1]


@claim(of=reconstruction_cap, tol=T0, oracle="O1 enumeration")
def the_cap_is_a_conditional_entropy(f, rng):
    """The cap is the mean of log p(x_n|x_m), in the given direction, over all pairs."""
    model = discrete_model(rng, symbols=(3, 4))
    joint, _ = _pairs(model, rng)
    caps = [
        math.fsum(
            math.exp(model.log_evidence(x)) * model.log_conditional(x, [target], [1 - target])
            for x in model.all_x()
        )
        for target in (1, 0)
    ]
    return [f(joint), f(joint.T)], caps


@claim(of=reconstruction_cap, tol=T0, oracle="hand calculation")
def the_cap_of_extremes(f, rng):
    """The cap is 0 if x_m determines x_n, and −H(x_n) if it says nothing; pairs may never occur."""
    p, r = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4))
    return [f(np.diag(p)), f(np.outer([*p, 0], r))], [0, -_entropy(r)]


# ---- S12.1 is not capped ------------------------------------------------------------------------


def divided_model():
    """Return a model of two modalities, a shared bit s and a private bit each, whose z divides.

    x_1 = (s, a), x_2 = (s, b); z = (who, s, c): modality `who` shows (s, c), the other s and a fair
    coin.  Symbols and states are numbered by their bits.
    """
    lik = np.zeros((2, 8, 4))
    for who, s, c in np.ndindex(2, 2, 2):
        state = 4 * who + 2 * s + c
        lik[who, state, 2 * s + c] = 1
        lik[1 - who, state, 2 * s : 2 * s + 2] = 0.5
    with np.errstate(divide="ignore"):
        return DiscreteModel(np.log(np.full(8, 1 / 8)), np.log(lik))


@claim("S12.1", of=mixture_elbo, tol=T0, oracle="O1 enumeration")
def the_bound_may_be_tight_where_cross_reconstruction_is_capped(f, rng):
    """Expert m names its own x_m: each cross reconstruction is −log 2, and S12.1 is log p(x)."""
    model = divided_model()
    pairs = [x for x in model.all_x() if model.log_evidence(x) > -np.inf]
    log_w = np.empty((2, 1, len(pairs)))
    for n, x in enumerate(pairs):
        states = np.array([x[0], 4 + x[1]])  # one state of each expert, which is sure of it
        log_w[:, 0, n] = model.log_joint(x)[states] - math.log(1 / 2)
    return f(log_w)[0], np.array([model.log_evidence(x) for x in pairs])
