import numpy as np
from scipy.stats import entropy


def looseness_gap(a):
    return entropy(np.full(a.shape, 1 / len(a)), a)
