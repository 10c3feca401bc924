"""Stage A3: least squares of what was found on the function's named terms.

A coefficient that is not 1 names a term, though nobody catalogued that mistake.  It is believed
only where nothing is left over: a wrong formula that is no rescaling leaves a residual.
"""

from dataclasses import dataclass

import numpy as np

from ...claims.registry import TERMS
from ..trees import copied, leaves
from .factors import CLOSE, factor, lengths
from .mistakes import GRADIENT, VALUE

LEFT_OVER = 1e-9  # of the whole
CONDITION = 1e6  # of the terms, each scaled to length 1
ROWS = 3  # numbers for every coefficient that they determine


@dataclass(frozen=True)
class Fit:
    """Coefficients by term, on each group of samples of equal shapes, and what is left over."""

    coefficients: dict  # term: one number a group, NaN where the term is 0 throughout it
    sizes: list  # {letter: length} of each group
    residual: float

    def wrong(self):
        """{term: coefficients} of those that are not 1."""
        found = self.coefficients.items()
        return {name: c for name, c in found if np.nanmax(np.abs(c - 1)) > CLOSE}

    def names(self):
        """{term: how to call its factor}, of those that are wrong."""
        named = {}
        for name, c in self.wrong().items():
            there = np.flatnonzero(~np.isnan(c))
            named[name] = factor(c[there], [self.sizes[i] for i in there])
        return named


def regress(exercise, samples, part):
    """A Fit of the samples of VALUE or GRADIENT; None where no coefficients can be trusted."""
    terms = TERMS.get(exercise.of)
    if terms is None or not samples:
        return None
    groups = {}
    for sample in samples:
        groups.setdefault(sample.shapes, []).append(sample)
    fits = [_fit(terms, group, part) for group in groups.values()]
    fits = [fit for fit in fits if fit != "too small"]
    if not fits or any(fit is None for fit in fits):
        return None
    names = dict.fromkeys(name for fit in fits for name in fit[0])
    coefficients = {name: np.array([fit[0].get(name, np.nan) for fit in fits]) for name in names}
    sizes = [lengths(exercise.of, inputs) for _, _, inputs in fits]
    return Fit(coefficients, sizes, max(fit[1] for fit in fits))


def _fit(terms, group, part):
    """({term: coefficient}, residual, inputs) of samples of equal shapes; None if one is left
    over, "too small" if they do not determine the coefficients."""
    rows, columns = [], {}
    for sample in group:
        named = _terms_of(terms, sample, part)
        if not named:
            return None
        found = _flat(sample.found.values())
        size = np.linalg.norm(found) or 1.0  # every sample counts the same
        rows.append(found / size)
        for name, tree in named.items():
            columns.setdefault(name, []).append(_flat(leaves(tree)) / size)
    y = np.concatenate(rows)
    columns = {name: np.concatenate(parts) for name, parts in columns.items()}
    columns = {name: column for name, column in columns.items() if column.any()}
    if not columns:
        return "too small"
    X = np.column_stack(list(columns.values()))
    if not np.isfinite(X).all():
        return None
    scale = np.linalg.norm(X, axis=0)
    if not _determined(X) or np.linalg.cond(X / scale) > CONDITION:
        return "too small"
    coefficients = np.linalg.lstsq(X / scale, y, rcond=None)[0] / scale
    left = np.split(np.abs(y - X @ coefficients), np.cumsum([len(row) for row in rows])[:-1])
    residual = max(float(np.linalg.norm(part)) for part in left)
    if residual > LEFT_OVER:
        return None
    named = dict(zip(columns, coefficients, strict=True))
    return named, residual, group[0].inputs


def _determined(X):
    """Has every term enough numbers of its own, beside the terms that share them?"""
    there = X != 0
    return all(
        there[:, i].sum() >= ROWS * there[there[:, i]].any(axis=0).sum() for i in range(X.shape[1])
    )


def _terms_of(terms, sample, part):
    values, pullback = terms(*copied(sample.args), **copied(sample.constants))
    if part == VALUE:
        return values
    return pullback(*copied(sample.cotangents)) if part == GRADIENT and pullback else {}


def _flat(arrays):
    return np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in arrays])


def sentence(fit):
    """The headline: "the term KL: σ² is doubled"; None where no term is wrong."""
    wrong = fit.names()
    if not wrong:
        return None
    if len(wrong) == len(fit.coefficients) > 1 and len(set(wrong.values())) == 1:
        return f"every term is {_changed(next(iter(wrong.values())))}"
    by_change = {}
    for name, change in wrong.items():
        by_change.setdefault(_changed(change), []).append(name)
    parts = []
    for change, names in by_change.items():
        noun = "terms" if len(names) > 1 else "term"
        verb = "are" if len(names) > 1 else "is"
        parts.append(f"the {noun} {_listed(names)} {verb} {change}")
    return "; ".join(parts)


def _listed(names):
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _changed(name):
    words = {"0": "missing", "−1": "of the wrong sign", "2": "doubled", "1/2": "halved"}
    number, here, rest = (name or "").partition(" (")
    if number in words:
        return f"{words[number]}{here}{rest}"
    return f"multiplied by {name or 'a factor that varies'}"


def evidence(fit):
    """The coefficients: "term KL: σ² has coefficient 2.000000, expected 1"."""
    terms = {}
    for name, values in fit.wrong().items():
        numbers = ", ".join(f"{c + 0.0:.6f}" for c in _distinct(values))
        terms.setdefault(numbers, []).append(name)
    parts = [
        f"term {names[0]} has coefficient {numbers}, expected 1"
        if len(names) == 1
        else f"terms {_listed(names)} have coefficient {numbers}, expected 1"
        for numbers, names in terms.items()
    ]
    return f"{'; '.join(parts)} (left over: {fit.residual:.0e})"


def _distinct(values):
    return np.unique(values[~np.isnan(values)].round(6))
