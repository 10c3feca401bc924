"""The linear-Gaussian model: probabilistic PCA with several modalities, in closed form."""

import math

import numpy as np

from ..kernels.arrays import check_calls

LOG_2PI = math.log(2 * math.pi)


class LinearGaussian:
    """z ~ N(0, I), x_m = W_m z + b_m + sigma_m eps.                                        [S6.2]

    W, b, sigma are dicts by modality: W_m (P_m, D), b_m (P_m,), sigma_m > 0 a number.
    x is a dict name -> (N, P_m); a subset is a list of names, None means the keys of x.
    If every W_m has orthogonal columns, every posterior has a diagonal covariance.
    Raises ValueError on mismatched names or shapes.  All values in nats, one per example (N,).
    Source: Tipping and Bishop, Probabilistic principal component analysis, JRSS B 1999.
    """

    def __init__(self, W, b, sigma):
        if not W or not W.keys() == b.keys() == sigma.keys():
            raise ValueError(f"names differ: W {list(W)}, b {list(b)}, sigma {list(sigma)}")
        self.W = {m: np.asarray(W[m], dtype=float) for m in W}
        self.b = {m: np.asarray(b[m], dtype=float) for m in W}
        self.sigma = {m: float(sigma[m]) for m in W}
        self.D = next(iter(self.W.values())).shape[1]
        for m in W:
            P = len(self.b[m])
            if self.W[m].shape != (P, self.D) or self.sigma[m] <= 0:
                raise ValueError(
                    f"{m}: expected W ({P}, {self.D}) and sigma > 0, "
                    f"found {self.W[m].shape} and {self.sigma[m]}"
                )

    @classmethod
    def random(cls, rng, D, features, orthogonal=True):
        """Draw a random model; features is a dict name -> P_m.

        orthogonal=True draws W_m with nonzero, mutually orthogonal columns (every P_m >= D).
        """
        W = {}
        for m, P in features.items():
            W[m] = rng.normal(size=(P, D))
            if orthogonal:
                if P < D:
                    raise ValueError(f"{m}: {P} features cannot hold {D} orthogonal columns")
                W[m] = np.linalg.qr(W[m])[0] * rng.uniform(0.5, 2.0, D)
        b = {m: rng.normal(size=P) for m, P in features.items()}
        sigma = {m: rng.uniform(0.5, 1.5) for m in features}
        return cls(W, b, sigma)

    def sample(self, rng, N):
        """Draw N examples from the joint: z (N, D) and the dict x."""
        z = rng.normal(size=(N, self.D))
        x = {
            m: z @ W.T + self.b[m] + self.sigma[m] * rng.normal(size=(N, len(W)))
            for m, W in self.W.items()
        }
        return z, x

    def log_lik(self, z, x_m, m):
        """Compute log p(x_m | z).  z (..., N, D), x_m (N, P_m); (..., N)."""
        residual = (x_m - self.b[m] - z @ self.W[m].T) / self.sigma[m]
        P = len(self.b[m])
        return -0.5 * (residual**2).sum(axis=-1) - P * (0.5 * LOG_2PI + math.log(self.sigma[m]))

    def log_joint(self, z, x, subset=None):
        """Compute log p(x_subset, z).  z (..., N, D); (..., N)."""
        log_pz = -0.5 * (z**2 + LOG_2PI).sum(axis=-1)
        return log_pz + sum(self.log_lik(z, x[m], m) for m in self._names(x, subset))

    def log_prob(self, x, subset=None):
        """Compute log p(x_subset) by N(b, W W' + diag(sigma^2)) over stacked features.   [S5.1]"""
        names = self._names(x, subset)
        if not names:
            return np.zeros(len(next(iter(x.values()))))
        W = np.concatenate([self.W[m] for m in names])
        noise = np.concatenate([np.full(len(self.b[m]), self.sigma[m] ** 2) for m in names])
        residual = np.concatenate([x[m] - self.b[m] for m in names], axis=1)
        cov = W @ W.T + np.diag(noise)
        quadratic = (residual * np.linalg.solve(cov, residual.T).T).sum(axis=1)
        return -0.5 * (quadratic + np.linalg.slogdet(cov)[1] + len(noise) * LOG_2PI)

    def log_conditional(self, x, target, given):
        """Compute log p(x_target | x_given) = log p(x_target, x_given) - log p(x_given)."""
        if set(target) & set(given):
            raise ValueError(f"target {list(target)} and given {list(given)} overlap")
        return self.log_prob(x, [*target, *given]) - self.log_prob(x, given)

    def posterior(self, x, subset=None):
        """Compute mean (N, D) and covariance (D, D) of p(z | x_subset).                   [S7.1]

        cov^-1 = I + sum_m W_m' W_m / sigma_m^2
        mean = cov sum_m W_m' (x_m - b_m) / sigma_m^2
        """
        precision = np.eye(self.D)
        shift = np.zeros((len(next(iter(x.values()))), self.D))
        for m in self._names(x, subset):
            precision = precision + self.W[m].T @ self.W[m] / self.sigma[m] ** 2
            shift = shift + (x[m] - self.b[m]) @ self.W[m] / self.sigma[m] ** 2
        cov = np.linalg.inv(precision)
        return shift @ cov, cov

    def expert_without_prior(self, x_m, m):
        """Compute the exact expert (mu, log_var), (N, D): p(x_m | z) normalised over z.      [S7.5]

        p(z | x_subset) is proportional to p(z) times its experts. Raises ValueError unless W_m has
        nonzero orthogonal columns, since only then is it a Gaussian with a diagonal covariance.
        """
        gram = self.W[m].T @ self.W[m]
        square = np.diag(gram)
        if not square.all() or np.abs(gram - np.diag(square)).max() > 1e-12 * square.max():
            raise ValueError(f"{m}: W needs nonzero orthogonal columns for a diagonal expert")
        mu = (x_m - self.b[m]) @ self.W[m] / square
        return mu, np.broadcast_to(2 * math.log(self.sigma[m]) - np.log(square), mu.shape)

    def expected_log_lik(self, mu, log_var, x_m, m):
        """Compute E_q log p(x_m | z), q = N(mu, diag var), (N,).  mu, log_var (N, D).  [S5.10]"""
        spread = np.exp(log_var) @ (self.W[m] ** 2).sum(axis=0)  # trace of W diag(var) W'
        return self.log_lik(mu, x_m, m) - 0.5 * spread / self.sigma[m] ** 2

    def elbo(self, mu, log_var, x, subset=None):
        """Compute E_q log p(x_subset | z) - KL(q || N(0, I)), q = N(mu, diag var), (N,).  [S6.3]"""
        kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)
        return -kl + sum(
            self.expected_log_lik(mu, log_var, x[m], m) for m in self._names(x, subset)
        )

    def best_diagonal(self, x, subset=None):
        """Compute the diagonal Gaussian (mu, log_var), (N, D) each, with the highest ELBO.

        Its mean is the posterior's, its precision the diagonal of the posterior's precision L; its
        gap log p - elbo = (sum_d log L_dd - log det L) / 2 is 0 for orthogonal columns.
        """
        mean, cov = self.posterior(x, subset)
        return mean, np.broadcast_to(-np.log(np.diag(np.linalg.inv(cov))), mean.shape)

    def _names(self, x, subset):
        names = list(x if subset is None else subset)
        if len(set(names)) < len(names) or not set(names) <= set(self.W):
            raise ValueError(f"subset {names}: expected distinct names out of {list(self.W)}")
        return names


check_calls(globals())
