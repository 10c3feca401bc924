# === L22.log_conditional_exact_lg | right | through the latent's posterior | p(z|x_n) is pushed through the decoder of m.
import numpy as np
from scipy.linalg import cho_factor, cho_solve


def log_conditional_exact_lg(xm, xn, W, b, sigma):
    Wm, Wn = W
    D = Wn.shape[1]
    factor = cho_factor(np.eye(D) + Wn.T @ Wn / sigma[1] ** 2)
    z = cho_solve(factor, Wn.T @ (xn - b[1]).T / sigma[1] ** 2).T
    cov = Wm @ cho_solve(factor, Wm.T) + sigma[0] ** 2 * np.eye(len(Wm))
    L = np.linalg.cholesky(cov)
    r = np.linalg.solve(L, (xm - b[0] - z @ Wm.T).T)
    return -(r**2).sum(0) / 2 - np.log(np.diag(L)).sum() - len(Wm) * np.log(2 * np.pi) / 2


# === L22.log_conditional_is | right | weights first | Self-normalised weights of x_n alone, in logs.
from scipy.special import log_softmax, logsumexp


def log_conditional_is(log_pxm, log_pxn, log_pz, log_q):
    return logsumexp(log_softmax(log_pxn + log_pz - log_q, axis=0) + log_pxm, axis=0)


# === L22.over_seeds | right | quantiles and a binomial | np.quantile and scipy's binomial distribution.
import numpy as np
from scipy.stats import binom


def over_seeds(values):
    low, median, high = np.quantile(values, [0, 0.5, 1])
    n = len(values)
    return median, low, high, binom.cdf(n - 1, n, 0.5) - binom.cdf(0, n, 0.5)


# === L22.against_chance | right | signs | sign of the score, where it is long enough.
import numpy as np


def against_chance(hits, n, *, chance, z=1.96):
    excess = hits - n * chance
    return np.sign(excess) * (excess**2 > z**2 * n * chance * (1 - chance))
