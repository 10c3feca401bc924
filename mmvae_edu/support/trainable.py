"""Checks that a training starts from ordinary numbers, and that they stay finite."""

from operator import itemgetter

import numpy as np

from .batches import Paired
from .devices import to_host

FAR = 30  # a row's root mean square: of standardised data at most 1 row in 900 has a larger one
WORST = 1e5  # nats a feature before training: from there not even 1,500 steps lead back
OUTLIERS = 0.1  # the share of a batch that may be as far or as bad


def require_trainable(model, objective, theta, batch, **arguments):
    """Raise a ValueError unless the first batch is near 0, with a finite and ordinary bound.

    A value x costs (x/scale)²/2 nats of a Normal likelihood, |x|/scale of a Laplace one.  And
    networks turn inputs of size s into log-variances of about s, hence samples of size exp(s/2).
    Standardised data cost up to some 100 nats a feature, where the scale is not small.
    """
    if found := unscaled(model, batch, FAR, OUTLIERS, besides=model.condition):
        raise ValueError(found)
    bound, pullback = objective(theta, batch, **arguments)
    dtheta = pullback(np.full_like(bound, -1 / batch.size))
    features = sum(model.modalities[name].features for name in batch.x)
    bad = np.quantile(to_host(bound), OUTLIERS, method="higher")
    finite = np.isfinite(bound).all() and np.isfinite(dtheta).all()
    if bad < -WORST * features or not finite:
        found = f"is {bad:.3g} nats" if finite else "or its gradient is not finite"
        raise ValueError(
            unscaled(model, batch)
            or f"before the first step the bound {found}: are weights and scales of ordinary size?"
        )


def require_ordinary(model, data, name):
    """Raise a ValueError unless most rows of all data are as near 0 as a first batch must be."""
    if found := unscaled(model, data, FAR, OUTLIERS, besides=model.condition):
        raise ValueError(f"{name}: {found}")


def require_finite(model, state, batch, data, *, parameters):
    """Raise a ValueError unless the bound is finite, and if `parameters` all that Adam changes.

    The cause may be a row of this batch, or one of all data that an earlier batch had.
    """
    changed = {"the bound": state.total}
    if parameters:
        changed |= {"a parameter": state.theta, "the gradient": state.v}
    for name, array in changed.items():
        if np.isfinite(array).all():
            continue
        last, far = state.history[-1:], unscaled(model, batch) or unscaled(model, data, FAR)
        since = "; at step {step} the bound was {bound:.4g} nats".format(**last[0]) if last else ""
        raise ValueError(
            f"{name} became infinite or NaN by step {state.step}{since}; "
            f"{far + '; or ' if far else ''}try a smaller learning_rate"
        )


def unscaled(model, batch, far=FAR / 10, outliers=0, besides=()):
    """Say which modality has values too far from 0 for its likelihood and the networks, or "".

    The size of a row is its root mean square over the features.  More than the share `outliers` of
    the present rows are larger than `far`, in units of the likelihood's scale if that is above 1.
    """
    worst = far, None, far, None
    parts = batch.x.values() if isinstance(batch, Paired) else [batch]
    rows = [row for part in parts for row in zip(part.x.items(), part.present, strict=True)]
    for (name, values), present in rows:
        scale = getattr(model.modalities[name], "initial_scale", None)
        if scale and present.any() and name not in besides:
            squares = np.square(to_host(values)[present], dtype=np.float64)
            size = np.quantile(np.sqrt(squares.mean(axis=-1)), 1 - outliers, method="lower")
            worst = max(worst, (size / max(scale, 1), name, size, scale), key=itemgetter(0))
    _, name, size, scale = worst
    if name is None:
        return ""
    return (
        f"x[{name!r}]: expected values of about 1, as its {type(model.modalities[name]).__name__} "
        f"starts with scale {scale:.3g}, found rows of root mean square {size:.3g}; standardise "
        "each feature: (x − mean) / std over the training data"
    )
