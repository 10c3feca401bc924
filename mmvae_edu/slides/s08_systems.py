"""Slide 8's systems: BiVCCA's and JMVAE's bounds, and any system at the maximum of its own.

In a linear-Gaussian world affine networks make every average exact: a few examples and a few
samples have the right mean and covariance, and everything is quadratic.
"""

import numpy as np

from ..gaussian import kl_gauss


def bivcca_bound(log_px_z, log_ratio, *, share):
    """Compute BiVCCA's Σ_m μ_m {E_q(z|x_m)[Σ_j log p(x_j|z)] − KL(q(z|x_m) ‖ p)}.    [S8.T2]

    Encoder m draws z_m^k ~ q(z|x_m), and every decoder j must explain it:
    log_px_z (M, J, K, N) is log p(x_j|z_m^k), J = M, and log_ratio (M, K, N) is
    log p(z_m^k) − log q(z_m^k|x_m).  share (M,) is μ, which sums to 1.  Returns (N,), nats; its
    mean is at most log p(x_1..M).
    """
    share = share[:, None, None]
    M, K, N = log_ratio.shape
    log_w = log_px_z.sum(axis=1) + log_ratio

    def bivcca_bound_pullback(dbound):
        dlog_w = np.broadcast_to(share * dbound / K, log_w.shape)
        return np.broadcast_to(dlog_w[:, None], log_px_z.shape), dlog_w

    return (share * log_w).sum(axis=0).mean(axis=0), bivcca_bound_pullback


def jmvae_bound(elbo, mean, joint_log_var, mu, log_var, *, alpha=0.1):
    """Compute JMVAE's ELBO(x_1..M) − α Σ_m KL(q(z|x_1..M) ‖ q(z|x_m)).              [S8.T2]

    elbo (N,) is that of the joint encoder, whose q(z|x_1..M) has mean, joint_log_var (N, D);
    mu, log_var (M, N, D) are those of q(z|x_m).  Returns (N,), nats.
    """
    kl, kl_pullback = kl_gauss(mean, joint_log_var, mu, log_var)

    def jmvae_bound_pullback(dbound):
        dmean, djoint_log_var, dmu, dlog_var = kl_pullback(
            np.broadcast_to(-alpha * dbound, kl.shape)
        )
        return dbound, dmean.sum(axis=0), djoint_log_var.sum(axis=0), dmu, dlog_var

    return elbo - alpha * kl.sum(axis=0), jmvae_bound_pullback


def single_modality_gaps(precision):
    """Compute the least KL of each q(z|x_m) from p(z|x_1..M), in both directions.    [S8.T2]

    precision (M, D): modality m adds precision_md to the posterior of a linear-Gaussian model with
    orthogonal loadings, whose prior has 1.  Returns two arrays (M,) of nats, the averages over
    x_1..M of what the best Gaussian q(z|x_m) leaves:

        BiVCCA   min E KL(q(z|x_m) ‖ p(z|x_1..M)) = ½ Σ_d r_md
        JMVAE    min E KL(p(z|x_1..M) ‖ q(z|x_m)) = ½ Σ_d log(1 + r_md)

    r_md is the precision of the other modalities over that of p(z|x_m).
    """
    precision = np.asarray(precision)
    others = precision.sum(axis=0) - precision
    ratio = others / (1 + precision)
    return 0.5 * ratio.sum(axis=1), 0.5 * np.log1p(ratio).sum(axis=1)


def exact_examples(mean, cov):
    """Return 2P examples whose mean and covariance are these: (P,), (P, P) → (2P, P)."""
    root = np.sqrt(len(mean)) * np.linalg.cholesky(cov).T
    return mean + np.concatenate([root, -root])


def at_its_best(model, x):
    """Maximise the mean bound of a model with affine networks by quasi-Newton steps (BFGS).

    x: dict name → (N, P), as of `exact_examples`.  Returns nested views of the best parameters,
    and the best mean bound.  Source: Nocedal and Wright, Numerical Optimization (2006), 6.1.
    """
    x = {name: x[name] for name in model.modalities}
    N, D = len(next(iter(x.values()))), model.latent
    corners = np.sqrt(D) * np.concatenate([np.eye(D), -np.eye(D)])  # mean 0, covariance I
    eps = np.zeros(model.noise_shape(N, 2 * D)) + corners[:, None]

    def value(theta):
        bound, pullback = model.bound(theta, x, eps=eps)
        return bound.mean(), pullback(np.full(N, 1 / N))

    theta = model.init(np.random.default_rng(0), dtype=np.float64)
    (best, gradient), inverse = value(theta), 0.02 * np.eye(theta.size)
    for _ in range(1000):
        step = inverse @ gradient
        while (found := value(theta + step))[0] < best and abs(step).max() > 1e-12:
            step = step / 2
        change, theta, (best, gradient) = gradient - found[1], theta + step, found
        if (along := step @ change) > 1e-14:
            turn = np.eye(theta.size) - np.outer(step, change) / along
            inverse = turn @ inverse @ turn.T + np.outer(step, step) / along
        if abs(gradient).max() < 1e-6:
            break
    return model.tree.views(theta), best


def affine_log_p(model, w, x, names):
    """Average log p(names) over examples, exactly, of a model with affine decoders, in nats.

    Of a CVAE it is log p(x_1|x_2), the condition's features standing in x.
    """
    decoders, D = [w[name]["decoder"] for name in names], model.latent
    beside = np.concatenate([x[name] for name in model.condition] or [x[names[0]][:, :0]], axis=1)
    means = [beside @ decoder["W0"][D:] + decoder["b0"] for decoder in decoders]
    off = np.concatenate([x[name] - mean for name, mean in zip(names, means, strict=True)], axis=1)
    scales = [model.modalities[name].log_scale(w[name]["likelihood"])[0] for name in names]
    loadings = np.concatenate([decoder["W0"][:D].T for decoder in decoders])
    cov = loadings @ loadings.T + np.diag(np.exp(2 * np.concatenate(scales)))
    distance = np.trace(np.linalg.solve(cov, off.T @ off)) / len(off)
    return -0.5 * (distance + np.linalg.slogdet(2 * np.pi * cov)[1])
