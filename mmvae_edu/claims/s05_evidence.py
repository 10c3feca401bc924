"""Claims about slide 5 with a finite latent: log p(x) = L^v + KL(q ‖ p(z|x)), line by line."""

import math

import numpy as np

from ..oracles import NonlinearModel, log_normal
from ..slides.s05_evidence import decompose, elbo, kl, log_evidence, posterior
from .instances import discrete_model, random_symbols, violation
from .registry import T0, T1, claim, mutant


def observed(rng):
    """A discrete oracle and one observation of it; log p(x, z) is model.log_joint(x)."""
    model = discrete_model(rng)
    return model, random_symbols(model, rng)


def some_q(rng, p):
    """Distributions over the states of p: at random, p itself, at random with zeros."""
    q = rng.dirichlet(np.ones(len(p)), size=2)
    q[1, :2] = 0
    return [q[0], p, q[1] / q[1].sum()]


def fsum_kl(q, p):
    return math.fsum(a * math.log(a / b) for a, b in zip(q, p, strict=True) if a > 0)


# ---- S5.1 to S5.6: the evidence and its decomposition -----------------------------------------


@claim("S5.1", of=log_evidence, tol=T0, oracle="O1 enumeration")
def evidence_sums_the_joint(f, rng):
    """L = log p(x) is the log of the joint summed over z."""
    model, x = observed(rng)
    return f(model.log_joint(x)), model.log_evidence(x)


@claim("S5.1", of=log_evidence, tol=T0, oracle="shift by a constant")
def evidence_survives_tiny_probabilities(f, rng):
    """Scaling the joint by e^−6237, a likelihood of slide 8, shifts log p(x) by −6237."""
    model, x = observed(rng)
    return f(model.log_joint(x) - 6237.0), model.log_evidence(x) - 6237.0


@claim("S5.2", of=log_evidence, tol=T0, oracle="O1 enumeration")
def evidence_is_its_own_average(f, rng):
    """log p(x) does not depend on z, so its average under any q is log p(x)."""
    model, x = observed(rng)
    L = f(model.log_joint(x))
    averages = [math.fsum(a * L for a in q) for q in some_q(rng, model.posterior(x))]
    return np.array(averages), np.full(3, model.log_evidence(x))


@mutant(
    log_evidence, says="the mean over z, where S5.1 sums: the prior is in the joint already", hint=1
)
def evidence_by_mean(log_joint):
    return log_evidence(log_joint) - math.log(len(log_joint))


@mutant(log_evidence, says="only the largest p(x, z): S5.1 sums over all z")
def evidence_by_maximum(log_joint):
    return float(log_joint.max())


@mutant(
    log_evidence, says="no shift by the maximum: below −745 the sum underflows to log 0", hint=3
)
def evidence_without_shift(log_joint):
    return math.log(np.exp(log_joint).sum())


@mutant(log_evidence, says="the sum of logs, where S5.1 has the log of the sum")
def evidence_by_sum_of_logs(log_joint):
    return float(log_joint.sum())


@claim("S5.3", of=posterior, tol=T0, oracle="O1 enumeration")
def joint_over_posterior_is_evidence(f, rng):
    """p(z, x) / p(z|x) = p(x) for every z."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    return joint - np.log(f(joint)), np.full(len(joint), model.log_evidence(x))


@claim("S5.4", of=posterior, tol=T0, oracle="O1 enumeration")
def inserting_q_changes_nothing(f, rng):
    """The average of log [p(z, x)/q(z) · q(z)/p(z|x)] under any q is log p(x)."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    p = f(joint)
    averages = [
        math.fsum(
            a * (math.log(math.exp(l) / a) + math.log(a / b))
            for a, b, l in zip(q, p, joint, strict=True)
            if a > 0
        )
        for q in some_q(rng, model.posterior(x))
    ]
    return np.array(averages), np.full(3, model.log_evidence(x))


@mutant(posterior, says="the joint p(x, z), not divided by p(x)", hint=1)
def posterior_unnormalised(log_joint):
    return np.exp(log_joint)


@mutant(posterior, says="log p(z|x), where p(z|x) is asked for", hint=3)
def posterior_in_logs(log_joint):
    return log_joint - log_evidence(log_joint)


@mutant(posterior, says="divided by the largest p(x, z) and not by their sum", hint=1)
def posterior_over_maximum(log_joint):
    return np.exp(log_joint - log_joint.max())


@claim("S5.5", of=decompose, tol=T0, oracle="O1 enumeration")
def the_logarithm_splits(f, rng):
    """L^v and the gap add up to log p(x) for any q, zeros included."""
    model, x = observed(rng)
    joint = model.log_joint(x)
    total = [sum(f(q, joint)) for q in some_q(rng, model.posterior(x))]
    return np.array(total), np.full(3, model.log_evidence(x))


