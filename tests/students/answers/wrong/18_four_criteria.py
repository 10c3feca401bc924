# === L18.linear_probe | wrong | term left out | The regression has no constant. | wrong at: classes whose z are not centred
import numpy as np


def linear_probe(z, y, *, folds, tested=None):
    tested = z if tested is None else tested
    onehot = np.eye(y.max() + 1)[y]
    probe, common = np.zeros_like(y), np.zeros_like(y)
    for f in np.unique(folds):
        train, test = folds != f, folds == f
        W = np.linalg.lstsq(z[train], onehot[train], rcond=None)[0]
        probe[test] = (tested[test] @ W).argmax(axis=1)
        common[test] = np.bincount(y[train]).argmax()
    return probe, common


# === L18.linear_probe | wrong | fitted on the tested rows too | The majority is that of all rows, those of the own fold among them. | wrong at: a fold that holds most of one class
import numpy as np


def linear_probe(z, y, *, folds, tested=None):
    tested = z if tested is None else tested
    N = len(z)
    X, X_tested = np.c_[np.ones(N), z], np.c_[np.ones(N), tested]
    Y = np.eye(int(y.max()) + 1)[y]
    probe = np.empty(N, dtype=int)
    for f in set(folds):
        W = np.linalg.pinv(X[folds != f]) @ Y[folds != f]
        probe[folds == f] = np.argmax(X_tested[folds == f] @ W, axis=1)
    return probe, np.full(N, np.bincount(y).argmax())


# === L18.coherence | wrong | a truth test of an array | `given` is used only if any of its classes is not 0. | wrong at: given = [0, 0], y = [[1, 1]]
import numpy as np


def coherence(y, *, given=None):
    same = (y == y[0]).all(axis=0)
    if given is not None and np.any(given):
        same &= y[0] == given
    return float(same.mean())


# === L18.coherence | wrong | mean over pairs for all | The agreement with the first modality is averaged over the others and not asked of all. | wrong at: y = [[0], [0], [1]]
import numpy as np


def coherence(y, *, given=None):
    if given is None:
        first, others = y[0], y[1:]
    else:
        first, others = given, y
    return float(np.mean(others == first))


# === L18.correct_for_classifiers | wrong | transposed | The first inverse is not transposed. | wrong at: a confusion that is not symmetric
import numpy as np


def correct_for_classifiers(table, first, second):
    return np.linalg.inv(first) @ table @ np.linalg.inv(second)


# === L18.correct_for_classifiers | wrong | clipping | Negative frequencies are set to 0 and the rest normalised. | wrong at: a table with a corrected frequency below 0
import numpy as np


def correct_for_classifiers(table, first, second):
    J = np.linalg.solve(first.T, np.linalg.solve(second.T, table.T).T)
    J = np.maximum(J, 0)
    return J / J.sum()


# === L18.wilson_interval | wrong | another known formula | Wald's interval. | wrong at: hits = 0
import numpy as np


def wilson_interval(hits, n, *, z=1.96):
    p = np.asarray(hits) / n
    half = z * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


# === L18.wilson_interval | wrong | option ignored | 1.96 is written out and z is not used. | wrong at: z = 1
import numpy as np


def wilson_interval(hits, n, *, z=1.96):
    p = hits / n
    centre = (hits + 1.96**2 / 2) / (n + 1.96**2)
    half = 1.96 * np.sqrt(n * p * (1 - p) + 1.96**2 / 4) / (n + 1.96**2)
    return centre - half, centre + half


# === L18.synergy | wrong | N for N - 1 | The standard deviation divides by N. | wrong at: any scores
import numpy as np


def synergy(both, single):
    d = both - single
    return float(d.mean()), float(d.std() / np.sqrt(len(d)))


# === L18.synergy | wrong | pairing ignored | The error is that of two independent samples. | wrong at: correlated scores
import numpy as np


def synergy(both, single):
    n = len(both)
    error = np.sqrt(np.var(both, ddof=1) / n + np.var(single, ddof=1) / n)
    return float(np.mean(both) - np.mean(single)), float(error)
