# === L10.posterior_joint | wrong | prior counted twice | Each modality brings the prior, so that it counts M times. | wrong at: M = 2 and a prior that is not uniform
import numpy as np


def posterior_joint(log_prior, log_liks):
    a = np.sum(log_prior + log_liks, axis=0)
    p = np.exp(a - a.max())
    return p / p.sum()


# === L10.posterior_joint | wrong | mean for sum | The log likelihoods are averaged over the modalities. | wrong at: M = 2
import numpy as np
from scipy.special import softmax


def posterior_joint(log_prior, log_liks):
    return softmax(log_prior + np.mean(log_liks, axis=0))


# === L10.posterior_from_unimodal | wrong | off by one in a power | The prior is divided out M times and not M - 1 times. | wrong at: a prior that is not uniform
import numpy as np
from scipy.special import softmax


def posterior_from_unimodal(log_posts, log_prior):
    M = len(log_posts)
    return softmax(log_posts.sum(axis=0) - M * log_prior)


# === L10.posterior_from_unimodal | wrong | special case for the example | The prior is divided out once, as is right for two modalities. | wrong at: M = 3 or M = 1
import numpy as np


def posterior_from_unimodal(log_posts, log_prior):
    a = log_posts.sum(axis=0) - log_prior
    p = np.exp(a - np.logaddexp.reduce(a))
    return p


# === L10.log_constant_eq3 | wrong | sign | The log of p(x_1..M) over the product. | wrong at: dependent modalities
import numpy as np
from scipy.special import logsumexp


def log_constant_eq3(log_prior, log_liks):
    joint = logsumexp(log_prior + log_liks.sum(axis=0))
    return float(joint - logsumexp(log_prior + log_liks, axis=1).sum())


# === L10.log_constant_eq3 | wrong | wrong weights | The evidence is a plain mean of the likelihoods over the states, as if the prior were uniform. | wrong at: a prior that is not uniform
import numpy as np
from scipy.special import logsumexp


def log_constant_eq3(log_prior, log_liks):
    S = len(log_prior)
    each = logsumexp(log_liks, axis=1) - np.log(S)
    joint = logsumexp(log_liks.sum(axis=0)) - np.log(S)
    return float(each.sum() - joint)
