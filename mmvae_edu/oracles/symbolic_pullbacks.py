"""Proofs by SymPy (oracle O8) that a pullback is the derivative of its op, as expressions.

The library's own NumPy code runs on `Symbolic` arrays: expressions beside the same numbers as
floats.  Comparisons look at the floats, so that a proof holds wherever they come out the same.
SymPy is an extra; it is imported on the first call.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import exp, isclose, isfinite, isnan, log, pi

import numpy as np

from .symbolic import vanishes

LARGEST = 1000  # denominators of the constants that are recognised


# ---- arrays of expressions ----


@cache
def exact(number):
    """Return the constant that a float stands for: a fraction, its logarithm, or one of log 2π.

    A ValueError refuses any other, since it would be equal to no expression.
    """
    import sympy

    if not isfinite(number):
        return sympy.nan if isnan(number) else sympy.oo * (1 if number > 0 else -1)
    if number == int(number):
        return sympy.Integer(int(number))
    if fraction := _fraction(number, number):
        return fraction
    if fraction := _fraction(number / log(2 * pi), number / log(2 * pi)):
        return fraction * sympy.log(2 * sympy.pi)
    if abs(number) < 20 and (fraction := _fraction(exp(number), number, log)):
        return sympy.log(fraction)
    raise ValueError(f"the constant {number!r} is neither a fraction nor the logarithm of one")


def _fraction(near, number, function=float):
    """Return the simple fraction near a float, if its function is `number` to 16 digits."""
    import sympy

    found = Fraction(near).limit_denominator(LARGEST)
    if found and isclose(function(found), number, rel_tol=1e-15):
        return sympy.Rational(found.numerator, found.denominator)
    return None


class Symbolic(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of expressions, and of their values at one point.

    A comparison is decided by the values.  Where two of them are equal, their expressions must be
    the same, since a derivative on a boundary proves nothing beside it.
    """

    dtype = np.float64  # what the library asks of the arrays that it makes

    def __init__(self, expressions, values):
        self.values = np.asarray(values, dtype=float)
        plain = np.asarray(expressions, dtype=object)
        self.expressions = np.empty(plain.shape, dtype=object)
        for at in np.ndindex(plain.shape):
            known = hasattr(plain[at], "free_symbols") and isfinite(self.values[at])
            self.expressions[at] = plain[at] if known else exact(float(self.values[at]))

    @classmethod
    def symbols(cls, name, values, numbers=False):
        """Name every entry by its index; with `numbers`, whole and infinite ones stay numbers."""
        import sympy

        values = np.asarray(values, dtype=float)
        expressions = np.empty(values.shape, dtype=object)
        for at in np.ndindex(values.shape):
            whole = not isfinite(values[at]) or values[at] == round(values[at])
            label = "_".join(map(str, (name, *at)))
            expressions[at] = None if numbers and whole else sympy.Symbol(label, real=True)
        return cls(expressions, values)

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)
    real = property(lambda self: self)
    T = property(lambda self: Symbolic(self.expressions.T, self.values.T))

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        return Symbolic(self.expressions[index], self.values[index])

    def __setitem__(self, index, value):
        value = _symbolic(value)
        self.expressions[index], self.values[index] = value.expressions, value.values

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if out := options.get("out"):
            out[0][...] = ufunc(*inputs)
            return out[0]
        if method != "__call__":
            raise TypeError(f"{ufunc.__name__}.{method} is not of expressions")
        a, *rest = parts = [_symbolic(part) for part in inputs]
        values = ufunc(*(part.values for part in parts))
        name = ufunc.__name__
        if values.dtype == bool:
            return _decided(values, *parts)
        if name in ("absolute", "sign"):
            sign = np.sign(_decided(a.values, a, _symbolic(0.0))).astype(int)
            return Symbolic(sign if name == "sign" else sign * a.expressions, values)
        if name in ("maximum", "minimum"):
            first = _decided(values == a.values, *parts)
            return Symbolic(np.where(first, a.expressions, rest[0].expressions), values)
        function = _functions().get(name, ufunc)
        return Symbolic(function(*(part.expressions for part in parts)), values)

    def __array_function__(self, function, types, args, options):
        options.pop("like", None)
        if function in (np.array, np.asarray):
            return _symbolic(args[0])
        function = np.zeros_like if function is np.empty_like else function
        values = function(*_of(args, "values"), **_of(options, "values"))
        if isinstance(values, np.ndarray) and values.dtype.kind == "b":
            return values
        expressions = function(*_of(args, "expressions"), **_of(options, "expressions"))
        if isinstance(values, list):  # of split
            return list(map(Symbolic, expressions, values))
        return Symbolic(expressions, values)

    def sum(self, **options):
        return self._reduced("sum", options)

    def mean(self, **options):
        return self._reduced("mean", options)

    def _reduced(self, name, options):
        expressions = getattr(self.expressions, name)(**options)
        return Symbolic(expressions, getattr(self.values, name)(**options))

    def max(self, axis, keepdims=False):
        at = np.expand_dims(self.values.argmax(axis), axis)
        best = Symbolic(*(np.take_along_axis(a, at, axis) for a in (self.expressions, self.values)))
        _decided(self.values, self, best)
        return best if keepdims else best.reshape(np.squeeze(best.values, axis).shape)

    def reshape(self, *shape):
        return Symbolic(self.expressions.reshape(*shape), self.values.reshape(*shape))

    def astype(self, dtype):
        return self if np.dtype(dtype).kind == "f" else self.values.astype(dtype)


