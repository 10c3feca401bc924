from itertools import combinations

import numpy as np


def sample_subsets(M, k, rng):
    subsets = []
    for _ in range(k):
        size = int(rng.integers(2, M)) if M > 2 else 1
        all_of_them = list(combinations(range(M), size))
        members = all_of_them[rng.integers(len(all_of_them))]
        subsets.append([m in members for m in range(M)])
    return np.array(subsets)


def flat_direction(dtau, deta):
    step = np.stack([dtau, deta])
    for m in range(len(dtau)):
        step[:, m] -= (dtau.sum(0) / len(dtau), deta.sum(0) / len(deta))
    return list(step)
