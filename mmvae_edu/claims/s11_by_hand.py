"""Claims about slide 11 by hand: MMVAE's bound, its gradient's terms, and crossing over."""

import math

import numpy as np

from ..gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from ..models.one_function.mmvae import cross_generate, mmvae_bound
from ..networks import mlp
from ..objectives import mixture_iwae
from .by_hand_instances import affine, experts, network, random_data, two_layers
from .gaussian_instances import encoders_of, exact_bound, sigma_points
from .instances import flat, log_mean, log_normal_sum, noise_grid, repeated
from .registry import T0, T1, claim, terms

FEATURES = {"a": 2, "b": 4, "c": 3}


# ---- S11.4 by hand ----------------------------------------------------------------------------


@claim("S11.4", of=mmvae_bound, tol=T0, oracle="plain sums")
def by_hand_every_expert_is_decoded_by_all(f, rng):
    """The bound is the mean over m of log (1/K) Σ_k p(z_m^k, x_1:M) / q_Φ(z_m^k), one example
    at a time.
    """
    w, x = two_layers(rng, FEATURES, 2), random_data(rng, FEATURES, 4)
    (mu, log_var), eps = experts(w, x), rng.standard_normal((3, 5, 4, 2))
    rhs = np.zeros((4, 3))
    for n, m in np.ndindex(rhs.shape):
        z = mu[m, n] + np.exp(log_var[m, n] / 2) * eps[m, :, n]
        log_q = log_mean(np.array([log_normal_sum(z, mu[j, n], log_var[j, n]) for j in range(3)]))
        score = sum(log_normal_sum(x[j][n], network(w[j]["decoder"], z), np.zeros(1)) for j in x)
        rhs[n, m] = log_mean(score + log_normal_sum(z, 0, np.zeros(2)) - log_q)
    return f(w, x=x, eps=eps)[0], np.array([math.fsum(row) / 3 for row in rhs])


@claim("S11.4", of=mmvae_bound, tol=T0, oracle="O3 linear-Gaussian")
def by_hand_equal_experts_can_be_exact(f, rng):
    """Where every expert is the exact joint posterior, the bound is log p(x_1:M) for any noise."""
    w, twin, x = affine(rng, {"a": 3, "b": 2}, 2, N=1)
    mean, cov = twin.posterior(x)
    for networks in w.values():
        networks["encoder"]["W0"] = 0 * networks["encoder"]["W0"]
        networks["encoder"]["b0"] = np.concatenate([mean[0], np.log(np.diag(cov))])
    return f(w, x=x, eps=rng.standard_normal((2, 3, 1, 2)))[0], twin.log_prob(x)


@claim("S11.4", "S12.3", of=mmvae_bound, tol=T1, oracle="O4 Frullani")
def by_hand_the_mixture_bound_is_exact_on_average(f, rng):
    """Value and encoder gradients, integrated over the noise of K = 2, are the exact L^MoE_2's."""
    w, twin, x = affine(rng, {"a": 1, "b": 2}, 1, exact="posterior", scale=0.2, N=1)
    for networks in w.values():
        networks["encoder"]["b0"] = networks["encoder"]["b0"] + rng.uniform(-0.2, 0.2, 2)
    mu, log_var = (parameter[:, 0, 0] for parameter in experts(w, x))
    eps, chance = noise_grid(2, nodes=41)  # two experts see it, each has a logarithm of its own
    noise = np.broadcast_to(eps[None, ..., None], (2, *eps.shape, 1))
    bound, pullback = f(w, x=repeated(x, len(chance)), eps=noise)
    found = np.append(encoders_of(pullback(chance)), chance @ bound)
    return found, exact_bound(twin, x, mu, log_var)


@claim("S11.4", of=mmvae_bound, tol=T0, oracle="the same with the modalities in another order")
def permuting_modalities_permutes_gradients(f, rng):
    """The mixture has no first expert: in any order of the modalities the bound is the same, and
    each network gets the same gradient."""
    w, _, x = affine(rng, {"a": 1, "b": 3, "c": 2}, 1, N=4)
    eps, dbound = rng.standard_normal((3, 2, 4, 1)), rng.standard_normal(4)
    results = []
    for order in [0, 1, 2], [2, 0, 1]:
        names = [list(x)[m] for m in order]
        reordered = {m: w[m] for m in names}
        bound, pullback = f(reordered, x={m: x[m] for m in names}, eps=eps[order])
        results.append(np.concatenate([bound, flat(pullback(dbound))]))
    return tuple(results)


