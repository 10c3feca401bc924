# === L10.posterior_joint | right | Bayes' rule one at a time | Yesterday's posterior is today's prior.
import numpy as np
from scipy.special import log_softmax


def posterior_joint(log_prior, log_liks):
    belief = log_prior
    for row in log_liks:
        belief = log_softmax(belief + row)
    return np.exp(belief)


# === L10.posterior_from_unimodal | right | a matrix of coefficients | One row of 1s and 1 - M.
import numpy as np
from scipy.special import softmax


def posterior_from_unimodal(log_posts, log_prior):
    M = len(log_posts)
    return softmax(np.append(np.ones(M), 1 - M) @ np.vstack([log_posts, log_prior]))


# === L10.log_constant_eq3 | right | a chain of conditionals | log p(x_m) minus log p(x_m given those before), summed.
import numpy as np
from scipy.special import logsumexp


def log_constant_eq3(log_prior, log_liks):
    total, belief = 0.0, log_prior - logsumexp(log_prior)
    for row in log_liks:
        step = logsumexp(belief + row)
        total += logsumexp(log_prior + row) - step
        belief = belief + row - step
    return total
