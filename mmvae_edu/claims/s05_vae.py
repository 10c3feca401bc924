"""Claims about slide 5 as a whole: the bound of a VAE, and every gradient of it by hand."""

import math

import numpy as np

from ..gaussian import gaussian_sample, neg_kl_std_normal
from ..gradcheck import check_pullback
from ..likelihoods import binomial_log_prob
from ..models.one_function.vae import mlp, vae_bound
from ..oracles import NonlinearModel
from .instances import noise_grid
from .registry import T0, T1, T2, claim, mutant, terms


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


@claim("S5.10", "S5.13", of=vae_bound, tol=T2, oracle="central differences")
def vae_bound_gradient(f, rng):
    """The VAE's pullback is the derivative of its bound in every weight, with ε frozen."""
    w, data = _vae(rng)
    return check_pullback(f, w, **data, rng=rng), 0.0


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
    parts = _forward(w, x, eps)
    mu, log_var, log_px_z = parts["mu"], parts["log_var"], parts["log_px_z"]
    values = {
        "log p(x|z)": log_px_z.mean(axis=0),
        "KL: 1": np.full(len(x), 0.5 * mu.shape[-1]),
        "KL: μ²": -0.5 * (mu * mu).sum(axis=-1),
        "KL: log σ²": 0.5 * log_var.sum(axis=-1),
        "KL: σ²": -0.5 * np.exp(log_var).sum(axis=-1),
    }

    def vae_terms_pullback(dbound):
        d = dbound[:, None]
        ddecoder, dmu, dlog_var = parts["reconstruction_pullback"](dbound)
        nothing = {name: np.zeros_like(weight) for name, weight in w["decoder"].items()}
        heads = {
            "reconstruction → μ": (dmu, 0 * log_var),
            "reconstruction → log σ²": (0 * mu, dlog_var),
            "KL: μ²": (-d * mu, 0 * log_var),
            "KL: log σ²": (0 * mu, 0.5 * d + 0 * log_var),
            "KL: σ²": (0 * mu, -0.5 * d * np.exp(log_var)),
        }
        encoders = {
            name: parts["encoder_pullback"](np.concatenate(dheads, axis=1))[0]
            for name, dheads in heads.items()
        }
        nowhere = {name: np.zeros_like(weight) for name, weight in w["encoder"].items()}
        return {
            "reconstruction → decoder": {"encoder": nowhere, "decoder": ddecoder},
            **{name: {"encoder": d, "decoder": nothing} for name, d in encoders.items()},
        }

    return values, vae_terms_pullback


def _forward(w, x, eps):
    """The bound's parts, with one pullback from the bound to the decoder's weights, mu, log_var."""
    (K, N, D), P = eps.shape, x.shape[-1]
    heads, encoder_pullback = mlp(w["encoder"], x / 16)
    mu, log_var = heads[:, :D], heads[:, D:]
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    logits, decoder_pullback = mlp(w["decoder"], z.reshape(K * N, D))
    log_px_z, likelihood_pullback = binomial_log_prob(logits.reshape(K, N, P), x=x, n=16)

    def reconstruction_pullback(dbound):
        dlogits = likelihood_pullback(np.broadcast_to(dbound / K, (K, N)))
        ddecoder, dz = decoder_pullback(dlogits.reshape(K * N, P))
        return ddecoder, *sample_pullback(dz.reshape(K, N, D))

    return {
        "mu": mu,
        "log_var": log_var,
        "log_px_z": log_px_z,
        "encoder_pullback": encoder_pullback,
        "reconstruction_pullback": reconstruction_pullback,
    }


# ---- the mistakes -----------------------------------------------------------------------------


