import numpy as np


def two_plus_two():
    return np.sum([2, 2])
