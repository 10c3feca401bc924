# === L03.log_joint | wrong | transposed index | Row x of log_lik is taken and not column x. | wrong at: S = V = 3, any x
def log_joint(log_prior, log_lik, x):
    return log_prior + log_lik[x]


# === L03.log_joint | wrong | argument changed in place | The likelihood is added into log_prior itself. | wrong at: any input: log_prior has changed afterwards
def log_joint(log_prior, log_lik, x):
    log_prior += log_lik[:, x]
    return log_prior


# === L03.log_evidence | wrong | mean subtracted for the maximum | The mean is subtracted before exp: an impossible state makes it -inf and the answer NaN, and a wide spread overflows. | wrong at: log_joint = [-1, -inf] or [0, -3000]
import numpy as np


def log_evidence(log_joint):
    shift = log_joint.mean()
    return float(shift + np.log(np.exp(log_joint - shift).sum()))


# === L03.log_evidence | wrong | special case for the example | Where everything underflows the largest term alone is returned. | wrong at: log_joint = [-6237, -6237]
import numpy as np


def log_evidence(log_joint):
    p = np.exp(log_joint).sum()
    if p > 0 and np.isfinite(p):
        return float(np.log(p))
    return float(log_joint.max())


# === L03.posterior | wrong | float32 inside | The log joint is made float32, which has three decimals left at -6237. | wrong at: log_joint = [-6237.123, -6237.456]
import numpy as np


def posterior(log_joint):
    a = np.asarray(log_joint, dtype=np.float32)
    p = np.exp(a - a.max())
    return (p / p.sum()).astype(np.float64)


# === L03.posterior | wrong | minimum for the maximum | The smallest entry is subtracted, so that exp overflows where the states differ much. | wrong at: log_joint = [0, -800]
import numpy as np


def posterior(log_joint):
    p = np.exp(log_joint - np.min(log_joint))
    return p / np.sum(p)


# === L03.elbo | wrong | 0 log 0 | A state with q = 0 gives 0 * inf = NaN. | wrong at: q = [1, 0]
import numpy as np


def elbo(q, log_joint):
    return float(np.dot(q, log_joint - np.log(q)))


# === L03.elbo | wrong | sign of one term | The entropy of q is subtracted. | wrong at: any q that is not a point
import numpy as np


def elbo(q, log_joint):
    inside = q > 0
    entropy = -np.sum(q[inside] * np.log(q[inside]))
    return float(q[inside] @ log_joint[inside] - entropy)


# === L03.kl | wrong | clipping | p is clipped at 1e-12, so that an impossible p gives a finite number and not inf. | wrong at: q = [0.5, 0.5], p = [1, 0]
import numpy as np


def kl(q, p):
    inside = q > 0
    p = np.clip(p, 1e-12, 1)
    return float(np.sum(q[inside] * np.log(q[inside] / p[inside])))


# === L03.kl | wrong | arguments swapped | KL(p || q) instead of KL(q || p). | wrong at: q = [0.5, 0.5], p = [0.9, 0.1]
import numpy as np
from scipy.special import rel_entr


def kl(q, p):
    return float(np.sum(rel_entr(p, q)))


# === L03.decompose | wrong | order of outputs | The gap comes first and the bound second. | wrong at: any input
import numpy as np


def decompose(q, log_joint):
    inside = q > 0
    bound = float(q[inside] @ (log_joint[inside] - np.log(q[inside])))
    return float(np.logaddexp.reduce(log_joint)) - bound, bound


# === L03.decompose | wrong | the other direction of the KL in one part | The gap is KL(p || q), so that the two parts do not sum to log p(x). | wrong at: q unequal to the posterior
import numpy as np
from scipy.special import entr, rel_entr, softmax


def decompose(q, log_joint):
    p = softmax(log_joint)
    return float(q @ log_joint + entr(q).sum()), float(rel_entr(p, q).sum())
