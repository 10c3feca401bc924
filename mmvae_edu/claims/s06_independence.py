"""Claims about slide 6: modalities that are independent given z."""

import numpy as np

from ..slides.s06_weighted_elbo import log_joint_subset
from .instances import all_masks, discrete_model, log_liks, per_mask, random_symbols
from .registry import T0, claim

# S6.2: p(x_1, .., x_n, z) = p(z) p(x_1|z) .. p(x_n|z)


@claim("S6.2", of=log_joint_subset, tol=T0, oracle="O1 enumeration")
def dropping_a_factor_is_marginalising(f, rng):
    """Summing the joint over a missing modality's values drops its factor, for all 2^M masks."""
    model = discrete_model(rng)
    table = np.exp(model.log_prior)[:, None, None, None]
    log_px_z = np.empty((3, 5, 2, 3, 4))
    for m, log_lik in enumerate(model.log_lik):
        log_px_z[m] = np.expand_dims(log_lik, [a + 1 for a in range(3) if a != m])
        table = table * np.exp(log_px_z[m])
    flat, lhs, rhs = log_px_z.reshape(3, 5, -1), [], []
    log_pz = np.broadcast_to(model.log_prior[:, None], flat.shape[1:])
    for kept in all_masks(3).T:
        missing = tuple(np.flatnonzero(~kept) + 1)
        marginal = np.broadcast_to(table.sum(axis=missing, keepdims=True), table.shape)
        mask = np.broadcast_to(kept[:, None], (3, flat.shape[2]))
        lhs.append(f(log_pz, flat, mask=mask)[0])
        rhs.append(np.log(marginal).reshape(5, -1))
    return np.array(lhs), np.array(rhs)


@claim("S6.2", of=log_joint_subset, tol=T0, oracle="O1 enumeration")
def what_stands_under_a_mask_does_not_matter(f, rng):
    """A missing modality's likelihood may be NaN: its factor is dropped, not multiplied by 0."""
    model = discrete_model(rng)
    x, masks = random_symbols(model, rng), all_masks(3)
    log_px_z = per_mask(log_liks(model, x), masks)
    log_px_z[~masks[:, None].repeat(5, axis=1)] = np.nan
    log_joint, _ = f(per_mask(model.log_prior, masks), log_px_z, mask=masks)
    return log_joint, np.array([model.log_joint(x, subset) for subset in masks.T]).T
