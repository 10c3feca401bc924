"""Claims about slide 5 as a whole: the bound of a VAE, and every gradient of it by hand."""

import math

import numpy as np

from ..gaussian import gaussian_sample
from ..likelihoods import binomial_log_prob
from ..models.one_function.vae import mlp, vae_bound
from ..oracles import NonlinearModel
from .instances import noise_grid
from .registry import T0, T1, claim, terms


def _vae(rng, *, N=5, K=3, D=2, P=7):
    """Random weights w of a VAE, counts x (N, P) and noise eps (K, N, D), all sizes distinct."""
    shapes = {"encoder": (P, 6, 2 * D), "decoder": (D, 8, P)}
    w = {}
    for network, (first, hidden, last) in shapes.items():
        w[network] = {
            "W0": rng.normal(size=(first, hidden)),
            "b0": rng.normal(size=hidden),
            "W1": 0.4 * rng.normal(size=(hidden, last)),
            "b1": 0.4 * rng.normal(size=last),
        }
    return w, {"x": rng.integers(0, 17, (N, P)).astype(float), "eps": rng.normal(size=(K, N, D))}


def _network(weights, x):
    return np.tanh(x @ weights["W0"] + weights["b0"]) @ weights["W1"] + weights["b1"]


@claim("S5.10", "S5.13", of=vae_bound, tol=T0, oracle="plain loops")
def vae_bound_by_loops(f, rng):
    """L^v is L1 plus the mean of log p(x|z) over K samples z = μ + σ ε, for every example."""
    w, data = _vae(rng)
    K, N, D = data["eps"].shape
    bound = np.zeros(N)
    for n, x in enumerate(data["x"]):
        heads = _network(w["encoder"], x / 16)
        mu, log_var = heads[:D], heads[D:]
        L1 = [0.5 * (1 + v - m * m - math.exp(v)) for m, v in zip(mu, log_var, strict=True)]
        scores = []
        for eps in data["eps"][:, n]:
            for l, count in zip(
                _network(w["decoder"], mu + np.exp(log_var / 2) * eps), x, strict=True
            ):
                softplus = max(l, 0) + math.log1p(math.exp(-abs(l)))
                scores.append(math.log(math.comb(16, int(count))) + count * l - 16 * softplus)
        bound[n] = math.fsum(L1) + math.fsum(scores) / K
    return f(w, **data)[0], bound


@claim("S5.10", "S5.13", of=vae_bound, tol=T1, oracle="O2 quadrature")
def vae_bound_averages_to_the_elbo(f, rng):
    """Over ε the VAE's bound averages to log p(x) − KL(q ‖ p(z|x)), an integral over z."""
    w, data = _vae(rng, N=1, D=1)
    decoder = w["decoder"]
    model = NonlinearModel(decoder["W0"][0], decoder["b0"], decoder["W1"], decoder["b1"], n=16)
    mu, log_var = _network(w["encoder"], data["x"][0] / 16)
    eps, chance = noise_grid(1, nodes=301)
    x = np.repeat(data["x"], len(chance), axis=0)
    bound, _ = f(w, x=x, eps=eps[:, :, None])
    return chance @ bound, np.array(model.elbo(mu, log_var, data["x"][0].astype(int)))


@claim("S5.10", of=vae_bound, tol=T0, oracle="single examples")
def vae_gradient_of_a_batch(f, rng):
    """The gradient of a batch's mean bound is the mean of its examples' gradients."""
    w, data = _vae(rng)
    N = len(data["x"])
    whole = f(w, **data)[1](np.full(N, 1 / N))
    single = [
        f(w, x=data["x"][n : n + 1], eps=data["eps"][:, n : n + 1])[1](np.ones(1)) for n in range(N)
    ]
    return _flat(whole), np.mean([_flat(dw) for dw in single], axis=0)


def _flat(dw):
    return np.concatenate(
        [dw[network][name].ravel() for network in dw for name in sorted(dw[network])]
    )


# ---- the terms --------------------------------------------------------------------------------


@terms(vae_bound)
def vae_terms(w, *, x, eps):
    """Which part of the bound, by which path, gives which part of the gradient."""
    (K, N, D), P = eps.shape, x.shape[-1]
    heads, encoder_pullback = mlp(w["encoder"], x / 16)
    mu, log_var = heads[:, :D], heads[:, D:]
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    logits, decoder_pullback = mlp(w["decoder"], z.reshape(K * N, D))
    log_px_z, likelihood_pullback = binomial_log_prob(logits.reshape(K, N, P), x=x, n=16)
    values = {
        "log p(x|z)": log_px_z.mean(axis=0),
        "KL: 1": np.full(N, 0.5 * D),
        "KL: μ²": -0.5 * (mu * mu).sum(axis=-1),
        "KL: log σ²": 0.5 * log_var.sum(axis=-1),
        "KL: σ²": -0.5 * np.exp(log_var).sum(axis=-1),
    }

    def vae_terms_pullback(dbound):
        d = dbound[:, None]
        dlogits = likelihood_pullback(np.broadcast_to(dbound / K, (K, N)))
        ddecoder, dz = decoder_pullback(dlogits.reshape(K * N, P))
        dmu, dlog_var = sample_pullback(dz.reshape(K, N, D))
        nothing = {name: np.zeros_like(weight) for name, weight in w["decoder"].items()}
        paths = {
            "reconstruction → μ": (dmu, 0 * log_var),
            "reconstruction → log σ²": (0 * mu, dlog_var),
            "KL: μ²": (-d * mu, 0 * log_var),
            "KL: log σ²": (0 * mu, 0.5 * d + 0 * log_var),
            "KL: σ²": (0 * mu, -0.5 * d * np.exp(log_var)),
        }
        encoders = {
            name: encoder_pullback(np.concatenate(dheads, axis=1))[0]
            for name, dheads in paths.items()
        }
        nowhere = {name: np.zeros_like(weight) for name, weight in w["encoder"].items()}
        return {
            "reconstruction → decoder": {"encoder": nowhere, "decoder": ddecoder},
            **{name: {"encoder": d, "decoder": nothing} for name, d in encoders.items()},
        }

    return values, vae_terms_pullback
