# === L23.fix_08 | right | another form | logaddexp and a softmax of the log weights.
import numpy as np
from scipy.special import softmax


def fix_08(log_w, *, file):
    value = np.logaddexp.reduce(log_w, axis=0) - np.log(len(log_w))
    return value, lambda d: softmax(log_w, axis=0) * d


# === L23.check_04 | right | moments by a grid | The product of the densities is normalised by sums over a grid.
import numpy as np
from mmvae_edu.course.hunt import gradient_agrees, verdict


@verdict
def check_04(file):
    mu, log_var = np.random.default_rng(3).normal(size=(2, 3, 2, 2))
    (mean, joint), _ = file.product_of_experts(mu, log_var)
    z = np.linspace(-12, 12, 4001)[:, None, None]
    log_p = -(z**2) / 2 - ((z[None] - mu[:, None]) ** 2 / np.exp(log_var[:, None]) / 2).sum(0)
    p = np.exp(log_p - log_p.max(axis=0))
    p /= p.sum(axis=0)
    m = (p * z).sum(axis=0)
    assert np.allclose(mean, m, atol=1e-6)
    assert np.allclose(np.exp(joint), (p * (z - m) ** 2).sum(axis=0), atol=1e-6)
    assert gradient_agrees(file.product_of_experts, mu, log_var)
