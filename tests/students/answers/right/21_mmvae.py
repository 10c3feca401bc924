# === L21.cross_generate | right | one flat batch | All samples at once, by repeat of the rows.
import numpy as np
from mmvae_edu.networks import mlp


def cross_generate(w, x, *, source, target, eps):
    K, N, D = eps.shape
    h = mlp(w[source]["encoder"], np.tile(x, (K, 1)), activation="tanh")[0]
    mean, half_log_var = h[:, :D], h[:, D:] / 2
    z = mean + np.exp(half_log_var) * eps.reshape(-1, D)
    return mlp(w[target]["decoder"], z, activation="tanh")[0].reshape((K, N, -1))
