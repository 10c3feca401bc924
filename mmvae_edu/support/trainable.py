"""Checks that a training starts from ordinary numbers, and that they stay finite."""

import numpy as np

from .devices import to_host

WORST = 1e5  # nats a feature before training: from there not even 1,500 steps lead back
FAR = 10  # times the scale that a likelihood starts with: few standardised values are as large


def require_trainable(model, objective, theta, batch, **arguments):
    """Raise a ValueError unless the first batch has a finite gradient and an ordinary bound.

    A value x costs (x/scale)²/2 nats, and networks turn values of size s into log-variances of
    about s, hence samples of size exp(s/2).  Standardised data cost up to 100 nats a feature, at
    ten times their size far more than WORST.  A tenth of the batch may cost more: outliers.
    """
    bound, pullback = objective(theta, batch, **arguments)
    dtheta = pullback(np.full_like(bound, -1 / batch.size))
    features = sum(model.modalities[name].features for name in batch.x)
    tenth = np.quantile(to_host(bound), 0.1, method="higher")
    finite = np.isfinite(bound).all() and np.isfinite(dtheta).all()
    if tenth < -WORST * features or not finite:
        found = f"is {tenth:.3g} nats" if finite else "or its gradient is not finite"
        raise ValueError(
            unscaled(model, batch)
            or f"before the first step the bound {found}: are weights and scales of ordinary size?"
        )


def require_finite(model, state, batch, *, parameters):
    """Raise a ValueError unless the bound is finite, and if `parameters` all that Adam changes."""
    changed = {"the bound": state.total}
    if parameters:
        changed |= {"a parameter": state.theta, "the gradient": state.v}
    for name, array in changed.items():
        if np.isfinite(array).all():
            continue
        last, far = state.history[-1:], unscaled(model, batch)
        since = "; at step {step} the bound was {bound:.4g} nats".format(**last[0]) if last else ""
        raise ValueError(
            f"{name} became infinite or NaN by step {state.step}{since}; "
            f"{far + '; or ' if far else ''}try a smaller learning_rate"
        )


def unscaled(model, batch):
    """Say which modality's values are far beyond the scale that its likelihood starts with, if any.

    A scale above 1 counts as 1, because the encoders see the values themselves.
    """
    sizes, ratios = {}, {}
    for name, x in batch.x.items():
        if scale := getattr(model.modalities[name], "initial_scale", None):
            sizes[name] = np.sqrt(np.mean(np.square(to_host(x), dtype=np.float64)))
            ratios[name] = sizes[name] / min(scale, 1)
    worst = max(ratios, key=ratios.get, default=None)
    if worst is None or ratios[worst] < FAR:
        return ""
    likelihood = model.modalities[worst]
    return (
        f"x[{worst!r}]: expected values of about 1, for a {type(likelihood).__name__} that starts "
        f"with scale {likelihood.initial_scale:.3g}, found {sizes[worst]:.3g} (root mean square); "
        "standardise each feature: (x − mean) / std over the training data"
    )