@claim("S5.5", "S5.6", of=decompose, tol=T0, oracle="O1 enumeration")
def the_parts_are_elbo_and_kl(f, rng):
    """The first part is L^v, the second KL(q ‖ p(z|x)): at least 0, and 0 at the posterior."""
    model, x = observed(rng)
    joint, p = model.log_joint(x), model.posterior(x)
    qs = some_q(rng, p)
    return np.array([f(q, joint) for q in qs]), np.array(
        [(model.elbo(q, x), fsum_kl(q, p)) for q in qs]
    )


@claim("S5.6", of=decompose, tol=T1, oracle="O2 quadrature")
def a_nonlinear_decoder_decomposes_too(f, rng):
    """With z on a fine line and a tanh decoder, L^v and KL(q ‖ p(z|x)) add up to log p(x)."""
    model, x = NonlinearModel.random(rng, H=3, P=4, n=2), rng.integers(0, 3, size=4)
    mu, log_var = rng.uniform(-1, 1, size=2)
    z, step = np.linspace(-20, 20, 2001, retstep=True)
    q = np.exp(log_normal(z, mu, log_var)) * step
    L, gap = f(q, model.log_joint(z, x) + math.log(step))
    return np.array([L, L + gap]), np.array([model.elbo(mu, log_var, x), model.log_evidence(x)])


@mutant(decompose, says="KL(p ‖ q) where S5.6 has KL(q ‖ p): the parts no longer add up")
def reverse_gap(q, log_joint):
    return elbo(q, log_joint), kl(posterior(log_joint), q)


@mutant(decompose, says="the expectation is under p(z|x), where S5.5 has q", hint=3)
def decompose_under_posterior(q, log_joint):
    p, support = posterior(log_joint), q > 0
    log_ratio = log_joint[support] - np.log(q[support])
    return float((p[support] * log_ratio).sum()), kl(q, p)


@mutant(
    decompose, says="the log of the average is log p(x) itself: the gap is identically 0", hint=1
)
def no_gap(q, log_joint):
    return log_evidence(log_joint), 0.0


@mutant(decompose, says="the gap is subtracted: S5.6 adds it", hint=3)
def gap_subtracted(q, log_joint):
    return elbo(q, log_joint), -kl(q, posterior(log_joint))


@claim("S5.6", of=kl, tol=T0, oracle="O1 enumeration")
def kl_is_the_gap(f, rng):
    """KL(q ‖ p(z|x)) is log p(x) − L^v; states with q = 0 add nothing."""
    model, x = observed(rng)
    p = model.posterior(x)
    qs = some_q(rng, p)
    gaps = [model.log_evidence(x) - model.elbo(q, x) for q in qs]
    return np.array([f(q, p) for q in qs]), np.array(gaps)


@claim("S5.6", of=kl, tol=T0, oracle="nonnegativity")
def kl_is_never_negative(f, rng):
    """KL(q ‖ p) ≥ 0, which makes L^v a lower bound."""
    q, p = rng.dirichlet(np.ones(6), size=(2, 40))
    return violation(np.zeros(40), [f(a, b) for a, b in zip(q, p, strict=True)])


@claim("S5.6", of=kl, tol=T0, oracle="hand calculation")
def kl_is_infinite_where_p_is_0(f, rng):
    """KL(q ‖ p) is ∞ where q > 0 = p, and finite where both are 0: exp(−KL) is 0, then not."""
    a, b = rng.uniform(0.2, 0.8, size=2)
    q, p = np.array([a, 0.0, 1 - a]), np.array([b, 0.0, 1 - b])
    exact = (b / a) ** a * ((1 - b) / (1 - a)) ** (1 - a)
    missed = np.array([1.0, 0.0, 0.0])
    return np.exp(np.array([-f(q, missed), -f(q, p)])), np.array([0.0, exact])


@mutant(kl, says="a state with p = 0 is left out: where q > 0 there, S5.6 is ∞")
def kl_on_the_common_support(q, p):
    return kl(q[p > 0], p[p > 0])


@mutant(kl, says="the arguments are swapped: KL(p ‖ q)", hint=1)
def kl_swapped(q, p):
    return kl(p, q)


@mutant(kl, says="0 · log 0 = NaN: a state with q = 0 adds 0 to S5.6")
def kl_nan_at_zero(q, p):
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((q * np.log(q / p)).sum())


@mutant(kl, says="log p/q where S5.6 has log q/p: the sign is wrong", hint=3)
def kl_negated(q, p):
    return -kl(q, p)


@mutant(kl, says="the sum over z is not weighted by q(z) of S5.6", hint=1)
def kl_unweighted(q, p):
    return float((np.log(q[q > 0]) - np.log(p[q > 0])).sum())
