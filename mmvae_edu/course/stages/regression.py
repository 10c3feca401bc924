"""Stage A3: least squares of what was found on the function's named terms.

A coefficient that is not 1 names a term, though nobody catalogued that mistake.  It is believed
only where nothing is left over: a wrong formula that is no rescaling leaves a residual.
"""

from dataclasses import dataclass

import numpy as np

from ...claims.registry import TERMS
from ..comparisons import VALUE
from ..trees import copied, leaves
from .factors import CLOSE, MAYBE, factor, lengths

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
        """Return {term: coefficients} of those that are not 1."""
        found = self.coefficients.items()
        return {name: c for name, c in found if np.nanmax(np.abs(c - 1)) > CLOSE}

    def names(self):
        """Return {term: the name of its factor} of those that are wrong."""
        named = {}
        for name, c in self.wrong().items():
            there = np.flatnonzero(~np.isnan(c))
            named[name] = factor(c[there], [self.sizes[i] for i in there])
        certain = set(named.values())
        shorter = {name: (MAYBE.sub("", said) if said else said) for name, said in named.items()}
        return {n: shorter[n] if shorter[n] in certain else said for n, said in named.items()}


def regress(exercise, samples, part):
    """Return a Fit of the samples of a part; None where no coefficients can be trusted."""
    terms, groups = TERMS.get(exercise.of), {}
    for sample in samples if terms else ():
        groups.setdefault(sample.shapes, []).append(sample)
    fits, sizes, residual = [], [], 0.0
    for group in groups.values():
        coefficients, left_over = _fit(terms, group, part)
        if left_over > LEFT_OVER:
            return None
        residual = max(residual, left_over)
        if coefficients:
            fits.append(coefficients)
            sizes.append(lengths(exercise.of, group[0].inputs))
    if not fits and terms:  # too few numbers of any one shape: then of all, with one factor each
        coefficients, residual = _fit(terms, samples, part)
        if not coefficients or residual > LEFT_OVER:
            return None
        fits, sizes = [coefficients], [{}]
    if not fits:
        return None
    names = dict.fromkeys(name for fit in fits for name in fit)
    coefficients = {name: np.array([fit.get(name, np.nan) for fit in fits]) for name in names}
    return Fit(coefficients, sizes, residual)


def _fit(terms, group, part):
    """Fit samples of equal shapes: ({term: coefficient}, what is left over of the whole).

    There are no coefficients where the samples do not determine them.
    """
    y, columns = [], {}
    for sample in group:
        found = _flat(sample.found.values())
        size = np.linalg.norm(found) or 1.0  # every sample counts the same
        y.append(found / size)
        for name, tree in _terms_of(terms, sample, part).items():
            columns.setdefault(name, []).append(_flat(leaves(tree)) / size)
    if not columns:  # this part is not split
        return {}, np.inf
    columns = {name: np.concatenate(column) for name, column in columns.items()}
    columns = {name: column for name, column in columns.items() if column.any()}
    if not columns:
        return {}, 0.0
    X = np.column_stack(list(columns.values()))
    if not np.isfinite(X).all():
        return {}, np.inf
    scale = np.linalg.norm(X, axis=0)
    if not _determined(X) or np.linalg.cond(X / scale) > CONDITION:
        return {}, 0.0
    found = np.linalg.lstsq(X / scale, np.concatenate(y), rcond=None)[0] / scale
    left_over = np.split(np.concatenate(y) - X @ found, np.cumsum([a.size for a in y])[:-1])
    coefficients = dict(zip(columns, found, strict=True))
    return coefficients, float(max(map(np.linalg.norm, left_over)))


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
    return pullback(*copied(sample.cotangents)) if pullback else {}


def _flat(arrays):
    return np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in arrays])


def sentence(fit):
    """Write the headline: "the term KL: σ² is doubled"; None where no term is wrong."""
    factors = fit.names()
    if not factors:
        return None
    if len(factors) == len(fit.coefficients) > 1 and len(set(factors.values())) == 1:
        return f"every term is {_changed(next(iter(factors.values())))}"
    changes = _grouped({name: _changed(factor) for name, factor in factors.items()})
    parts = [f"the {terms} {'is' if one else 'are'} {change}" for terms, one, change in changes]
    return "; ".join(parts)


def _changed(name):
    words = {"0": "missing", "−1": "of the wrong sign", "2": "doubled", "1/2": "halved"}
    number, here, rest = (name or "").partition(" (")
    if number in words:
        return f"{words[number]}{here}{rest}"
    return f"multiplied by {name or 'a factor that varies'}"


def evidence(fit):
    """Write the coefficients: "term KL: σ² has coefficient 2.000000, expected 1"."""
    numbers = {name: _numbers(values) for name, values in fit.wrong().items()}
    parts = [
        f"{terms} {'has' if one else 'have'} coefficient {values}, expected 1"
        for terms, one, values in _grouped(numbers)
    ]
    return f"{'; '.join(parts)} (left over: {fit.residual:.0e})"


def _numbers(values):
    distinct = np.unique(values[~np.isnan(values)].round(6))
    return ", ".join(f"{c + 0.0:.6f}" for c in distinct)


def _grouped(words):
    """List ("terms A and B", is it one?, words) for the names that have the same words."""
    names = {}
    for name, said in words.items():
        names.setdefault(said, []).append(name)
    return [
        (f"term {some[0]}", True, said)
        if len(some) == 1
        else (f"terms {', '.join(some[:-1])} and {some[-1]}", False, said)
        for said, some in names.items()
    ]
