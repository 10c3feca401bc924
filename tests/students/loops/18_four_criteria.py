import math

import numpy as np


def most_common(labels):
    counts = {}
    for label in sorted(int(v) for v in labels):
        counts[label] = counts.get(label, 0) + 1
    return max(counts, key=counts.get)


def linear_probe(z, y, *, folds, tested=None):
    asked = z if tested is None else tested
    probe = np.zeros(len(y), dtype=int)
    usual = np.zeros(len(y), dtype=int)
    V = int(max(y)) + 1
    for fold in sorted(set(folds.tolist())):
        train = [n for n in range(len(y)) if folds[n] != fold]
        X = np.array([[1.0, *z[n]] for n in train])
        T = np.array([[float(y[n] == v) for v in range(V)] for n in train])
        weights = np.linalg.lstsq(X, T, rcond=None)[0]
        common = most_common(y[train])
        for n in range(len(y)):
            if folds[n] == fold:
                probe[n] = np.argmax(np.array([1.0, *asked[n]]) @ weights)
                usual[n] = common
    return probe, usual


def latent_overlap(first, second):
    common = left = right = 0.0
    for a, b in zip(first, second, strict=True):
        common += a if a < b else b
        left, right = left + a, right + b
    return common / (left if left < right else right)


def coherence(y, *, given=None):
    agree = 0
    for n in range(y.shape[1]):
        shown = {int(v) for v in y[:, n]}
        if given is not None:
            shown.add(int(given[n]))
        agree += len(shown) == 1
    return agree / y.shape[1]


def correct_for_classifiers(table, first, second):
    V = len(table)
    system = np.zeros((V * V, V * V))
    for a in range(V):
        for b in range(V):
            for i in range(V):
                for j in range(V):
                    system[a * V + b, i * V + j] = first[i, a] * second[j, b]
    return np.linalg.solve(system, table.ravel()).reshape(V, V)


def wilson_interval(hits, n, *, z=1.96):
    p = hits / n
    # (p - q)^2 = z^2 q (1 - q) / n, a quadratic in q
    a, b, c = 1 + z**2 / n, -(2 * p + z**2 / n), p**2
    root = np.sqrt(b**2 - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def synergy(both, single):
    N = len(both)
    differences = [b - s for b, s in zip(both, single, strict=True)]
    mean = math.fsum(differences) / N
    variance = math.fsum((d - mean) ** 2 for d in differences) / (N - 1)
    return mean, math.sqrt(variance / N)
