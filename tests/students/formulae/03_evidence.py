import math

import numpy as np


def log_evidence(log_joint):
    return np.logaddexp.reduce(log_joint)


def decompose(q, log_joint):
    s = q > 0
    bound = math.fsum(q[s] * (log_joint[s] - np.log(q[s])))
    return bound, np.logaddexp.reduce(log_joint) - bound
