"""log p(x) = L^v + KL(q || p(z|x)), line by line, with z one of S states."""

import numpy as np

from mmvae_edu.course import todo


def log_joint(log_prior, log_lik, x):
    """log p(x, z) for every z.                                                        [S5.8]

    (S,), (S, V) with rows log p(x|z), an int x < V -> (S,)
    """
    return todo("L03.log_joint")


def log_evidence(log_joint):
    """L = log p(x), in nats.                                                          [S5.1]

    log p(x, z) (S,), some perhaps -inf -> a float; also where every p(x, z) underflows.
    """
    return todo("L03.log_evidence")


def posterior(log_joint):
    """p(z|x).                                                                         [S5.3]

    log p(x, z) (S,), as in `log_evidence` -> probabilities (S,)
    """
    return todo("L03.posterior")


def elbo(q, log_joint):
    """L^v, the expectation under q of log p(x, z) / q(z), in nats.                    [S5.7]

    probabilities (S,), some of them 0, and log p(x, z) (S,), perhaps -inf there -> a float
    """
    return todo("L03.elbo")


def kl(q, p):
    """KL(q || p), in nats.  Probabilities (S,), (S,) -> a float; inf where q > 0 = p.  [S5.6]"""
    return todo("L03.kl")


def decompose(q, log_joint):
    """Split log p(x) into two parts: (L^v, the gap).                            [S5.5, S5.6]

    q and log p(x, z) as in `elbo` -> two floats
    """
    return todo("L03.decompose")
