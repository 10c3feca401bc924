"""Three modalities: which subsets an objective scores, and what it scores unseen."""

import numpy as np

from mmvae_edu.course import todo


def subset_weights(M, k):
    """Compute how often a step of S7.6 scores one subset of each size, on average.        [S7.6]

    M >= 3 modalities, k independent random subsets X_j: the size is uniform on 2..M-1, and all
    subsets of that size are equally likely; a subset that is drawn twice is scored twice.
    -> (M,) for the sizes 1..M
    """
    return todo("L13.subset_weights")


def scored_unseen(given, scored, weight):
    """Compute how much an objective scores j from a z that saw i and not j.         [S7.6, S11.4]

    Term t of T has the weight weight[t]; given[t, m] says whether it encodes modality m, and
    scored[t, m] whether it scores m: (T, M) bool, (T, M) bool, (T,) -> (M, M), R[i, j] the weight
    of the terms that encode i and score j without encoding j.
    """
    return todo("L13.scored_unseen")
