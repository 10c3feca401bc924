# === L18.coherence | right | range of the classes | All equal where maximum and minimum are.
import numpy as np


def coherence(y, *, given=None):
    rows = y if given is None else np.concatenate([y, given[None]])
    return 1 - np.count_nonzero(np.ptp(rows, axis=0)) / rows.shape[1]


# === L18.correct_for_classifiers | right | two linear systems | solve on both sides, no inverse.
import numpy as np


def correct_for_classifiers(table, first, second):
    left = np.linalg.solve(np.transpose(first), table)
    return np.transpose(np.linalg.solve(np.transpose(second), np.transpose(left)))


# === L18.wilson_interval | right | centre and half width | The closed form in counts.
import numpy as np


def wilson_interval(hits, n, *, z=1.96):
    misses = n - hits
    centre = (hits + z * z / 2) / (n + z * z)
    half = z * np.sqrt(hits * misses / n + z * z / 4) / (n + z * z)
    return centre - half, centre + half


# === L18.synergy | right | scipy | sem of the differences.
from scipy.stats import sem


def synergy(both, single):
    return (both - single).mean(), sem(both - single)
