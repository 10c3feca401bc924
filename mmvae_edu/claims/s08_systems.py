"""Claims about slide 8's systems: by how much their objectives miss what they bound."""

import math

import numpy as np

from ..oracles import LinearGaussian
from ..slides.s08_systems import (
    bivcca_bound,
    exact_examples,
    jmvae_bound,
    single_modality_gaps,
)
from .gaussian_instances import FEATURES, sigma_points
from .instances import discrete_model, log_liks, log_normal_sum, occupied_states, random_symbols
from .registry import T0, T1, claim


@claim("S8.T2", of=bivcca_bound, tol=T0, oracle="O1 enumeration")
def bivcca_misses_the_evidence_by_each_encoders_kl(f, rng):
    """BiVCCA's bound is log p(x_1..M) − Σ_m μ_m KL(q(z|x_m) ‖ p(z|x_1..M)), for any encoders."""
    model, share = discrete_model(rng), rng.dirichlet(np.ones(3))
    x = [random_symbols(model, rng) for _ in range(4)]
    drawn = [occupied_states(rng, 5, 9) for _ in share]
    states, q = (np.array(part) for part in zip(*drawn, strict=True))
    log_px_z = np.array([[log_liks(model, row)[:, of] for of in states] for row in x])
    log_ratio = model.log_prior[states] - np.log(np.take_along_axis(q, states, axis=1))
    log_ratio = np.repeat(log_ratio[..., None], len(x), axis=-1)
    bound, _ = f(np.moveaxis(log_px_z, 0, -1), log_ratio, share=share)
    rhs = []
    for row in x:
        kl = [math.fsum(own * np.log(own / model.posterior(row))) for own in q]
        rhs.append(model.log_evidence(row) - share @ kl)
    return bound, np.array(rhs)


@claim("S8.T2", of=jmvae_bound, tol=T0, oracle="quadratic integrands by sigma points")
def jmvae_pays_for_every_encoder(f, rng):
    """JMVAE's bound is the joint encoder's ELBO less α times the sum over m of
    E log q(z|x_1..M) / q(z|x_m) under q(z|x_1..M)."""
    elbo, alpha = rng.normal(-5, 2, size=4), rng.uniform(0.3, 0.8)
    mean, joint_log_var = rng.normal(size=(2, 4, 2))
    mu, log_var = rng.normal(size=(2, 3, 4, 2))
    z = mean + np.exp(joint_log_var / 2) * sigma_points(1, 4, 2)[0]
    log_q = [log_normal_sum(z, *own) for own in zip(mu, log_var, strict=True)]
    kl = [(log_normal_sum(z, mean, joint_log_var) - own).mean(axis=0) for own in log_q]
    bounds = [f(elbo, mean, joint_log_var, mu, log_var, **a)[0] for a in ({"alpha": alpha}, {})]
    return np.array(bounds), elbo - np.array([[alpha], [0.1]]) * sum(kl)


@claim("S8.T2", of=jmvae_bound, tol=T0, oracle="equal distributions")
def jmvae_pays_nothing_where_all_posteriors_agree(f, rng):
    """If every q(z|x_m) is q(z|x_1..M), JMVAE's bound is the ELBO, whatever α."""
    elbo, (mean, log_var) = rng.normal(size=4), rng.normal(size=(2, 4, 2))
    experts = (np.repeat(part[None], 3, axis=0) for part in (mean, log_var))
    return f(elbo, mean, log_var, *experts, alpha=0.7)[0], elbo


def _linear_gaussian(rng):
    """Draw a model with diagonal posteriors, its precisions (M, D), and x (2P rows) whose mean and
    covariance are the model's, so that averages of quadratic functions are exact."""
    model = LinearGaussian.random(rng, 2, FEATURES)
    precision = np.array([(W**2).sum(axis=0) / model.sigma[m] ** 2 for m, W in model.W.items()])
    W, b = (np.concatenate([part[m] for m in FEATURES]) for part in (model.W, model.b))
    noise = np.concatenate([np.full(P, model.sigma[m] ** 2) for m, P in FEATURES.items()])
    rows = exact_examples(b, W @ W.T + np.diag(noise))
    ends = np.cumsum([*FEATURES.values()])[:-1]
    return model, precision, dict(zip(FEATURES, np.split(rows, ends, axis=1), strict=True))


def _mean_kl(mean1, cov1, mean2, cov2):
    """Average KL(N(mean1, cov1) ‖ N(mean2, cov2)) over the rows of the means."""
    inverse, off = np.linalg.inv(cov2), mean1 - mean2
    distance = np.einsum("nd,de,ne->n", off, inverse, off).mean()
    log_det = np.linalg.slogdet(cov2)[1] - np.linalg.slogdet(cov1)[1]
    return 0.5 * (np.trace(inverse @ cov1) - len(cov1) + log_det + distance)


@claim("S8.T2", of=single_modality_gaps, tol=T1, oracle="O3 linear-Gaussian")
def bivccas_best_encoder_has_the_variance_of_all(f, rng):
    """BiVCCA's gap is reached by the mean of p(z|x_m) with the variance of p(z|x_1..M)."""
    model, precision, x = _linear_gaussian(rng)
    mean, cov = model.posterior(x)
    rhs = [_mean_kl(model.posterior(x, [m])[0], cov, mean, cov) for m in x]
    return f(precision)[0], np.array(rhs)


@claim("S8.T2", of=single_modality_gaps, tol=T1, oracle="O3 linear-Gaussian")
def jmvaes_best_encoder_is_the_posterior_of_one(f, rng):
    """JMVAE's gap is I(z; the others | x_m), which q(z|x_m) = p(z|x_m) leaves: the log determinant
    of their covariance given x_m, less that given z, over 2."""
    model, precision, x = _linear_gaussian(rng)
    mean, cov = model.posterior(x)
    rhs = []
    for m in x:
        of_one, cov_of_one = model.posterior(x, [m])
        rest = [other for other in x if other != m]
        W = np.concatenate([model.W[other] / model.sigma[other] for other in rest])
        information = 0.5 * np.linalg.slogdet(np.eye(len(W)) + W @ cov_of_one @ W.T)[1]
        rhs.append([information, _mean_kl(mean, cov, of_one, cov_of_one)])
    return np.repeat(f(precision)[1][:, None], 2, axis=1), np.array(rhs)


@claim("S8.T2", of=single_modality_gaps, tol=T1, oracle="O3 linear-Gaussian")
def no_other_gaussian_is_nearer(f, rng):
    """A q(z|x_m) with another mean or another variance leaves more than either gap."""
    model, precision, x = _linear_gaussian(rng)
    mean, cov = model.posterior(x)
    least, more = np.stack(f(precision)), []
    for m in x:
        of_one, cov_of_one = model.posterior(x, [m])
        other = of_one * rng.uniform(0.8, 1.2) + 0.1 * rng.normal(size=2)
        widths = rng.uniform(0.8, 1.25, size=2)
        more.append([_mean_kl(other, cov * widths, mean, cov),
                     _mean_kl(mean, cov, other, cov_of_one * widths)])  # fmt: skip
    excess = np.array(more).T - least
    return np.append(np.minimum(excess, 0), excess.min() > 0), np.append(0 * excess, 1)
