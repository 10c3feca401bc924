"""Laws: on all valid inputs an answer gives what the library's function gives.

The claims about an equation leave options, axes of length 1 and extreme numbers out.  The laws of
an exercise, which are claims as well, go through the rows of its function in `claims.inputs`.  They
say nothing about the library itself, so the tour has none of them.
"""

from functools import cache
from inspect import Parameter, signature

import numpy as np

from .examples import AXES, EXAMPLES, is_array
from .inputs import EXTREMES, forms_of, rows_of
from .instances import flat
from .registry import Claim, Tolerance

SAME = Tolerance("T1", "the same numbers, also where they are sums of thousands", 1e-10)
FAR = -6237.0, 720.0  # slide 8's log likelihood, and one whose exponential overflows
POISON = np.nan, np.inf, -np.inf
MASKS = {"mask": np.logical_not, "present": np.logical_not, "log_alpha": np.isneginf}


@cache
def laws_of(of):
    """List a library function's laws as claims: of its generator, of its rows, of the limits."""
    if not rows_of(of):
        return [], [], []
    if "rng" in _parameters(of):  # another use of it is right as well: there is nothing to compare
        return _claims(of, [_drawing(of)], "generator"), [], []
    return [], _claims(of, _ordinary(of), "row"), _claims(of, _limits(of), "limit")


def _claims(of, laws, kind):
    found = []
    for i, (statement, check) in enumerate(laws, start=1):
        check.__doc__, check.__name__ = statement, f"{of.__name__}_{kind}_{i}"
        found.append(Claim(check.__name__, (), of, SAME, "the library's function", check))
    return found


def _ordinary(of):
    """Yield (statement, check) of every row, and of axes of length 1."""
    *_, last = rows = rows_of(of)
    for row in rows:
        yield f"{_call(of, row)} gives what its docstring promises.", _on(of, row)
    if letters := [axis for axis in AXES if axis in letters_of(of, last)]:
        halves = [some for some in (letters[::2], letters[1::2]) if some]  # the others are longer
        sizes = [AXES | dict.fromkeys(some, 1) for some in halves]
        where = "where some of its axes have length 1"
        yield f"{of.__name__} gives what its docstring promises {where}.", _on(of, last, *sizes)


def _limits(of):
    """Yield (statement, check) of zeros, scales, masks and later calls."""
    promise, last = f"{of.__name__} gives what its docstring promises", rows_of(of)[-1]
    for words, row in EXTREMES.get(of, {}).items():
        yield f"{promise} {words}.", _on(of, row)
    for name in _options(of, last):
        yield f"{promise} where {name} is 0.", _moved(of, last, {name: _zero})
    forms = {name: form for name, form in forms_of(of, last).items() if is_array(form)}
    if logs := [name for name, form in forms.items() if form.endswith(" log_weight")]:
        where = f"where {', '.join(logs)} lie near −6237 or 720, or thousands apart"
        far = (dict.fromkeys(logs, move) for move in (_down, _up, _columns_apart, _entries_apart))
        yield f"{promise} {where}.", _moved(of, last, *far)
    for name, form in forms.items():
        if (is_hidden := MASKS.get(form.partition(" ")[2])) and _axes(form) == "MN":
            statement = f"What {name} leaves out does not change {of.__name__}, be it NaN or inf."
            yield statement, _masked(of, last, name, is_hidden)
    yield _again(of)


# ---- what the statements say of a row -----------------------------------------------------------


def _call(of, row):
    """Write a row's call: "coherence(y, given=given) at M = 3, N = 40"."""
    args, constants = row(np.random.default_rng(0))
    given, lengths = [], {}
    for name, a in (_named(of, args) | constants).items():
        number_or_name = str(a) if isinstance(a, int | float) else name
        given.append(f"{name}={number_or_name}" if name in constants else number_or_name)
        shape = getattr(a, "shape", ())
        lengths |= zip(_axes(forms_of(of, row).get(name)), shape, strict=False)
    at = ", ".join(f"{axis} = {lengths[axis]}" for axis in AXES if axis in lengths)
    return f"{of.__name__}({', '.join(given)})" + (f" at {at}" if at else "")


def letters_of(of, row):
    """Return the letters of all axes in a row."""
    return row.letters + "".join(map(_axes, forms_of(of, row).values()))


def _axes(form):
    if isinstance(form, dict | list | tuple):
        return "".join(map(_axes, form.values() if isinstance(form, dict) else form))
    return form.partition(" ")[0].replace("2", "") if is_array(form) else ""


def _options(of, row):
    """List the numbers and arrays of a row that may be omitted, but no masks."""
    return [
        name
        for name, a in row(np.random.default_rng(0))[1].items()
        if _parameters(of)[name].default is not Parameter.empty
        and name not in MASKS
        and not isinstance(a, bool | str)
    ]


# ---- the checks: (f, rng) → (lhs, rhs) ----------------------------------------------------------


def _on(of, row, *sizes):
    """Compare with the library's function on a row; at other sizes only where it is finite."""

    def check(f, rng):
        cases = [row(rng, size) for size in sizes or [AXES]]
        return _compared(f, of, cases, rng, finite=bool(sizes))

    return check


