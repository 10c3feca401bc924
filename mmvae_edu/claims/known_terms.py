"""Named terms of short formulas, so that a wrong coefficient has a name."""

import numpy as np

from ..gaussian import gaussian_log_prob, kl_gauss, neg_kl_std_normal
from ..ops import unbroadcast
from ..slides.s06_weighted_elbo import subset_elbo
from .registry import terms


@terms(neg_kl_std_normal)
def l1_terms(mu, log_var):
    """Split S5.11 into its four pieces; the 1 has no gradient."""
    values = {
        "KL: 1": np.full(mu.shape[:-1], 0.5 * mu.shape[-1]),
        "KL: log σ²": 0.5 * log_var.sum(axis=-1),
        "KL: μ²": -0.5 * (mu * mu).sum(axis=-1),
        "KL: σ²": -0.5 * np.exp(log_var).sum(axis=-1),
    }

    def l1_terms_pullback(dneg_kl):
        d = dneg_kl[..., None]
        return {
            "KL: log σ²": (0 * mu, 0.5 * d + 0 * log_var),
            "KL: μ²": (-d * mu, 0 * log_var),
            "KL: σ²": (0 * mu, -0.5 * d * np.exp(log_var)),
        }

    return values, l1_terms_pullback


@terms(gaussian_log_prob)
def gaussian_terms(z, mu, log_var):
    """Split −½ Σ [log 2π + log σ² + (z − μ)²/σ²] into its three pieces."""
    difference, precision = z - mu, np.exp(-log_var) + 0 * z
    distance = difference * difference * precision
    values = {
        "log 2π": np.full(z.shape[:-1], -0.5 * z.shape[-1] * np.log(2 * np.pi)),
        "log σ²": -0.5 * (log_var + 0 * z).sum(axis=-1),
        "(z − μ)²/σ²": -0.5 * distance.sum(axis=-1),
    }

    def gaussian_terms_pullback(dlog_prob):
        d = dlog_prob[..., None] + 0 * z
        dz = -d * difference * precision
        nothing = [np.zeros_like(a) for a in (z, mu, log_var)]
        return {
            "(z − μ)²/σ² → z": (dz, nothing[1], nothing[2]),
            "(z − μ)²/σ² → μ": (nothing[0], unbroadcast(-dz, mu.shape), nothing[2]),
            "(z − μ)²/σ² → σ²": (*nothing[:2], unbroadcast(0.5 * d * distance, log_var.shape)),
            "log σ²": (*nothing[:2], unbroadcast(-0.5 * d, log_var.shape)),
        }

    return values, gaussian_terms_pullback


@terms(kl_gauss)
def kl_terms(mu1, log_var1, mu2, log_var2):
    """Split ½ Σ [r − 1 − log r + (μ1 − μ2)²/var2], r = var1/var2, into its pieces."""
    ratio, difference = np.exp(log_var1 - log_var2), mu1 - mu2
    distance = difference * difference * np.exp(-log_var2)
    values = {
        "var1/var2": 0.5 * ratio.sum(axis=-1),
        "1": np.full(mu1.shape[:-1], -0.5 * mu1.shape[-1]),
        "log var1/var2": 0.5 * (log_var2 - log_var1).sum(axis=-1),
        "(μ1 − μ2)²": 0.5 * distance.sum(axis=-1),
    }

    def kl_terms_pullback(dkl):
        d = dkl[..., None]
        nothing, half = 0 * mu1, 0.5 * d + 0 * mu1
        dmu1 = d * difference * np.exp(-log_var2)
        return {
            "var1/var2": (nothing, half * ratio, nothing, -half * ratio),
            "log var1/var2": (nothing, -half, nothing, half),
            "(μ1 − μ2)² → μ1": (dmu1, nothing, nothing, nothing),
            "(μ1 − μ2)² → μ2": (nothing, nothing, -dmu1, nothing),
            "(μ1 − μ2)² → var2": (nothing, nothing, nothing, -half * distance),
        }

    return values, kl_terms_pullback


@terms(subset_elbo)
def subset_elbo_terms(log_px_z, log_ratio, *, mask, weights, beta=1.0):
    """Split ELBO(X) by modality, and β times the log-ratio whose mean is −KL."""
    K, kept = len(log_ratio), mask[:, None]
    scores = np.where(kept, np.asarray(weights)[:, None, None] * np.where(kept, log_px_z, 0), 0)
    values = {f"λ log p(x|z) of modality {m}": s.mean(axis=0) for m, s in enumerate(scores)}
    values["β KL"] = beta * log_ratio.mean(axis=0)

    def subset_elbo_terms_pullback(dbound):
        share = np.broadcast_to(dbound / K, log_ratio.shape)
        found = {}
        for m, weight in enumerate(np.asarray(weights)):
            d = np.zeros_like(log_px_z)
            d[m] = np.where(mask[m], weight * share, 0)
            found[f"λ log p(x|z) of modality {m}"] = (d, 0 * share)
        return {**found, "β KL": (np.zeros_like(log_px_z), beta * share)}

    return values, subset_elbo_terms_pullback
