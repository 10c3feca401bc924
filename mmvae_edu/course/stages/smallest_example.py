"""Stage A6: the smallest inputs on which the learner's function still goes wrong.

Axes are shortened, all those of one length together, and numbers rounded, as long as the function
still differs from the library's and the inputs still are what they were: probabilities, say.
"""

from types import ModuleType

import numpy as np

from ..comparisons import named_gradients, named_values
from ..recorded import outcome
from ..trees import copied, in_order_of_names, leaves, named_leaves, same
from .input_laws import laws
from .mistakes import GRADIENT

WRONG = 1e-9  # of the largest number: what is left must be a mistake, not rounding
ATTEMPTS = 200
SHOWN = 12  # numbers of an array


def smallest(exercise, f, sample, part):
    """The inputs, what was found and what is expected, as lines of text; [] if it is not wrong."""
    inputs = (sample.args, sample.constants, sample.cotangents)
    if any(isinstance(leaf, np.random.Generator | ModuleType) for leaf in leaves(list(inputs))):
        return []  # nobody can follow random numbers by hand, or a whole file
    compared = _compared(exercise, f, inputs, part)
    if compared is None:
        return []
    left, obeyed = ATTEMPTS, laws(inputs)
    for candidates in (_shorter, _simpler):
        progress = True
        while progress and left > 0:
            progress = False
            for candidate in candidates(inputs):
                left -= 1
                candidate = _mended(candidate, obeyed)
                if candidate is None or same(candidate, inputs):
                    continue
                if (smaller := _compared(exercise, f, candidate, part)) is not None:
                    inputs, compared, progress = candidate, smaller, True
                    break
                if left <= 0:
                    break
    return _lines(sample, inputs, compared, part)


def _mended(inputs, obeyed):
    """The inputs with every array as its law has it; None where one cannot be mended."""
    arrays = [leaf for leaf in leaves(list(inputs)) if isinstance(leaf, np.ndarray)]
    if not all(a.size for a in arrays):
        return None
    mended = [law(a) for law, a in zip(obeyed, arrays, strict=True)]
    if any(a is None for a in mended):
        return None
    in_order = iter(mended)
    return _mapped(inputs, lambda _: next(in_order))


def _compared(exercise, f, inputs, part):
    """[(path, found, expected)] where the two still differ; None where not, or outside the
    function's domain."""
    args, constants, cotangents = inputs
    sides = []
    try:
        with np.errstate(all="ignore"):
            for function in (f, exercise.of):
                result = outcome(function, copied(args), copied(constants), exercise.changes)
                if part == GRADIENT:
                    gradients = result[-1](*copied(cotangents))
                    sides.append(named_gradients(exercise, args, gradients))
                else:
                    sides.append(named_values(exercise, result))
    except Exception:
        return None
    found, expected = sides
    if found.keys() != expected.keys():
        return None
    rows = [(path, np.asarray(found[path]), np.asarray(expected[path])) for path in expected]
    if any(not np.isfinite(b).all() or a.shape != b.shape for _, a, b in rows):
        return None
    wrong = [row for row in rows if _differs(*row[1:])]
    return wrong or None


def _differs(a, b):
    gap = np.abs(a.astype(float) - b)
    return not (gap <= WRONG * max(1e-3, np.abs(b).max(initial=0))).all()


def _shorter(inputs):
    """The inputs with the axes of one length cut to fewer entries."""
    arrays = [leaf for leaf in leaves(list(inputs)) if isinstance(leaf, np.ndarray)]
    for length in sorted({n for a in arrays for n in a.shape}, reverse=True):
        for shorter in sorted({1, 2, length // 2, length - 1}):
            if 0 < shorter < length:
                yield _mapped(inputs, lambda a, n=length, m=shorter: _cut(a, n, m))


def _cut(a, length, shorter):
    return a[tuple(slice(shorter) if n == length else slice(None) for n in a.shape)].copy()


def _simpler(inputs):
    """The inputs with one array rounded: to tenths, to halves, to whole numbers."""
    arrays = {i: leaf for i, leaf in enumerate(leaves(list(inputs))) if _is_float(leaf)}
    for scale in (1, 2, 10):
        for i, leaf in arrays.items():
            if (_rounded(leaf, scale) != leaf).any():
                yield _mapped(inputs, lambda a, s=scale: _rounded(a, s), only=i)


def _is_float(leaf):
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def _rounded(a, scale):
    return np.round(a * scale) / scale + 0.0  # without −0


def _mapped(inputs, change, only=None):
    """`inputs` with every array changed, or only one."""
    count = iter(range(10**6))

    def walk(x):
        if isinstance(x, tuple | list):
            return type(x)(map(walk, x))
        if isinstance(x, dict):
            done = {key: walk(x[key]) for key in in_order_of_names(x)}
            return {key: done[key] for key in x}
        if callable(x):
            return x
        i = next(count)
        return change(x) if isinstance(x, np.ndarray) and only in (None, i) else x

    return walk(inputs)


def _lines(sample, inputs, compared, part):
    args, constants, cotangents = inputs
    named = {**dict(zip(sample.names, args, strict=False)), **constants}
    if cotangents:
        named["cotangent"] = cotangents if len(cotangents) > 1 else cotangents[0]
    lines = [f"smallest example: {assignments(named)}"]
    for path, found, expected in compared[:2]:
        digits = 6 if shown(found) != shown(expected) else 17
        numbers = f"found {shown(found, digits)}, expected {shown(expected, digits)}"
        lines.append(f"  {_named(path, part)}: {numbers}")
    return lines


def assignments(named):
    """Inputs on one line, name by name: a dict name → array, number or tree of them."""
    given = [leaf for name, tree in named.items() for leaf in named_leaves(tree, name)]
    return ", ".join(f"{path} = {shown(a)}" for path, a in given)


def _named(path, part):
    if part == GRADIENT:
        return f"gradient of {path}"
    return f"output {path}" if path else "value"


def shown(a, digits=6):
    """An array on one line: its first numbers."""
    if not isinstance(a, np.ndarray):
        return f"{a:.{digits}g}" if isinstance(a, float) else str(a)
    if a.size > SHOWN:
        return f"array {a.shape}"
    text = np.array2string(a, precision=digits, suppress_small=False, floatmode="maxprec")
    return " ".join(text.split()).replace("[ ", "[").replace(" ]", "]")