@terms(mmvae_bound)
def mmvae_terms(w, *, x, eps):
    """Split the gradient of S11.4 by its six paths; its value is not split."""
    M, names = len(x), list(x)
    heads, encoder_pullbacks = zip(
        *(mlp(w[m]["encoder"], x[m], activation="tanh") for m in names), strict=True
    )
    mu, log_var = np.split(np.stack(heads), 2, axis=-1)
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    log_pz, prior_pullback = standard_normal_log_prob(z)
    densities, density_pullback = gaussian_log_prob(z, mu[:, None, None], log_var[:, None, None])
    log_q = np.logaddexp.reduce(densities) - np.log(M)  # (j, m, K, N) → (m, K, N)
    share = np.exp(densities - log_q) / M
    decoded = [mlp(w[m]["decoder"], z, activation="tanh") for m in names]
    scores = [
        gaussian_log_prob(x[m], x_hat, np.zeros(x_hat.shape[-1]))
        for m, (x_hat, _) in zip(names, decoded, strict=True)
    ]
    log_w = sum(score for score, _ in scores) + log_pz - log_q
    _, reduce_pullback = mixture_iwae(log_w)

    def encoders(dmu, dlog_var):
        dheads = np.concatenate([dmu, dlog_var], axis=-1)
        pulled = zip(encoder_pullbacks, dheads, strict=True)
        return {m: pull(d)[0] for m, (pull, d) in zip(names, pulled, strict=True)}

    def nested(dencoders, ddecoders):
        """Nest two trees of weights; where one is None, zeros stand in its place."""
        parts = {"encoder": dencoders, "decoder": ddecoders}
        return {
            m: {
                part: d[m] if d else {k: np.zeros_like(v) for k, v in w[m][part].items()}
                for part, d in parts.items()
            }
            for m in names
        }

    def mmvae_terms_pullback(dbound):
        dlog_w = reduce_pullback(dbound)
        dx_hat = [pull(dlog_w)[1] for _, pull in scores]
        ddecoders, dz = zip(
            *(pull(d) for (_, pull), d in zip(decoded, dx_hat, strict=True)), strict=True
        )
        ddensities = -share * dlog_w
        own = np.eye(M, dtype=bool)[:, :, None, None]
        at_own = density_pullback(np.where(own, ddensities, 0))
        at_others = density_pullback(np.where(own, 0, ddensities))
        paths = {
            "z_m → decoders": sample_pullback(sum(dz)),
            "z_m → prior": sample_pullback(prior_pullback(dlog_w)),
            "z_m → log q_Φ": sample_pullback(at_own[0] + at_others[0]),
            "q_m's density at its own samples": [d[:, 0, 0] for d in at_own[1:]],
            "q_m's density at the others' samples": [d[:, 0, 0] for d in at_others[1:]],
        }
        gradients = {name: nested(encoders(*d), None) for name, d in paths.items()}
        decoders = dict(zip(names, ddecoders, strict=True))
        return gradients | {"decoders' weights": nested(None, decoders)}

    return {}, mmvae_terms_pullback


WAY = {"source": "c", "target": "b"}


@claim("S10.c", "S11.3", of=cross_generate, tol=T0, oracle="O3 linear-Gaussian")
def crossing_over_averages_to_the_conditional_mean(f, rng):
    """With exact experts the mean over z ~ q(z|x_m) is E[x_n|x_m] of the joint Gaussian."""
    w, twin, x = affine(rng, FEATURES, 2, N=5, exact="posterior")
    W, V = twin.W["b"], twin.W["c"]
    regression = W @ V.T @ np.linalg.inv(V @ V.T + np.eye(3))  # Cov(x_b, x_c) Var(x_c)^-1
    made = f(w, x["c"], **WAY, eps=sigma_points(1, 5, 2)[0])
    return made.mean(axis=0), twin.b["b"] + (x["c"] - twin.b["c"]) @ regression.T


@claim("S10.c", of=cross_generate, tol=T0, oracle="the formula, written out")
def crossing_over_uses_encoder_m_and_decoder_n(f, rng):
    """The sample is decoder n of encoder m's z, with a hidden tanh layer in both networks."""
    w, x = two_layers(rng, FEATURES, 2), random_data(rng, FEATURES, 5)
    eps = rng.standard_normal((3, 5, 2))
    return f(w, x["c"], **WAY, eps=eps), _made(w, x["c"], **WAY, eps=eps)


def _made(w, x, *, source, target, eps):
    mu, log_var = np.split(network(w[source]["encoder"], x), 2, axis=-1)
    return network(w[target]["decoder"], mu + np.exp(0.5 * log_var) * eps)
