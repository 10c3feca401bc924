# === L06.gaussian_sample | right | a class with a state | An object remembers the noise and is the pullback itself.
import numpy as np


class Sampler:
    def __init__(self, mu, log_var, eps):
        self.shift = np.sqrt(np.exp(log_var)) * eps
        self.z = np.add(self.shift, mu)

    def __call__(self, dz):
        return np.add.reduce(dz), np.add.reduce(dz * self.shift) / 2


def gaussian_sample(mu, log_var, *, eps):
    s = Sampler(mu, log_var, eps)
    return s.z, s


# === L06.score_function_grad | right | a Jacobian and a tensordot | The score of each sample, then one contraction.
import numpy as np


def score_function_grad(mu, log_var, *, eps, log_px_z, baseline=0.0):
    K, N, D = eps.shape
    z = eps * np.exp(log_var / 2) + mu
    excess = np.subtract(log_px_z(z)[0], baseline)
    var = np.exp(log_var)
    score = np.concatenate([(z - mu) / var, (z - mu) ** 2 / (2 * var) - 0.5], axis=-1)
    both = np.stack([excess[:, n] @ score[:, n] for n in range(N)]) / K
    return both[:, :D], both[:, D:]
