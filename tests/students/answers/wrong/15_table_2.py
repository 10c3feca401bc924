# === L15.is_log_marginal | wrong | mean of the log for the log of the mean | The mean of log w, which is the ELBO. | wrong at: K > 1
def is_log_marginal(log_px1, log_pz, log_q):
    return (log_px1 + log_pz - log_q).mean(axis=0)


# === L15.is_log_marginal | wrong | length of the other axis | log N is subtracted and not log K. | wrong at: K unequal to N
import numpy as np
from scipy.special import logsumexp


def is_log_marginal(log_px1, log_pz, log_q):
    log_w = log_px1 + log_pz - log_q
    return logsumexp(log_w, axis=0) - np.log(log_w.shape[-1])


# === L15.is_log_joint | wrong | naive exp that underflows | exp of log weights near -6000 is 0, and its log -inf. | wrong at: log_px1 = -6237
import numpy as np


def is_log_joint(log_px1, log_px2, log_pz, log_q):
    w = np.exp(log_px1 + log_px2 + log_pz - log_q)
    return np.log(w.mean(axis=0))


# === L15.is_log_joint | wrong | factors averaged on their own | log p(x1) and the mean of p(x2|z) are added, as if independent under q. | wrong at: K > 1
import numpy as np
from scipy.special import logsumexp


def is_log_joint(log_px1, log_px2, log_pz, log_q):
    K = len(log_q)
    first = logsumexp(log_px1 + log_pz - log_q, axis=0) - np.log(K)
    return first + logsumexp(log_px2, axis=0) - np.log(K)


# === L15.is_log_conditional | wrong | length of another array | log K is used for both means, though the second has L samples. | wrong at: L unequal to K
import numpy as np
from scipy.special import logsumexp


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    log_K = np.log(len(log_px1))
    joint = logsumexp(log_px1 + log_px2 + log_pz - log_q, axis=0) - log_K
    return joint - (logsumexp(log_px2_prior, axis=0) - log_K)


# === L15.is_log_conditional | wrong | an argument unused | log p(x2) comes from the same samples of q with their weights, and those of the prior are not used. | wrong at: any log_px2_prior
import numpy as np


def is_log_conditional(log_px1, log_px2, log_pz, log_q, log_px2_prior):
    joint = np.logaddexp.reduce(log_px1 + log_px2 + log_pz - log_q)
    return joint - np.logaddexp.reduce(log_px2 + log_pz - log_q)


# === L15.consistency_report | wrong | option with the wrong sign | The third flag is raised below +slack and not below -slack. | wrong at: log p(x1|x2) = log p(x1)
import numpy as np


def consistency_report(table, *, entropy=0.0, slack=0.001):
    px1, joint, cond = table.T
    implied = np.stack([joint - px1, joint - cond, cond - px1], axis=1)
    flags = np.zeros(implied.shape, dtype=bool)
    flags[:, 0] = implied[:, 0] > slack
    flags[:, 1] = implied[:, 1] > -entropy + slack
    flags[:, 2] = implied[:, 2] < slack
    return implied, flags


# === L15.consistency_report | wrong | NaN counted as a breach | The flags are `not possible`, so that a missing cell is flagged. | wrong at: a row with NaN
import numpy as np


def consistency_report(table, *, entropy=0.0, slack=0.001):
    px1, joint, cond = table[:, 0], table[:, 1], table[:, 2]
    a, b, c = joint - px1, joint - cond, cond - px1
    possible = np.column_stack([a <= slack, b <= -np.asarray(entropy) + slack, c >= -slack])
    return np.column_stack([a, b, c]), ~possible


# === L15.bootstrap_ci | wrong | one-sided for two-sided | The quantiles 1 - level and level enclose 90% instead of 95%. | wrong at: level = 0.95
import numpy as np


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    N = len(values)
    means = rng.choice(values, size=(resamples, N)).mean(axis=1)
    low, high = np.quantile(means, [1 - level, level])
    return low, high


# === L15.bootstrap_ci | wrong | global random state | np.random draws, and the rng is not used. | wrong at: two equal generators give two intervals
import numpy as np


def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
    N = len(values)
    index = np.random.randint(0, N, size=(resamples, N))
    means = values[index].mean(axis=1)
    tail = 100 * (1 - level) / 2
    return tuple(np.percentile(means, [tail, 100 - tail]))
