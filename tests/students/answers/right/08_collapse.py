# === L08.kl_per_dimension | right | matrix products | Means as products with 1/N.
import numpy as np


def kl_per_dimension(mu, log_var):
    N = len(mu)
    one = np.full(N, 1 / N)
    std = np.exp(0.5 * log_var)
    return (one @ (mu * mu) + one @ (std * std) - one @ log_var - 1) / 2


# === L08.kl_per_dimension | right | expm1 and a loop | Each dimension for itself, with math.fsum.
import math

import numpy as np


def kl_per_dimension(mu, log_var):
    kls = []
    for m, v in zip(mu.T, log_var.T):
        kls.append(math.fsum(a * a + math.expm1(b) - b for a, b in zip(m, v)) / 2 / len(m))
    return np.array(kls)


# === L08.active_units | right | covariance matrix | The diagonal of the covariance.
import numpy as np


def active_units(mu, *, threshold=0.01):
    centred = mu - mu.mean(axis=0, keepdims=True)
    return np.diag(centred.T @ centred) > threshold * len(mu)


# === L08.active_units | right | all pairs | The mean squared difference of two examples is twice the variance.
import numpy as np


def active_units(mu, *, threshold=0.01):
    differences = mu[:, None, :] - mu[None, :, :]
    return np.mean(differences**2, axis=(0, 1)) / 2 > threshold


# === L08.reverse_water_filling | right | by the decoder's columns | s^2 first, then the KL and the error of the posterior with it.
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    t = beta * noise * noise
    s2 = np.clip(eigenvalues - t, 0, None)
    var = t / (s2 + t)  # of the posterior
    mean2 = s2 * eigenvalues / (s2 + t) ** 2
    kl = (mean2 + var - 1 - np.log(var)) / 2
    error = eigenvalues * (t / (s2 + t)) ** 2 + s2 * var
    return kl, error


# === L08.reverse_water_filling | right | a loop | One direction after the other.
import math

import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    kls, errors = [], []
    for value in eigenvalues:
        if value <= beta * noise**2:
            kls.append(0.0)
            errors.append(value)
        else:
            kls.append(math.log(math.sqrt(value / beta) / noise))
            errors.append(beta * noise**2)
    return np.array(kls), np.array(errors)
