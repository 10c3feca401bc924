# === L13.subset_weights | wrong | sizes from 1 to M | The random size may be any from 1 to M, whose weights then rise above 1. | wrong at: M = 3, k = 1
from math import comb

import numpy as np


def subset_weights(M, k):
    sizes = np.arange(1, M + 1)
    weights = k / M / np.array([comb(M, int(s)) for s in sizes])
    weights[[0, -1]] += 1
    return weights


# === L13.scored_unseen | wrong | scored but not given by anyone | j counts only if no term at all is given j. | wrong at: given = [[1, 0], [0, 1]], scored all True
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given.any(axis=0)
    return np.einsum("t,ti,tj->ij", weight, given, unseen)
