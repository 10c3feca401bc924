"""Quadrature in one latent dimension, where the trapezoidal rule is exact to rounding error.

For a function analytic in the strip |Im z| < a and vanishing at both ends, the trapezoidal rule
with step h errs by about exp(-2 pi a / h): a few hundred nodes reach rounding error.
Source: Trefethen and Weideman, The exponentially convergent trapezoidal rule, SIAM Review 2014.
"""

import math

import numpy as np

from ..kernels.arrays import check_calls

REACH = 10.0  # standard deviations to each side: a mass of 1.5e-23 stays outside


def integrate(f, lo, hi, nodes=4001):
    """Integrate f over [lo, hi], at whose ends f vanishes; f takes an array."""
    z, step = np.linspace(lo, hi, nodes, retstep=True)
    return f(z).sum() * step


def log_integrate(log_f, lo, hi, nodes=4001):
    """Compute log of the integral of exp(log_f) over [lo, hi]; log_f may be complex."""
    z, step = np.linspace(lo, hi, nodes, retstep=True)
    a = log_f(z)
    top = a.real.max()
    return top + np.log(np.exp(a - top).sum() * step)


def log_normal(z, mu, log_var):
    """Compute log N(z; mu, var) of one dimension, elementwise, in nats."""
    return -0.5 * (math.log(2 * math.pi) + log_var + (z - mu) ** 2 * np.exp(-log_var))


def gaussian_grid(mu, log_var, nodes=2001):
    """Compute nodes z and weights N(z; mu, var) dz, (nodes,) each; the weights sum to 1.

    The nodes are real and do not move when mu or log_var takes a complex step: z is integrated
    over, and only the weights depend on the parameters.
    """
    mid, sd = np.real(mu), math.exp(np.real(log_var) / 2)
    z, step = np.linspace(mid - REACH * sd, mid + REACH * sd, nodes, retstep=True)
    return z, np.exp(log_normal(z, mu, log_var)) * step


def expect_gaussian(f, mu, log_var, nodes=2001):
    """Compute E f(z) under N(mu, var); f takes an array (nodes,)."""
    z, weight = gaussian_grid(mu, log_var, nodes)
    return (weight * f(z)).sum()


def complex_step(f, theta, step=1e-30):
    """Compute the gradient of a real-analytic scalar f at theta, of its shape, to rounding error.

        df/dtheta_i = Im f(theta + i h e_i) / h, with nothing subtracted

    f must be free of abs, max and comparisons of its argument.
    Source: Squire and Trapp, Using complex variables to estimate derivatives, SIAM Review 1998.
    """
    theta = np.asarray(theta, dtype=complex)
    grad = np.empty(theta.shape)
    for i in np.ndindex(theta.shape):
        shifted = theta.copy()
        shifted[i] += 1j * step
        grad[i] = np.imag(f(shifted)) / step
    return grad


class NonlinearModel:
    """z ~ N(0, 1), x_p | z ~ Binomial(n, sigmoid(l_p)), l = tanh(z w + a) W + b.

    w, a (H,), W (H, P), b (P,), real or complex (for `complex_step`); n = 1 is Bernoulli.
    An observation x (P,) holds counts 0..n; `mask` (P,) bool, True = present, makes modalities
    out of groups of features.  All values in nats.
    """

    def __init__(self, w, a, W, b, n=1):
        self.w, self.a, self.W, self.b, self.n = w, a, W, b, n

    @classmethod
    def random(cls, rng, H, P, n=1):
        """Draw a model whose H hidden units saturate at different z: its posteriors are skewed."""
        w, a = rng.normal(0, 1, H), rng.normal(0, 1, H)
        return cls(w, a, rng.normal(0, 1, (H, P)), rng.normal(0, 0.5, P), n)

    def logits(self, z):
        """Compute the natural parameters for z (...): (..., P)."""
        return np.tanh(np.asarray(z)[..., None] * self.w + self.a) @ self.W + self.b

    def log_joint(self, z, x, mask=None):
        """Compute log p(x_present, z), of z's shape."""
        return log_normal(z, 0.0, 0.0) + self.log_lik(z, x, mask)

    def log_lik(self, z, x, mask=None):
        """Sum log p(x_p | z) over present features: of z's shape, normalised over counts."""
        x = np.asarray(x)
        present = np.ones(x.shape, bool) if mask is None else np.asarray(mask, bool)
        counts = x[present]
        if not np.isin(counts, np.arange(self.n + 1)).all():
            raise ValueError(f"x: expected counts 0..{self.n}, found {counts}")
        coefficient = math.fsum(math.log(math.comb(self.n, int(c))) for c in counts)
        l = self.logits(z)[..., present]
        sign = np.where(l.real > 0, 1.0, -1.0)
        softplus = np.where(l.real > 0, l, 0) + np.log1p(np.exp(-sign * l))
        return (counts * l - self.n * softplus).sum(axis=-1) + coefficient

    def log_evidence(self, x, mask=None):
        """Compute log p(x_present), the log of the integral of p(x_present, z) dz."""
        return log_integrate(lambda z: self.log_joint(z, x, mask), -20.0, 20.0)

    def posterior(self, x, mask=None):
        """Compute mean and variance of p(z | x_present), by the same integral."""
        log_evidence = self.log_evidence(x, mask)

        def moment(f):
            return integrate(
                lambda z: f(z) * np.exp(self.log_joint(z, x, mask) - log_evidence), -20.0, 20.0
            )

        mean = moment(lambda z: z)
        return mean, moment(lambda z: (z - mean) ** 2)

    def elbo(self, mu, log_var, x, mask=None):
        """Compute E_q[log p(x_present, z) - log q(z)], q = N(mu, var), <= log_evidence.   [S5.7]"""
        return expect_gaussian(
            lambda z: self.log_joint(z, x, mask) - log_normal(z, mu, log_var), mu, log_var
        )

    def elbo_gradient(self, mu, log_var, x, mask=None):
        """Compute (d/dmu, d/dlog_var) of `elbo`, by a complex step through the integral."""
        return tuple(complex_step(lambda q: self.elbo(q[0], q[1], x, mask), [mu, log_var]))


check_calls(globals())
