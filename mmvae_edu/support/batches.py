"""Batches: data that are checked once, and on which a model then relies."""

from dataclasses import dataclass, field

import numpy as np

from ..kernels.arrays import check, check_plain
from .checks import real_numbers
from .devices import like, to_host


@dataclass(frozen=True)
class Batch:
    """Observed values and which of them are present, for the M modalities that appear at all.

    x         dict name → (N, P), in the model's order; 0 where missing
    present   (M, N) bool, always a NumPy array: the host decides which terms to compute
    index     the modalities' positions in the model's order
    """

    x: dict
    present: np.ndarray
    index: list
    copies: dict = field(default_factory=dict, repr=False, compare=False)  # of `on_device`

    @property
    def size(self):
        return self.present.shape[1]

    def on_device(self, array):
        """Copy a small array of the host to the device of x, once for each batch.

        The second use of a batch copies nothing, as the recording of a CUDA graph requires.
        """
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self.copies:
            self.copies[key] = like(array, next(iter(self.x.values())))
        return self.copies[key]

    @property
    def mask(self):
        """Return `present`, or None if nothing is missing."""
        return None if self.present.all() else self.present

    def arrays(self):
        """List all arrays of the data, those that stand under the mask too."""
        return [*self.x.values(), self.present]

    def present_in(self, modalities):
        """Return `present` with a row for every modality of the model, absent ones False."""
        present = np.zeros((len(modalities), self.size), dtype=bool)
        present[self.index] = self.present
        return present

    def take(self, rows):
        """Select these rows (an index array on the host) as a batch."""
        on_device = like(rows, next(iter(self.x.values())))
        x = {name: values[on_device] for name, values in self.x.items()}
        return Batch(x, self.present[:, rows], self.index)


@dataclass(frozen=True)
class Paired:
    """Data whose examples share rows: example n has row rows[name][n] of x[name], (n_name, P).

    An image that stands in thirty pairs is stored once.  No modality is missing anywhere.
    """

    x: dict
    rows: dict  # name → (n,) int, of one length

    mask = None

    @property
    def size(self):
        return len(next(iter(self.rows.values())))

    def arrays(self):
        """List all arrays of checked data."""
        return [*self.rows.values(), *(a for part in self.x.values() for a in part.arrays())]

    def take(self, chosen):
        """Select these examples as a Batch; self.x holds checked Batches of single modalities."""
        parts = [part.take(self.rows[name][chosen]) for name, part in self.x.items()]
        return Batch(
            {name: values for part in parts for name, values in part.x.items()},
            np.concatenate([part.present for part in parts]),
            [m for part in parts for m in part.index],
        )


def _check_paired(modalities, data, theta):
    if data.x.keys() != data.rows.keys() or len({len(rows) for rows in data.rows.values()}) != 1:
        raise ValueError("Paired: expected rows of one length for each modality of x")
    names = _names(modalities, data.x)
    parts = {name: check_batch(modalities, {name: data.x[name]}, None, theta) for name in names}
    rows = {name: real_numbers(f"rows[{name!r}]", data.rows[name], "iu") for name in names}
    for name, part in parts.items():
        if not len(rows[name]) or rows[name].min() < 0 or rows[name].max() >= part.size:
            raise ValueError(f"Paired: rows[{name!r}]: expected indices below {part.size}")
    return Paired(parts, rows)


def check_batch(modalities, x, mask, theta):
    """Check data; returns a Batch in theta's dtype and on its device, or raises a ValueError.

    modalities: dict name → likelihood, in the model's order; x: dict name → (N, P), an absent
    modality is an absent key; mask (M, N) bool over all M modalities of the model, True = present.
    Values under False may be anything, NaN included.  A Batch is returned as it is; a Paired
    becomes one of checked Batches.
    """
    check("theta", theta, "fc")
    if isinstance(x, Batch | Paired):
        if mask is not None:
            raise ValueError(f"mask: a {type(x).__name__} has none beside it")
        return x if isinstance(x, Batch) else _check_paired(modalities, x, theta)
    names = _names(modalities, x)
    arrays = {name: real_numbers(f"x[{name!r}]", x[name], "biuf") for name in names}
    N = _rows(modalities, arrays)
    present = _present(modalities, names, mask, N)
    dtype = theta.real.dtype
    for m, name in enumerate(names):
        values = arrays[name]
        if not present[m].all():
            keep = like(present[m], values)[:, None]
            values = np.where(keep, values, 0)
        with np.errstate(over="ignore"):  # values that are too large become inf, and are refused
            values = values.astype(dtype, copy=False)
        arrays[name] = like(values, theta)
        _check_values(name, modalities[name], values, to_host(present[m]))
    return Batch(arrays, present, [list(modalities).index(name) for name in names])


def _names(modalities, x):
    if not isinstance(x, dict):
        raise ValueError(f"x: expected a dict of name → array, found {type(x).__name__}")
    for name in x:
        if name not in modalities:
            raise ValueError(f"x: unknown modality {name!r}; this model has {list(modalities)}")
    names = [name for name in modalities if name in x]
    if not names:
        raise ValueError(f"x: expected at least one of {list(modalities)}, found none")
    return names


def _rows(modalities, arrays):
    first, shape = next((name, values.shape) for name, values in arrays.items())
    N = shape[0] if shape else 1
    for name, values in arrays.items():
        likelihood = modalities[name]
        if values.shape != (N, likelihood.features):
            expected = f"({'N' if name == first else N}, {likelihood.features})"
            rows = "" if name == first else f" (N as in {first!r})"
            codes = likelihood.one_hot and values.shape[:1] == (values.size,)
            mend = f"; one-hot rows are np.eye({likelihood.features})[labels], labels (N,) int"
            raise ValueError(
                f"x[{name!r}]: expected shape {expected}{rows}, found {values.shape}{mend * codes}"
            )
    if N == 0:
        raise ValueError("x: expected at least one example, found an empty batch")
    return N


def _present(modalities, names, mask, N):
    rows = [list(modalities).index(name) for name in names]
    if mask is None:
        return np.ones((len(names), N), dtype=bool)
    if isinstance(mask, dict):
        raise ValueError(
            f"mask: expected bool of shape (M, N), a row for each of {list(modalities)}, "
            "found a dict"
        )
    check_plain("mask", mask)
    mask = to_host(mask)
    if mask.dtype != bool or mask.shape != (len(modalities), N):
        raise ValueError(
            f"mask: expected bool of shape {(len(modalities), N)} (M, N), "
            f"found {mask.dtype} of shape {mask.shape}"
        )
    for m, name in enumerate(modalities):
        if name not in names and mask[m].any():
            raise ValueError(f"mask: row {m} says that {name!r} is present, but x has no such key")
    empty = np.flatnonzero(~mask.any(axis=0))
    if len(empty):
        raise ValueError(
            f"mask: example {empty[0]} has no modality at all; every example needs one"
        )
    return mask[rows]


def _check_values(name, likelihood, values, present):
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~to_host(finite))[0].tolist()
        raise ValueError(
            f"x[{name!r}]: expected finite {values.dtype} values, found {values[row, column]} "
            f"at example {row}, feature {column}; mark missing values in mask"
        )
    problem = likelihood.problem(values[like(present, values)])
    if problem:
        expected, found = problem
        raise ValueError(f"x[{name!r}]: expected {expected}, found {found}")
