from itertools import combinations

import numpy as np


def subset_weights(M, k):
    weights = []
    for size in range(1, M + 1):
        if size in (1, M):
            weights.append(1.0)
        else:
            share = k / (M - 2)  # of the draws have this size
            weights.append(share / len(list(combinations(range(M), size))))
    return np.array(weights)


def scored_unseen(given, scored, weight):
    T, M = given.shape
    found = np.zeros((M, M))
    for t in range(T):
        for i in range(M):
            for j in range(M):
                if given[t, i] and scored[t, j] and not given[t, j]:
                    found[i, j] += weight[t]
    return found
