# === L12.sample_subsets | right | ranks of random numbers | The `size` smallest of M uniform numbers.
import numpy as np


def sample_subsets(M, k, rng):
    size = rng.integers(2, M, size=(k, 1)) if M > 2 else 1
    return rng.random((k, M)).argsort(axis=1).argsort(axis=1) < size


# === L12.flat_direction | right | a projection matrix | I - 11'/M, by einsum.
import numpy as np


def flat_direction(dtau, deta):
    M = len(dtau)
    projection = np.eye(M) - np.full((M, M), 1 / M)
    return np.einsum("ij,jnd->ind", projection, dtau), np.tensordot(projection, deta, axes=1)
