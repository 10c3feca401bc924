# === L19.mixture_moments | wrong | variance between left out | The mean of the variances only. | wrong at: means that differ
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var)
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | second moment | The mean's square is not subtracted. | wrong at: a mean other than 0
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + mu**2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | mean of the log | The log variances are averaged. | wrong at: variances that differ
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = log_var
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(np.exp(var) + np.where(present, (mu - mean) ** 2, 0).sum(axis=0) / n)


# === L19.mixture_moments | wrong | absent ones counted | The sums are divided by M. | wrong at: an absent expert
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = len(mu)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | mask times numbers | Absent experts are multiplied by 0, so a NaN stays. | wrong at: an absent expert that is NaN
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = (present * mu).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = (present * spread).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | std for var | exp(log_var / 2) stands for the variance. | wrong at: any input
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var / 2) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | variance for log variance | The variance itself is returned. | wrong at: any input
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, var


# === L19.mixture_moments | wrong | N - 1 | The variance between is divided by one less. | wrong at: any input
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2 * n / np.maximum(n - 1, 1)
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | a product's mean | The means are weighted by the precisions. | wrong at: variances that differ
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    weight = np.where(present, np.exp(-log_var), 0)
    mean = np.where(present, mu * np.exp(-log_var), 0).sum(axis=0) / weight.sum(axis=0)
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | a mean of variables | The variance of the average, divided by n once more. | wrong at: M > 1
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n**2
    return mean, np.log(var)


# === L19.mixture_moments | wrong | mask ignored | All experts count. | wrong at: an absent expert
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.mixture_moments | wrong | in place | Absent experts are set to 0 in what was given. | wrong at: mu used afterwards
import numpy as np


def mixture_moments(mu, log_var, *, mask=None):
    if mask is None:
        mask = np.ones(mu.shape[:2], dtype=bool)
    present = mask[:, :, None]
    mu[~mask] = 0
    log_var[~mask] = 0
    n = present.sum(axis=0)
    mean = np.where(present, mu, 0).sum(axis=0) / n
    spread = np.exp(log_var) + (mu - mean) ** 2
    var = np.where(present, spread, 0).sum(axis=0) / n
    return mean, np.log(var)


# === L19.cross_reconstruction | wrong | log of the mean | The logarithm of the averaged decoder, the other side of Jensen. | wrong at: a q with two z
import numpy as np


def cross_reconstruction(joint, q, decoder):
    r = q @ decoder
    if (joint[r == 0] > 0).any():
        return -np.inf
    return (joint * np.log(np.where(r > 0, r, 1))).sum()


# === L19.cross_reconstruction | wrong | zeros left out | What cannot be decoded adds nothing. | wrong at: a decoder with a 0 where x occurs
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ q  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | 0 times infinity | 0 log 0 is NaN. | wrong at: a joint with a 0 where the decoder is 0
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ q  # (V, S): x_n and z
    logs = np.log(decoder).T
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | mean of all | All pairs count alike. | wrong at: a joint that is not even
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = np.full_like(joint, 1 / joint.size).T @ q  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return -np.inf
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | sign | The cross entropy. | wrong at: any input
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ q  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return np.inf
    return -(occurs * logs).sum()


# === L19.cross_reconstruction | wrong | given x_m | p(x_n|x_m) stands for the joint. | wrong at: any input
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = (joint / joint.sum(axis=1, keepdims=True)).T @ q  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return -np.inf
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | base 2 | In bits. | wrong at: any input
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ q  # (V, S): x_n and z
    logs = np.log2(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return -np.inf
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | marginals | x_m and x_n are taken as independent. | wrong at: any dependent pair
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = np.outer(joint.sum(axis=0), joint.sum(axis=1)) @ q  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return -np.inf
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | a small number added | log(decoder + 1e-12). | wrong at: what cannot be decoded
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ q  # (V, S): x_n and z
    logs = np.log(decoder + 1e-12).T
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | the likeliest z | q is replaced by its mode. | wrong at: a q with two z
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ np.eye(q.shape[1])[q.argmax(axis=1)]  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return -np.inf
    return (occurs * logs).sum()


# === L19.cross_reconstruction | wrong | minus the entropy of q | KL like term added. | wrong at: any input
import numpy as np


def cross_reconstruction(joint, q, decoder):
    occurs = joint.T @ q  # (V, S): x_n and z
    logs = np.log(np.where(decoder > 0, decoder, 1)).T
    if (occurs[decoder.T == 0] > 0).any():
        return -np.inf
    return (occurs * logs).sum() - (joint.sum(axis=1)[:, None] * q * np.log(np.where(q > 0, q, 1))).sum()


# === L19.reconstruction_cap | wrong | axis | -H(x_m|x_n). | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return (joint[some] * np.log((joint / np.where(marginal > 0, marginal, 1))[some])).sum()


# === L19.reconstruction_cap | wrong | the joint's entropy | -H(x_m, x_n). | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return (joint[some] * np.log(joint[some])).sum()


# === L19.reconstruction_cap | wrong | sign | The entropy itself. | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return -(joint[some] * np.log((joint / np.where(marginal > 0, marginal, 1))[some])).sum()


# === L19.reconstruction_cap | wrong | each x_m alike | The conditional entropies are averaged evenly. | wrong at: rows that are not equally likely
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return ((joint / np.where(marginal > 0, marginal, 1) / len(joint))[some] * np.log((joint / np.where(marginal > 0, marginal, 1))[some])).sum()


# === L19.reconstruction_cap | wrong | mutual information | I(x_m; x_n). | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return (joint[some] * np.log((joint / np.where(marginal > 0, marginal, 1) / joint.sum(axis=0).clip(1e-300))[some])).sum()


# === L19.reconstruction_cap | wrong | 0 log 0 | A 0 makes it NaN. | wrong at: a joint with a 0
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint >= 0
    return (joint[some] * np.log((joint / np.where(marginal > 0, marginal, 1))[some])).sum()


# === L19.reconstruction_cap | wrong | base 2 | In bits. | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return (joint[some] * np.log2((joint / np.where(marginal > 0, marginal, 1))[some])).sum()


# === L19.reconstruction_cap | wrong | the marginal's entropy | -H(x_n), as if x_m told nothing. | wrong at: any dependent pair
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    p = joint.sum(axis=0)
    return (p[p > 0] * np.log(p[p > 0])).sum()


# === L19.reconstruction_cap | wrong | a small number added | log(p + 1e-6). | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return (joint[some] * np.log((joint / np.where(marginal > 0, marginal, 1))[some] + 1e-6)).sum()


# === L19.reconstruction_cap | wrong | sum over rows of unweighted | The conditionals' entropies are summed, not averaged. | wrong at: any input
import numpy as np


def reconstruction_cap(joint):
    marginal = joint.sum(axis=1, keepdims=True)
    some = joint > 0
    return ((joint / np.where(marginal > 0, marginal, 1))[some] * np.log((joint / np.where(marginal > 0, marginal, 1))[some])).sum()
