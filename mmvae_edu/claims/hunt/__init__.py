"""The bug hunt: what grades the checks and the fixes of twelve files, one module a file."""

from . import (
    conditional,
    counts,
    evaluation,
    expert,
    logged,
    missing,
    mixture,
    objective,
    product,
    sampler,
    triple,
    weighted,
)

__all__ = [
    "conditional",
    "counts",
    "evaluation",
    "expert",
    "logged",
    "missing",
    "mixture",
    "objective",
    "product",
    "sampler",
    "triple",
    "weighted",
]
