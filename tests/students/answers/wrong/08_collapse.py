# === L08.kl_per_dimension | wrong | sum for mean | The sum over the examples. | wrong at: N > 1
import numpy as np


def kl_per_dimension(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum(axis=0)


# === L08.kl_per_dimension | wrong | axis | The mean over the dimensions, one number for each example. | wrong at: any input
import numpy as np


def kl_per_dimension(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).mean(axis=1)


# === L08.kl_per_dimension | wrong | std for var | exp(log_var / 2) stands for the variance. | wrong at: log_var other than 0
import numpy as np


def kl_per_dimension(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var / 2) - log_var - 1).mean(axis=0)


# === L08.kl_per_dimension | wrong | missing half | No 1/2. | wrong at: any input
import numpy as np


def kl_per_dimension(mu, log_var):
    return (mu**2 + np.exp(log_var) - log_var - 1).mean(axis=0)


# === L08.kl_per_dimension | wrong | sign | L1, which is minus the KL. | wrong at: any input
import numpy as np


def kl_per_dimension(mu, log_var):
    return -0.5 * (mu**2 + np.exp(log_var) - log_var - 1).mean(axis=0)


# === L08.kl_per_dimension | wrong | mean too early | The KL of the average mean and the average log variance. | wrong at: means that vary
import numpy as np


def kl_per_dimension(mu, log_var):
    mu, log_var = mu.mean(axis=0), log_var.mean(axis=0)
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)


# === L08.kl_per_dimension | wrong | all averaged | One number for all. | wrong at: D > 1
import numpy as np


def kl_per_dimension(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).mean()


# === L08.kl_per_dimension | wrong | KL of the average q | The aggregate's mean and variance stand for each q's. | wrong at: N > 1
import numpy as np


def kl_per_dimension(mu, log_var):
    var = np.exp(log_var).mean(axis=0) + mu.var(axis=0)
    mu, log_var = mu.mean(axis=0), np.log(var)
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)


# === L08.kl_per_dimension | wrong | constant left out | The -1 is missing. | wrong at: any input
import numpy as np


def kl_per_dimension(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - log_var).mean(axis=0)


# === L08.active_units | wrong | std for var | The standard deviation. | wrong at: a std of 0.05
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.std(axis=0) > threshold


# === L08.active_units | wrong | axis | The variance over the dimensions. | wrong at: any input
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.var(axis=1) > threshold


# === L08.active_units | wrong | second moment | The mean square, not about the mean. | wrong at: a mean that is constant and large
import numpy as np


def active_units(mu, *, threshold=0.01):
    return (mu**2).mean(axis=0) > threshold


# === L08.active_units | wrong | option ignored | 0.01 is written out. | wrong at: another threshold
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.var(axis=0) > 0.01


# === L08.active_units | wrong | a count | How many units are active. | wrong at: D > 1
import numpy as np


def active_units(mu, *, threshold=0.01):
    return (mu.var(axis=0) > threshold).sum()


# === L08.active_units | wrong | sign | Those that have collapsed. | wrong at: any input
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.var(axis=0) < threshold


# === L08.active_units | wrong | N - 1 | The unbiased variance. | wrong at: a variance just below the threshold
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.var(axis=0, ddof=1) > threshold


# === L08.active_units | wrong | at least | A variance at the threshold counts. | wrong at: threshold = 0 and a constant mean
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.var(axis=0) >= threshold


# === L08.active_units | wrong | size of the mean | The average of |mu|. | wrong at: a mean that is constant and large
import numpy as np


def active_units(mu, *, threshold=0.01):
    return np.abs(mu).mean(axis=0) > threshold


# === L08.active_units | wrong | threshold squared | The threshold is taken for a standard deviation's. | wrong at: variances between
import numpy as np


def active_units(mu, *, threshold=0.01):
    return mu.var(axis=0) > threshold**2


# === L08.reverse_water_filling | wrong | std for var | The noise is taken for a variance. | wrong at: noise other than 1
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | option ignored | beta is not used. | wrong at: beta = 4
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = noise**2
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | missing half | No 1/2 before the logarithm. | wrong at: any input
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = np.where(eigenvalues > level, np.log(eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | no cut | The KL below the level is negative. | wrong at: an eigenvalue below the level
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = 0.5 * np.log(eigenvalues / level)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | error where nothing is kept | The error is the level in each direction. | wrong at: an eigenvalue below the level
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.full_like(eigenvalues, level)


# === L08.reverse_water_filling | wrong | another optimum | The error that the mean's reconstruction has. | wrong at: any input
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.where(eigenvalues > level, level * level / eigenvalues, eigenvalues)


# === L08.reverse_water_filling | wrong | beta squared | beta multiplies the noise's standard deviation. | wrong at: beta other than 1
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = (beta * noise) ** 2
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | divided by beta | The level falls with beta. | wrong at: beta other than 1
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = noise**2 / beta
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | signal for data | log of 1 + lambda/level, as if the eigenvalue were the signal's. | wrong at: any input
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = np.where(eigenvalues > level, 0.5 * np.log(1 + eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | beta times the KL | The KL is weighted by beta. | wrong at: beta other than 1
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return beta * kl, np.minimum(eigenvalues, level)


# === L08.reverse_water_filling | wrong | error of a sample | The error includes the noise that a sampled x has. | wrong at: any input
import numpy as np


def reverse_water_filling(eigenvalues, *, noise, beta=1.0):
    level = beta * noise**2
    kl = np.where(eigenvalues > level, 0.5 * np.log(eigenvalues / level), 0.0)
    return kl, np.minimum(eigenvalues, level) + noise**2
