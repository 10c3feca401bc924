"""Claims about slide 6: the highest value of a weighted ELBO."""

import numpy as np

from ..slides.s06_weighted_elbo import subset_elbo
from .instances import discrete_model, log_liks, random_symbols, violation
from .registry import T0, claim


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
