"""Slide 11: each expert's share of the posterior, and the cost of the mean outside the log."""

import numpy as np


def responsibility(posterior, experts):
    """Compute a_m = E_{p(z|x)}[q_m(z) / Σ_j q_j(z)], expert m's mean responsibility.

    posterior (S,), experts (M, S), rows that sum to 1; returns (M,), which sums to 1.
    Raises ValueError where the posterior has mass that no expert covers.
    """
    total = experts.sum(axis=0)
    if (posterior[total == 0] > 0).any():
        raise ValueError("the posterior has mass where every expert has none")
    return (posterior * experts / np.where(total > 0, total, 1)).sum(axis=1)


def looseness_gap(a):
    """Compute KL(uniform ‖ a) = −log M − (1/M) Σ_m log a_m, S11.4's gap to log p(x) at any K.

    Since E_{q_m} w = M p(x) a_m, stratum m tends to log p(x) + log(M a_m) as K grows, and the
    mean over m to log p(x) − KL(uniform ‖ a).  a (M, …) from `responsibility`; (…), nats.
    """
    return -np.log(len(a)) - np.log(a).mean(axis=0)
