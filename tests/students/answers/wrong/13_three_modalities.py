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


# === L13.subset_weights | wrong | off by one | The sizes are divided by M - 1. | wrong at: any M
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size - 1] = k / ((M - 1) * comb(M, size))
    return weights


# === L13.subset_weights | wrong | size not drawn | All proper subsets of two or more are equally likely. | wrong at: M > 3
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size - 1] = k / (2**M - M - 2)
    return weights


# === L13.subset_weights | wrong | weight of a size | All subsets of a size together. | wrong at: any M
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size - 1] = k / (M - 2)
    return weights


# === L13.subset_weights | wrong | probability for a mean | The probability to be drawn at least once. | wrong at: k > 1
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size - 1] = 1 - (1 - 1 / ((M - 2) * comb(M, size))) ** k
    return weights


# === L13.subset_weights | wrong | ends left out | The full set and the singles are 0. | wrong at: any M
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.zeros(M)
    for size in range(2, M):
        weights[size - 1] = k / ((M - 2) * comb(M, size))
    return weights


# === L13.subset_weights | wrong | one draw | k is not used. | wrong at: k > 1
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size - 1] = 1 / ((M - 2) * comb(M, size))
    return weights


# === L13.subset_weights | wrong | index | Index s for size s. | wrong at: any M
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size] = k / ((M - 2) * comb(M, size))
    return weights


# === L13.subset_weights | wrong | normalised | The weights sum to 1. | wrong at: any M
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.ones(M)
    for size in range(2, M):
        weights[size - 1] = k / ((M - 2) * comb(M, size))
    return weights / weights.sum()


# === L13.subset_weights | wrong | random subsets of any size | The full set and the singles are drawn, too. | wrong at: any M
from math import comb

import numpy as np


def subset_weights(M, k):
    weights = np.where((np.arange(M) == 0) | (np.arange(M) == M - 1), 1.0, 0.0)
    for size in range(1, M + 1):
        weights[size - 1] += k / ((M - 2) * comb(M, size))
    return weights


# === L13.scored_unseen | wrong | seen counted too | What is scored counts, given or not. | wrong at: a term that scores what it encodes
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored
    return np.einsum("t,ti,tj->ij", weight, given, unseen)


# === L13.scored_unseen | wrong | transposed | R[j, i]. | wrong at: any input
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given
    return np.einsum("t,ti,tj->ji", weight, given, unseen)


# === L13.scored_unseen | wrong | weight ignored | Each term counts once. | wrong at: weights other than 1
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given
    return np.einsum("ti,tj->ij", 1.0 * given, unseen)


# === L13.scored_unseen | wrong | mean for sum | The mean over the terms. | wrong at: T > 1
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given
    return np.einsum("t,ti,tj->ij", weight, given, unseen) / len(weight)


# === L13.scored_unseen | wrong | not given for not scored | j is not given, scored or not. | wrong at: a term that scores nothing
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = ~given
    return np.einsum("t,ti,tj->ij", weight, given, unseen)


# === L13.scored_unseen | wrong | only the diagonal left out | Everything scored counts, but i = j. | wrong at: a term that encodes both
import numpy as np


def scored_unseen(given, scored, weight):
    R = np.einsum("t,ti,tj->ij", weight, given, scored)
    np.fill_diagonal(R, 0)
    return R


# === L13.scored_unseen | wrong | normalised | The weights are divided by their sum. | wrong at: weights that do not sum to 1
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given
    return np.einsum("t,ti,tj->ij", weight / weight.sum(), given, unseen)


# === L13.scored_unseen | wrong | only single experts | Terms that encode one modality alone. | wrong at: a term that encodes two
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given & (given.sum(axis=1) == 1)[:, None]
    return np.einsum("t,ti,tj->ij", weight, given, unseen)


# === L13.scored_unseen | wrong | a logical product | Whether any term does, with the largest weight. | wrong at: two terms
import numpy as np


def scored_unseen(given, scored, weight):
    unseen = scored & ~given
    return (weight[:, None, None] * given[:, :, None] * unseen[:, None, :]).max(axis=0)
