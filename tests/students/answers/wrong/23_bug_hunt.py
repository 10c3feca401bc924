# === L23.check_01 | wrong | a gradient check alone | Only the gradient is checked, which agrees with the wrong value. | wrong at: std = exp(log_var) in value and pullback
import numpy as np
from mmvae_edu.course.hunt import gradient_agrees, verdict


@verdict
def check_01(file):
    rng = np.random.default_rng(1)
    mu, log_var = rng.normal(size=(2, 4, 3))
    eps = rng.normal(size=(5, 4, 3))
    assert gradient_agrees(file.sample, mu, log_var, eps=eps)
    assert file.sample(mu, log_var, eps=eps)[0].shape == (5, 4, 3)


# === L23.check_04 | wrong | a convenient input | A single expert, for which the prior counts once either way. | wrong at: the file's mistake needs two experts
import numpy as np
from mmvae_edu.course.hunt import verdict


@verdict
def check_04(file):
    rng = np.random.default_rng(0)
    mu, log_var = rng.normal(size=(2, 1, 4, 2))
    (mean, joint), _ = file.product_of_experts(mu, log_var)
    total = 1 + np.exp(-log_var[0])
    assert np.allclose(joint, -np.log(total))
    assert np.allclose(mean, np.exp(-log_var[0]) * mu[0] / total)


# === L23.check_05 | wrong | a convenient input | One image only: reshaping (K, 1) cannot mix images. | wrong at: the file's mistake needs N > 1 and K > 1
import numpy as np
from mmvae_edu.course.hunt import verdict


@verdict
def check_05(file):
    rng = np.random.default_rng(0)
    x, mu, log_var = rng.normal(size=(3, 1, 2))
    eps = rng.normal(size=(6, 1, 2))

    def log_joint(x, z):
        return file.log_normal(z, 0.0, np.zeros(2)) + file.log_normal(x, z, np.zeros(2))

    found = file.log_evidence(x, mu, log_var, log_joint, eps=eps)
    z = mu + np.exp(log_var / 2) * eps
    log_w = log_joint(x, z) - file.log_normal(z, mu, log_var)
    return bool(np.allclose(found, np.log(np.exp(log_w).mean(axis=0))))


# === L23.check_10 | wrong | false alarm | It asks for one log over all experts and samples, which the file does not promise. | wrong at: the right file is called wrong
import numpy as np
from mmvae_edu.course.hunt import verdict


@verdict
def check_10(file):
    rng = np.random.default_rng(0)
    mu, log_var = rng.normal(size=(2, 2, 3, 2))
    eps = rng.normal(size=(2, 4, 3, 2))

    def log_joint(z):
        return file.log_normal(z, 0.5, np.zeros(2))

    z = mu[:, None] + np.exp(log_var / 2)[:, None] * eps
    each = file.log_normal(z, mu[:, None, None], log_var[:, None, None])
    w = np.exp(log_joint(z)) / np.exp(each).mean(axis=0)
    expected = np.log(w.mean(axis=(0, 1)))
    assert np.allclose(file.mixture_bound(mu, log_var, log_joint, eps=eps), expected)


# === L23.fix_01 | wrong | factor of a half forgotten | The sample is repaired, its pullback by log_var is not halved. | wrong at: any input, gradient by log_var
import numpy as np


def fix_01(mu, log_var, *, eps, file):
    std = np.exp(log_var / 2)

    def back(dz):
        return dz.sum(axis=0), (dz * eps * std).sum(axis=0)

    return mu + std * eps, back


# === L23.fix_06 | wrong | mean for sum | The bounds are averaged over the images, against the docstring. | wrong at: N > 1
import numpy as np


def fix_06(log_px_z, log_pz, log_qz, *, file):
    log_w = file.log_weights(log_px_z, log_pz, log_qz)
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)
    bounds = top + np.log(w.mean(axis=0))

    def back(d):
        dlog_w = d * w / w.sum(axis=0) / len(bounds)
        return dlog_w, dlog_w, -dlog_w

    return bounds.mean(), back


# === L23.fix_09 | wrong | option counted wrongly | Missing experts are dropped, but the mean still divides by M. | wrong at: present with a 0
import numpy as np


def fix_09(z, mu, log_var, *, present, file):
    mu, log_var, here = mu[:, None], log_var[:, None], present[:, None]
    log_q = np.where(here > 0, file.log_normal(z, mu, log_var), -np.inf)
    value = np.logaddexp.reduce(log_q, axis=0) - np.log(len(present))

    def back(d):
        share = (d * np.exp(log_q - np.logaddexp.reduce(log_q, axis=0)))[..., None]
        r = (z - mu) / np.exp(log_var)
        spread = 0.5 * share * (r * (z - mu) - 1)
        return -(share * r).sum(0), (share * r).sum(1), spread.sum(1)

    return value, back


# === L23.fix_12 | wrong | mean of the log for the log of the mean | p(x_2) in the denominator is estimated by an ELBO. | wrong at: K > 1
def fix_12(log_px1, log_px2, log_pz, log_q, *, file):
    log_w = log_px2 + log_pz - log_q
    return file.log_joint(log_px1, log_px2, log_pz, log_q) - log_w.mean(axis=0)
