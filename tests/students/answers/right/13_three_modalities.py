# === L13.subset_weights | right | enumeration | Every outcome of the draw is listed, and its chance is added to its subset.
from itertools import combinations

import numpy as np


def subset_weights(M, k):
    weights = np.zeros(M)
    weights[0] += 1
    weights[M - 1] += 1
    for size in range(2, M):
        outcomes = list(combinations(range(M), size))
        first = tuple(range(size))
        chance = outcomes.count(first) / len(outcomes) / len(range(2, M))
        weights[size - 1] = k * chance
    return weights


# === L13.scored_unseen | right | a matrix product | The weighted given, transposed, times what is scored and not given.
def scored_unseen(given, scored, weight):
    return (given * weight[:, None]).T @ (scored * (1 - given))