def _moved(of, row, *moves):
    """Compare with the library's function where arguments are moved, each by move(a, rng)."""

    def check(f, rng):
        cases = [_changed(of, row(rng), move, rng) for move in moves]
        return _compared(f, of, cases, rng, finite=True)

    return check


def _zero(a, rng):
    return a * 0


def _down(a, rng):
    return a + FAR[0]


def _up(a, rng):
    return a + FAR[1]


def _columns_apart(a, rng):
    return a + np.resize([*FAR, 0], a.shape[-1])


def _entries_apart(a, rng):
    return a + rng.choice([*FAR, 0], a.shape)


def _masked(of, row, mask, is_hidden):
    """Compare with f's own result where NaN and inf stand in what is hidden."""
    axes = {name: _axes(form) for name, form in forms_of(of, row).items() if name != mask}

    def check(f, rng):
        case = row(rng)
        hidden = is_hidden(case[1][mask])

        def poisoned(axes):
            where = np.expand_dims(hidden, [i for i, axis in enumerate(axes) if axis not in "MN"])
            return lambda a, rng: np.where(where, rng.choice(POISON, a.shape), a)

        moves = {name: poisoned(letters) for name, letters in axes.items() if {*"MN"} < {*letters}}
        clean, dys = _called(f, *case, rng)
        return _comparable(_called(f, *_changed(of, case, moves, rng), rng, dys)[0], clean)

    return check


def _again(of):
    """State that a result stays as it is, and its pullback too, whatever is called afterwards."""
    row, and_pullback = rows_of(of)[-1], ", and its pullback too" * (of in EXAMPLES)

    def check(f, rng):
        (args, constants), other = row(rng), row(rng)
        before, dys = _called(f, args, constants, rng)
        result = f(*args, **constants)
        if result is None:
            return before, before
        value, pullback = _split(result)
        _called(f, *other, rng)
        if pullback:
            pullback(*(dy + 1 for dy in dys))
        twice = [_numbers(value, pullback, dys) for _ in range(2)]
        return _comparable(np.concatenate(twice), np.tile(before, 2))

    return f"What {of.__name__} has returned stays as it is in later calls{and_pullback}.", check


def _drawing(of):
    """State that draws differ between generators and from one call to the next."""

    def check(f, rng):
        repeated = []
        for row in rows_of(of):
            args, constants = row(rng)
            generators = [np.random.default_rng(seed) for seed in rng.integers(2**32, size=2)]
            values, state = [], _global_state()
            for generator in generators[0], *generators:
                given = (_named(of, args) | {"rng": generator}).values()
                values.append(flat(f(*given, **constants)))
            repeated += [np.array_equal(values[0], again) for again in values[1:]]
            repeated.append(_global_state() != state)
        return np.array(repeated, float), np.zeros(len(repeated))

    other = "from another generator, and from the same one when it is called again"
    return f"{of.__name__} draws something else {other}.", check


def _global_state():
    return str(np.random.get_state())  # noqa: NPY002  the one that has to stay as it is


# ---- calls, and all their numbers ---------------------------------------------------------------


def _compared(f, of, cases, rng, *, finite):
    """Return f's numbers and the library's in all cases.

    With `finite`, a case that the library refuses, or has no finite result for, is left out.
    """
    lhs, rhs = [np.zeros(0)], [np.zeros(0)]
    for args, constants in cases:
        own = [a.copy() if isinstance(a, np.ndarray) else a for a in args]  # it may work in place
        try:
            expected, dys = _called(of, own, constants, rng)
        except (ValueError, IndexError):
            continue
        if np.isfinite(expected).all() or not finite:
            lhs.append(_called(f, args, constants, rng, dys)[0])
            rhs.append(expected)
    return _comparable(np.concatenate(lhs), np.concatenate(rhs))


def _comparable(lhs, rhs):
    """Replace by 0 what is the same infinity or NaN on both sides."""
    if lhs.shape != rhs.shape:
        return lhs, rhs
    same = ~np.isfinite(rhs) & ((lhs == rhs) | (np.isnan(lhs) & np.isnan(rhs)))
    return np.where(same, 0, lhs), np.where(same, 0, rhs)


def _called(f, args, constants, rng, dys=None):
    """Call f and its pullback: all numbers that they give, and the cotangents, drawn if None."""
    result = f(*args, **constants)
    value, pullback = _split(args if result is None else result)  # None: f works in place
    if pullback and dys is None:
        arrays = map(np.asarray, value if isinstance(value, tuple | list) else [value])
        dys = [rng.standard_normal(a.shape) for a in arrays if a.dtype.kind == "f"]
    return _numbers(value, pullback, dys), dys


def _split(result):
    """Return a result's value and its pullback, or None."""
    has_pullback = isinstance(result, tuple | list) and callable(result[-1])
    return (result[0], result[-1]) if has_pullback else (result, None)


def _numbers(value, pullback, dys):
    return np.concatenate([flat(value), flat(pullback(*dys) if pullback else [])])


def _changed(of, case, moves, rng):
    """Apply moves, {argument: function of an array and rng}, to a case (args, constants)."""
    args, constants = case
    args, constants = (
        {name: moves[name](a, rng) if name in moves else a for name, a in named.items()}
        for named in (_named(of, args), constants)
    )
    return tuple(args.values()), constants


def _named(of, args):
    return dict(zip(_parameters(of), args, strict=False))


def _parameters(of):
    return signature(of).parameters
