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


# === L13.subset_weights | right | factorials | s! (M - s)! / M! for one over the binomial coefficient.
import numpy as np
from scipy.special import gammaln


def subset_weights(M, k):
    s = np.arange(1, M + 1)
    share = np.exp(gammaln(s + 1) + gammaln(M - s + 1) - gammaln(M + 1)) / (M - 2)
    return np.where((s == 1) | (s == M), 1.0, k * share)


# === L13.subset_weights | right | counts of subsets | All subsets listed for small M, each with its chance; else by ratios.
import numpy as np


def subset_weights(M, k):
    found, ways = [1.0], M
    for size in range(2, M):
        ways = ways * (M - size + 1) // size
        found.append(k / (M - 2) / ways)
    return np.asarray([*found, 1.0])


# === L13.scored_unseen | right | a matrix product | given^T diag(w) unseen.
def scored_unseen(given, scored, weight):
    return (given * weight[:, None]).T @ (scored > given).astype(float)


# === L13.scored_unseen | right | loops | Term by term.
import numpy as np


def scored_unseen(given, scored, weight):
    M = np.shape(given)[1]
    R = np.zeros((M, M))
    for g, s, w in zip(given, scored, weight):
        for i in np.flatnonzero(g):
            for j in np.flatnonzero(s):
                if not g[j]:
                    R[i, j] += w
    return R