def _wrong_backward(w, x, eps, *, kl=1.0, path=1.0, sigma_path=1.0, decoder=1.0):
    """`vae_bound` whose way back weighs its parts by these factors."""
    parts = _forward(w, x, eps)
    L1, L1_pullback = neg_kl_std_normal(parts["mu"], parts["log_var"])

    def wrong_pullback(dbound):
        ddecoder, path_dmu, path_dlog_var = parts["reconstruction_pullback"](dbound)
        dmu, dlog_var = L1_pullback(dbound)
        dmu = kl * dmu + path * path_dmu
        dlog_var = kl * dlog_var + path * sigma_path * path_dlog_var
        dencoder, _ = parts["encoder_pullback"](np.concatenate([dmu, dlog_var], axis=1))
        return {
            "encoder": dencoder,
            "decoder": {name: decoder * d for name, d in ddecoder.items()},
        }

    return L1 + parts["log_px_z"].mean(axis=0), wrong_pullback


@mutant(vae_bound, says="L1's gradient overwrites that through z: `=` for `+=` at μ and log σ²")
def vae_path_overwritten(w, *, x, eps):
    return _wrong_backward(w, x, eps, path=0.0)


@mutant(vae_bound, says="the gradient through z overwrites that of L1: `=` for `+=` at μ, log σ²")
def vae_kl_overwritten(w, *, x, eps):
    return _wrong_backward(w, x, eps, kl=0.0)


@mutant(
    vae_bound, says="divided by the batch size twice: all terms × 1/N, which Adam hides", hint=3
)
def vae_divided_by_n_twice(w, *, x, eps):
    share = 1 / len(x)
    return _wrong_backward(w, x, eps, kl=share, path=share, decoder=share)


@mutant(vae_bound, says="the KL misses the batch's 1/N: its gradient is N times too large", hint=3)
def vae_kl_times_n(w, *, x, eps):
    return _wrong_backward(w, x, eps, kl=len(x))


@mutant(vae_bound, says="σ's path is lost: log σ² learns from the KL alone, not from z = μ + σ ε")
def vae_sigma_path_lost(w, *, x, eps):
    return _wrong_backward(w, x, eps, sigma_path=0.0)


@mutant(vae_bound, says="the way back sums over the K samples where S5.13 has their mean", hint=3)
def vae_summed_over_samples(w, *, x, eps):
    K = len(eps)
    return _wrong_backward(w, x, eps, path=K, decoder=K)


@mutant(vae_bound, says="`x /= 16` changes the data in place: the next epoch sees x / 256")
def vae_data_changed_in_place(w, *, x, eps):
    bound, pullback = vae_bound(w, x=x.copy(), eps=eps)
    x /= 16
    return bound, pullback


@mutant(vae_bound, says="the KL is added: L^v subtracts it (S5.10)")
def vae_kl_added(w, *, x, eps):
    bound, _ = vae_bound(w, x=x, eps=eps)
    parts = _forward(w, x, eps)
    L1, _ = neg_kl_std_normal(parts["mu"], parts["log_var"])
    return bound - 2 * L1, _wrong_backward(w, x, eps, kl=-1.0)[1]


@mutant(vae_bound, says="std = exp(log_var): the samples are too wide, and the gradient agrees")
def vae_std_is_exp_log_var(w, *, x, eps):
    D = eps.shape[-1]
    doubled = {**w["encoder"], "W1": w["encoder"]["W1"].copy(), "b1": w["encoder"]["b1"].copy()}
    doubled["W1"][:, D:] *= 2
    doubled["b1"][D:] *= 2
    wide = {"encoder": doubled, "decoder": w["decoder"]}
    parts, right = _forward(wide, x, eps), _forward(w, x, eps)
    L1, L1_pullback = neg_kl_std_normal(right["mu"], right["log_var"])

    def std_is_exp_log_var_pullback(dbound):  # the right gradient of a wrong sample
        ddecoder, path_dmu, path_dlog_var = parts["reconstruction_pullback"](dbound)
        dmu, dlog_var = L1_pullback(dbound)
        dheads = np.concatenate([dmu + path_dmu, dlog_var + 2 * path_dlog_var], axis=1)
        return {"encoder": right["encoder_pullback"](dheads)[0], "decoder": ddecoder}

    return L1 + parts["log_px_z"].mean(axis=0), std_is_exp_log_var_pullback
