"""The rule for arrays, which every public function of the library applies to its arguments.

An array is a plain one of NumPy, or one on a GPU, of integers, float32 or float64, or of complex
numbers where a complex step goes through; a mask is bool.  What is no array passes.
"""

from functools import wraps
from inspect import isclass, isfunction, signature

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
SCALARS = {type(None), bool, int, float, str}
NUMBERS = "iufc"  # the kinds of dtype of numbers
MASKS = {"mask", "present", "sampled", "scored", "subset", "subsets"}  # the arguments that are bool


def check(name, value, kinds=NUMBERS):
    """Raise a ValueError unless all arrays in value are plain ones, of dtypes of these kinds.

    value: an argument, of which dicts, lists and tuples are searched; what is no array passes.
    """
    if isinstance(value, dict | list | tuple):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if not _passes(part):
                check(f"{name}[{key!r}]", part, kinds)
    dtype = getattr(value, "dtype", None)
    if isinstance(dtype, np.dtype) and not isinstance(value, np.generic):
        check_plain(name, value)
        check_device(name, value)
        if dtype == np.float16:
            raise ValueError(f"{name}: expected float32 or float64, found float16")
        if not dtype.isnative:
            raise ValueError(f"{name}: expected {dtype.newbyteorder('=')}, found {dtype}")
        if dtype.kind not in kinds:
            expected = "real numbers" if dtype.kind == "c" else "an array of numbers"
            raise ValueError(f"{name}: expected {expected}, found {dtype}")


def _passes(value):
    """Tell at once whether it is a usual argument: inner loops call it, too."""
    return value.dtype in FLOATS if type(value) is np.ndarray else type(value) in SCALARS


def check_plain(name, array):
    """Raise a ValueError for a subclass of NumPy's array, whose meaning would be lost."""
    if isinstance(array, np.ndarray) and type(array) not in (np.ndarray, np.memmap):
        raise ValueError(
            f"{name}: expected a plain array, found a {type(array).__name__}; np.asarray makes "
            "one, and what is missing is said by a mask beside it"
        )


def check_device(name, array):
    """Raise a ValueError for an array on another GPU than the current one."""
    device = getattr(array, "device", "cpu")
    if type(device).__module__.startswith("cupy") and device != type(device)():
        raise ValueError(
            f"{name}: expected an array on the current {type(device)()!r}, found one on {device!r}"
        )


def check_rng(rng):
    """Raise a ValueError unless rng is a random generator, of NumPy or CuPy."""
    if not hasattr(rng, "integers"):  # NumPy's old RandomState has other methods
        found = f"found {rng!r}"
        raise ValueError(f"rng: expected a generator such as np.random.default_rng(0), {found}")


def check_kernels(kernels):
    """Raise a ValueError unless kernels is a backend: a module, or its functions."""
    if not hasattr(kernels, "matmul"):
        found = f"found {kernels!r}"
        raise ValueError(f"kernels: expected a module such as mmvae_edu.kernels.reference, {found}")


OBJECTS = {"rng": check_rng, "kernels": check_kernels}  # the arguments that are no arrays


def checked(function, kinds=NUMBERS, like=None):
    """Put a function behind the rule; its arguments have the names of those of `like`."""
    names = tuple(signature(like or function).parameters)

    def check_all(args, options):
        for named in (zip(names, args, strict=False), options.items()):
            for name, value in named:
                if name in OBJECTS:
                    OBJECTS[name](value)
                elif not _passes(value):
                    check(name, value, f"b{kinds}" if name in MASKS else kinds)

    @wraps(function)  # two lines, of which a debugger steps over the first and into the second
    def checked_function(*args, **options):
        check_all(args, options)
        return function(*args, **options)

    checked_function.__func__ = function  # where `b name` in pdb sets its breakpoint
    return checked_function


def check_calls(module, kinds=NUMBERS):
    """Put the public functions and methods of a module, given as its globals(), behind the rule."""

    def of_module(thing):
        return getattr(thing, "__module__", None) == module["__name__"]

    for name, thing in list(module.items()):
        if not name.startswith("_") and of_module(thing) and isfunction(thing):
            module[name] = checked(thing, kinds)
        elif of_module(thing) and isclass(thing):
            for method, f in list(vars(thing).items()):
                if isfunction(f) and (method == "__init__" or not method.startswith("_")):
                    setattr(thing, method, checked(f, kinds))