@cache
def _functions():
    """Return what elementwise functions are of expressions; arithmetic needs none."""
    import sympy

    named = {
        "exp": sympy.exp,
        "expm1": lambda e: sympy.exp(e) - 1,
        "log": sympy.log,
        "log1p": lambda e: sympy.log(1 + e),
        "tanh": sympy.tanh,
        "sqrt": sympy.sqrt,
    }
    return {name: np.frompyfunc(f, 1, 1) for name, f in named.items()}


def _symbolic(part):
    return part if isinstance(part, Symbolic) else Symbolic(np.full(np.shape(part), None), part)


def _of(part, name):
    """Replace the Symbolic arrays in arguments by their values or expressions."""
    if isinstance(part, Symbolic):
        return getattr(part, name)
    if isinstance(part, dict):
        return {key: _of(item, name) for key, item in part.items()}
    return type(part)(_of(item, name) for item in part) if isinstance(part, list | tuple) else part


def _decided(result, a, b=None):
    """Return the result of a comparison, unless the point lies on the boundary."""
    if b is not None:
        u, v = (np.broadcast_to(part.expressions, result.shape) for part in (a, b))
        tied = np.broadcast_to(a.values, result.shape) == b.values
        if any(e != f for e, f in zip(u[tied], v[tied], strict=True)):
            raise ValueError("a comparison of equal numbers: another point is needed")
    return result


# ---- pullbacks ----


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: `difference` is the derivative less the pullback's expression."""

    name: str
    difference: object
    proved: bool


def gradient_entries(op, args, constants, rng):
    """Compare op's pullback with SymPy's derivative of its value, as expressions.

    args and constants are arrays of floats, in dicts or not; all entries of args become symbols,
    and of constants those that are not whole numbers.  Returns an Entry per entry of each argument.
    """
    import sympy

    args = [_named(f"a{i}", part) for i, part in enumerate(args)]
    constants = {name: _named(name, part, numbers=True) for name, part in constants.items()}
    value, pullback = op(*args, **constants)
    outputs = [part for part in _listed(value) if isinstance(part, Symbolic)]
    cotangents = [
        Symbolic.symbols(f"d{i}", rng.standard_normal(part.shape)) for i, part in enumerate(outputs)
    ]
    total = sympy.Add(*(
        e for d, part in zip(cotangents, outputs, strict=True)
        for e in np.ravel(d.expressions * part.expressions)
    ))  # fmt: skip
    gradient = pullback(*cotangents)
    leaves = list(_pairs(args, list(gradient) if len(args) > 1 else [gradient]))
    found = []
    for symbols, slope in leaves:
        slope = _symbolic(slope)
        if slope.shape != symbols.shape:
            raise ValueError(f"gradient: expected shape {symbols.shape}, found {slope.shape}")
        for symbol, own in zip(symbols.expressions.flat, slope.expressions.flat, strict=True):
            difference = total.diff(symbol) - own
            found.append(Entry(symbol.name, difference, vanishes(difference)))
    return found


def _named(name, part, numbers=False):
    if isinstance(part, dict):
        return {key: _named(f"{name}_{key}", item, numbers) for key, item in part.items()}
    if isinstance(part, np.ndarray) and part.dtype.kind == "f":
        return Symbolic.symbols(name, part, numbers)
    return part


def _listed(value):
    return list(value) if isinstance(value, tuple | list) else [value]


def _pairs(args, gradients):
    """Yield (argument, gradient) of every array in trees of one form."""
    if isinstance(args, Symbolic):
        yield args, gradients
        return
    keys = args if isinstance(args, dict) else range(len(args))
    for key in keys:
        yield from _pairs(args[key], gradients[key])
