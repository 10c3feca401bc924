"""The terms of MMVAE's gradient, so that a wrong coefficient of one of them can be named."""

import numpy as np

from ..gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from ..models.one_function.mmvae import mmvae_bound
from ..networks import mlp
from ..objectives import mixture_iwae
from .registry import terms


@terms(mmvae_bound)
def mmvae_terms(w, *, x, eps):
    """The six paths by which the gradient of S11.4 comes; its value is not split."""
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
        """Where one of the two is None, zeros in its place."""
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
