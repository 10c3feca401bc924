"""Bug hunt, file 12: a table of log likelihoods."""

import numpy as np

from ..inputs import VALUES
from ..instances import discrete_model, random_symbols
from ..registry import T0, claim
from .versions import Hunted, close, hunted, load


def _instance(rng, S=6, *, flat=(), exact_q=False):
    """Draw a discrete model; every state z is a sample, some more than once: then sums are exact.

    Returns log p(x_1|z), log p(x_2|z), log p(z) and log q(z), (K, 1) each, and the exact
    log p(x_1 | x_2).  A modality in `flat` does not depend on z.
    """
    model = discrete_model(rng, S, (3, 4))
    for m in flat:
        model.log_lik[m][:] = model.log_lik[m][0]
    x = random_symbols(model, rng)
    copies = 1 + rng.integers(0, 4, size=S)
    if exact_q:  # as many copies of each state as make the posterior given x_2
        copies = 1 + np.arange(S)
        model.log_prior[:] = np.log(copies) - model.log_lik[1][:, x[1]]
        model.log_prior -= np.logaddexp.reduce(model.log_prior)
    z = np.repeat(np.arange(S), copies)
    log_q = np.log(copies / copies.sum())
    terms = model.log_lik[0][:, x[0]], model.log_lik[1][:, x[1]], model.log_prior, log_q
    return [term[z, None] for term in terms], model.log_conditional(x, [0], [1])


def _passes(file, rng, **options):
    terms, exact = _instance(rng, **options)
    return close(file.log_conditional(*terms), exact)


def check_12(file):
    """A discrete latent whose states are all among the samples: the exact log p(x_1 | x_2)."""
    return _passes(file, np.random.default_rng(1))


def fix_12(log_px1, log_px2, log_pz, log_q, *, file):
    """log p(x_1, x_2) - log p(x_2), from the same samples."""
    joint = file.log_joint(log_px1, log_px2, log_pz, log_q)
    return joint - file.log_given(log_px2, log_pz, log_q)


hunted("S8.T2", check_12, fix_12)
VALUES[fix_12] = [Hunted(12, *["KN log_weight"] * 4)]


@claim("S8.T2", of=fix_12, tol=T0, oracle="O1 discrete latent")
def hunted_conditional_is_a_conditional(f, rng):
    """Repaired or clean, the hunt's log p(x_1 | x_2) is exact if all states are samples."""
    terms, exact = _instance(rng)
    return f(*terms, file=load(12)), np.array([exact])
