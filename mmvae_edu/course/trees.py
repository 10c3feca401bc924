"""Trees: arrays and numbers inside tuples, lists and dicts; their copies and differences."""

import copy

import numpy as np


def in_order_of_names(keys):
    return sorted(keys, key=str)


def named_leaves(tree, name="", order=in_order_of_names):
    """List the arrays and numbers of a tree, each with the path to it; functions are left out.

    A dict's are in the order of their names, so that the order of writing does not matter.
    """
    if isinstance(tree, tuple | list):
        items = [(f"{name}[{i}]", item) for i, item in enumerate(tree)]
    elif isinstance(tree, dict):
        items = [(f"{name}[{key!r}]", tree[key]) for key in order(tree)]
    else:
        return [] if callable(tree) else [(name, tree)]
    return [leaf for path, item in items for leaf in named_leaves(item, path, order)]


def leaves(tree):
    """List the arrays and numbers of a tree, in the order of `named_leaves`."""
    return [leaf for _, leaf in named_leaves(tree)]


def mapped(change, tree):
    """Return the tree with change(leaf) for every leaf, called in the order of `leaves`."""
    if isinstance(tree, tuple | list):
        return type(tree)(mapped(change, item) for item in tree)
    if isinstance(tree, dict):
        changed = {key: mapped(change, tree[key]) for key in in_order_of_names(tree)}
        return {key: changed[key] for key in tree}
    return tree if callable(tree) else change(tree)


def copied(tree):
    """Copy a tree's arrays and generators; everything else stays as it is."""
    return mapped(_copy, tree)


def _copy(leaf):
    if isinstance(leaf, np.ndarray):
        return leaf.copy(order="K")  # sums depend on the order in memory
    return copy.deepcopy(leaf) if isinstance(leaf, np.random.Generator) else leaf


def same(a, b):
    """Are two trees equal to the last bit, NaN equal to NaN?"""
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


def with_arrays(found, expected):
    """Return a result with an array for each list that stands where `expected` has an array.

    An array of n numbers where n numbers are expected becomes a tuple.
    """
    if isinstance(found, np.ndarray) and isinstance(expected, tuple):
        numbers = not any(map(callable, expected)) and not any(map(np.ndim, expected))
        return tuple(found) if numbers and found.shape == (len(expected),) else found
    if isinstance(found, list) and isinstance(expected, np.ndarray):
        try:
            array = np.array(found)
        except ValueError:  # its rows have several lengths
            return found
        return array if array.dtype.kind in "biufc" else found
    if isinstance(found, tuple | list) and isinstance(expected, tuple):
        pairs = zip(found, expected, strict=False)
        return (*(with_arrays(*pair) for pair in pairs), *found[len(expected) :])
    if isinstance(found, dict) and isinstance(expected, dict):
        return {key: with_arrays(found[key], expected.get(key)) for key in found}
    return found


def difference(found, expected, name=""):
    """Find a departure from the contract: (kind, what it is, what is expected), or None."""
    if callable(expected):
        return None if callable(found) else ("shape", described_value(found), "a function")
    if not isinstance(expected, tuple | dict):
        kind, text, wanted = _array_difference(found, expected) or (None, "", "")
        return kind and (kind, f"{text} in {name}" if name else text, wanted)
    form, keys = (dict, dict.keys) if isinstance(expected, dict) else (tuple | list, _indices)
    if not isinstance(found, form) or keys(found) != keys(expected):
        return "shape", described_value(found), described_value(expected)
    for key in keys(expected):
        path = f"{name}[{key!r}]" if form is dict else name
        if problem := difference(found[key], expected[key], path):
            return problem
    return None


def _indices(items):
    return range(len(items))


def _array_difference(found, expected):
    number = np.ndim(expected) == 0
    is_number = isinstance(found, np.ndarray | np.generic | float | int)
    if not is_number or callable(found) or np.shape(found) != np.shape(expected):
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
    """Describe an object in a few words: "array (4, 3)", "a number", "(array (4,), a function)"."""
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
