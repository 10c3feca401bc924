"""Results of any form, arrays inside tuples, lists and dicts: copies, leaves, differences."""

import copy

import numpy as np


def copied(x):
    """A copy of arrays and generators inside tuples, lists and dicts; everything else as it is."""
    if isinstance(x, np.ndarray):
        return x.copy(order="K")  # sums depend on the order in memory
    if isinstance(x, tuple | list):
        return type(x)(map(copied, x))
    if isinstance(x, dict):
        return {name: copied(value) for name, value in x.items()}
    return copy.deepcopy(x) if isinstance(x, np.random.Generator) else x


def in_order_of_names(keys):
    return sorted(keys, key=str)


def named_leaves(x, name="", order=in_order_of_names):
    """The arrays and numbers inside a result, each with the path to it; functions are left out.

    A dict's are in the order of their names, so that the order of writing does not matter.
    """
    if isinstance(x, tuple | list):
        items = [(f"{name}[{i}]", item) for i, item in enumerate(x)]
    elif isinstance(x, dict):
        items = [(f"{name}[{key!r}]", x[key]) for key in order(x)]
    else:
        return [] if callable(x) else [(name, x)]
    return [leaf for path, item in items for leaf in named_leaves(item, path, order)]


def leaves(x):
    """The arrays and numbers inside a result, in the order of `named_leaves`."""
    return [leaf for _, leaf in named_leaves(x)]


def same(a, b):
    """Equal to the last bit, NaN equal to NaN."""
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, np.ndarray | float | complex | np.generic):
        try:
            return np.array_equal(a, b, equal_nan=True)
        except TypeError:  # an array of objects
            return False
    return True


def difference(found, expected, name=""):
    """Where a result departs from the contract: (kind, what it is, what is expected), or None."""
    if isinstance(expected, tuple):
        if not isinstance(found, tuple | list) or len(found) != len(expected):
            return "shape", described_value(found), described_value(expected)
        parts = (difference(a, b, name) for a, b in zip(found, expected, strict=True))
        return next((part for part in parts if part), None)
    if isinstance(expected, dict):
        if not isinstance(found, dict) or found.keys() != expected.keys():
            return "shape", described_value(found), described_value(expected)
        parts = (difference(found[key], expected[key], f"{name}[{key!r}]") for key in expected)
        return next((part for part in parts if part), None)
    if callable(expected):
        return None if callable(found) else ("shape", described_value(found), "a function")
    problem = _array_difference(found, expected)
    return problem and (problem[0], f"{problem[1]} in {name}" if name else problem[1], problem[2])


def _array_difference(found, expected):
    number = np.ndim(expected) == 0
    if callable(found) or not isinstance(found, np.ndarray | np.generic | float | int):
        return "shape", described_value(found), described_value(expected)
    if np.shape(found) != np.shape(expected):
        return "shape", described_value(found), described_value(expected)
    kind, wanted = np.asarray(found).dtype, np.asarray(expected).dtype
    fits = wanted.kind in "iuf" and kind.kind in ("iuf" if number else "iu")  # 1 for 1.0
    if kind != wanted and wanted.kind != "c" and not fits:
        return "dtype", f"dtype {kind}", str(wanted)
    bad = ~np.isfinite(found) & np.isfinite(expected)
    if bad.any():
        value = np.asarray(found)[bad][0]
        if number:
            return "finite", f"{value}", "a finite number"
        return "finite", f"{value} in {bad.sum()} of {bad.size} places", "finite numbers"
    return None


def described_value(x):
    """An object in a few words: "array (4, 3)", "a number", "the pair (array (4,), function)"."""
    if isinstance(x, tuple):
        return f"({', '.join(map(described_value, x))})"
    if isinstance(x, np.ndarray):
        return f"array {x.shape}"
    if callable(x):
        return "a function"
    if isinstance(x, list):
        return f"a list of {len(x)}"
    if isinstance(x, dict):
        return f"a dict of {', '.join(map(str, sorted(x, key=str))) or 'nothing'}"
    if isinstance(x, float | int | np.generic):
        return "a number"
    return "None" if x is None else type(x).__name__
