"""Claims about slide 6: the highest value of a weighted ELBO."""

import numpy as np

from ..oracles import log_normal
from ..slides.s06_weighted_elbo import subset_elbo
from .instances import discrete_model, log_liks, random_symbols, violation
from .registry import T0, T2, claim


@claim("S6.1", "S6.3", of=subset_elbo, tol=T0, oracle="O1 enumeration")
def the_best_q_tempers_the_likelihood(f, rng):
    """Over all q the weighted ELBO is at most β log E_{p(z)} p(x|z)^(λ/β), which is reached by
    q(z) ∝ p(z) p(x|z)^(λ/β) and not by the posterior."""
    model = discrete_model(rng)
    log_lik, (lam, beta) = log_liks(model, random_symbols(model, rng)), rng.uniform(0.3, 2.0, 2)
    tempered = model.log_prior + lam / beta * log_lik.sum(axis=0)
    best = beta * np.logaddexp.reduce(tempered)
    values = []
    for q in np.exp(tempered - best / beta), *rng.dirichlet(np.ones(5), size=6):
        columns = log_lik[:, None], (model.log_prior - np.log(q))[None]  # a state is an example
        bound, _ = f(*columns, mask=np.ones((3, 5), bool), weights=np.full(3, lam), beta=beta)
        values.append(q @ bound)
    above, none = violation(values[1:], best)
    return np.append(above, values[0]), np.append(none, best)


@claim("S6.1", "S6.3", of=subset_elbo, tol=T2, oracle="O2 quadrature")
def near_one_the_expected_log_likelihood_decides(f, rng):
    """At β = 1 and λ near 1 the best value leaves log p(x) with the slope E_{p(z|x)} log p(x|z). A
    density that exceeds 1 for some z may have a negative slope, and then λ < 1 is no bound."""
    a, noise, x, h = np.array([1.0, -0.6, 0.3]), 0.35, rng.normal(0, 0.1, size=3), 1e-4
    z = np.linspace(-8, 8, 1601)
    log_prior = log_normal(z, 0.0, 0.0) + np.log(z[1] - z[0])
    log_lik = log_normal(x[:, None], a[:, None] * z, 2 * np.log(noise)).sum(axis=0)
    posterior = np.exp(log_prior + log_lik - np.logaddexp.reduce(log_prior + log_lik))
    excess = []
    for lam in 1 - h, 1 + h, 0.9:
        log_q = log_prior + lam * log_lik
        log_q = log_q - np.logaddexp.reduce(log_q)
        columns = log_lik[None, None], (log_prior - log_q)[None]  # a node is an example
        bound, _ = f(*columns, mask=np.ones((1, z.size), bool), weights=[lam], beta=1.0)
        excess.append(np.exp(log_q) @ bound - np.logaddexp.reduce(log_prior + log_lik))
    slope = (excess[1] - excess[0]) / (2 * h)
    found = [slope, np.exp(log_lik.max()) > 1, excess[2] > 0]
    return np.array(found), np.array([posterior @ log_lik, 1, 1])
