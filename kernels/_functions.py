"""The functions of a compiled backend, made from the table of kernels, with and without checks."""

from functools import wraps
from math import prod
from operator import itemgetter
from types import SimpleNamespace

from . import reference
from ._inputs import Inputs
from .arrays import checked as checked_arrays
from .table import TABLE


def functions(backend, xp, convert, launchers, own):
    """Make two namespaces of the same functions: `checked`, and `unchecked` for arrays that fit.

    launchers   name → the function (lengths, arguments) that runs a kernel's compiled code, where
                the backend has it
    own         name → a function without checks of the backend's own, which takes precedence
    """
    inputs = Inputs(backend, xp, convert)
    unchecked = {name: plain(TABLE[name], xp, launch) for name, launch in launchers.items()} | own
    checked = {
        name: guarded(TABLE[name], inputs, function)
        if name in TABLE
        else checked_arrays(function, like=getattr(reference, name))
        for name, function in unchecked.items()
    }
    return SimpleNamespace(**checked), SimpleNamespace(**unchecked)


def guarded(kernel, inputs, function):
    """Put a function behind checks, with the signature of the reference and `out`."""

    @wraps(getattr(reference, kernel.name))
    def checked(*args, out=None, **options):
        bound = kernel.signature.bind(*args, **options)
        bound.apply_defaults()
        options = bound.arguments
        arrays = {name: options.pop(name) for name in kernel.arrays}
        lengths = inputs.check(kernel, arrays, options)
        if out is not None:
            inputs.check_out(kernel, out, arrays, lengths)
            options["out"] = out
        return function(*arrays.values(), **options)

    return checked


def plain(kernel, xp, launch):
    """Make the kernel's function without checks; it takes every array, for a mask also None.

    Inputs are made contiguous, and several axes become one while the compiled code runs.  Outputs
    are new, or `out`: contiguous arrays, a tuple if there are several outputs.  An output is None
    if an option of its name is False.
    """
    names, sizes = kernel.arrays, kernel.sizes
    axes, sources = _sources(kernel)
    lengths_of = _pick(axes, sizes)
    shapes = [_pick(sizes, kernel.inputs[name]) for name in names]
    output_shapes = [_pick(sizes, each) for each in kernel.outputs.values()]
    mask = names.index("mask") if "mask" in names else None
    several = [i for i, name in enumerate(names) if name in kernel.several]
    split = [i for i, name in enumerate(kernel.outputs) if name in kernel.several]
    optional = [(i, name) for i, name in enumerate(kernel.outputs) if name in kernel.options]

    @wraps(getattr(reference, kernel.name))
    def unchecked(*arguments, out=None, **options):
        arrays, others = list(arguments[: len(names)]), arguments[len(names) :]
        options.update(zip(kernel.options, others, strict=False))
        shape = ()
        for i in sources:
            shape += arrays[i].shape
        if several:
            lead = shape[: len(shape) - len(axes) + 1]
            shape = prod(lead), *shape[len(lead) :]
        lengths = lengths_of(shape)
        if mask is not None and arrays[mask] is None:
            arrays[mask] = xp.ones(shapes[mask](lengths), bool)
        arrays = list(map(xp.ascontiguousarray, arrays))
        for i in several:
            arrays[i] = arrays[i].reshape(shapes[i](lengths))
        dtype = arrays[0].dtype
        if out is None:
            outputs = [xp.empty(shape(lengths), dtype) for shape in output_shapes]
        else:
            given = out if isinstance(out, tuple) else (out,)
            pairs = zip(given, output_shapes, strict=True)
            outputs = [array.reshape(shape(lengths)) for array, shape in pairs]
        constants = list(map(dtype.type, kernel.constants(*lengths, **options)))
        launch(lengths, constants + arrays + outputs)
        for i in split:
            outputs[i] = outputs[i].reshape(*lead, *outputs[i].shape[1:])
        if out is not None:
            outputs = list(given)
        for i, name in optional:
            if not options.get(name, True):
                outputs[i] = None
        return outputs[0] if len(outputs) == 1 else tuple(outputs) or None

    return unchecked


def _sources(kernel):
    """Choose arrays that have every axis among them; returns their axes and their indices."""
    axes, sources = [], []
    for name in sorted(kernel.inputs, key=lambda name: -len(kernel.inputs[name])):
        if not axes or set(kernel.inputs[name]) - set(axes):
            axes += kernel.inputs[name]
            sources.append(kernel.arrays.index(name))
    return axes, sources


def _pick(axes, wanted):
    """Make the function that picks the lengths of the wanted axes from those of `axes`."""
    first, *others = (list(axes).index(axis) for axis in wanted)
    return itemgetter(first, *others) if others else itemgetter(slice(first, first + 1))
