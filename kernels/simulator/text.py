"""A kernel's text, made to pause at its barriers and to count its rounds of loops.

The recorder runs a kernel as a generator: `cuda.syncthreads()` becomes `yield cuda.syncthreads()`,
likewise the calls of a warp, and a call of a device function that has one becomes `yield from`.  A
list ROUNDS has the times round each loop about a line.  All else, and every line number, stays.
"""

import ast
import inspect
import itertools
import linecache
import math
import textwrap
from functools import cache, partial
from types import FunctionType, ModuleType, SimpleNamespace

import numpy as np

from .warps import CALLS

EDITS = itertools.count()
PAUSING = {"syncthreads", *CALLS}
ROUNDS = "_rounds"  # a local variable of the text that runs


class Namespace:
    """A stand-in for numba.cuda in a file; `bound` puts another one into its place."""


def bound(kernel, cuda):
    """Make the kernel a generator function, in which the name `cuda` means the namespace given.

    cuda.note_exp(exp, x) is called in place of exp(x), that of math or NumPy.
    """
    function = plain(kernel)
    return _bound(function, _paused(function, always=True), cuda)


def plain(kernel):
    """Return the function that a decorator, numba's or this package's, was given."""
    return getattr(kernel, "py_func", None) or inspect.unwrap(kernel)


def edited(kernel, name, changes, helpers=()):
    """Replace pieces of text in a kernel, now `name`: {old: new}, each old found once.

    helpers: functions that it calls, whose text may be edited as well.
    """
    function, text = plain(kernel), source(kernel, *helpers)
    for old, new in {f"def {function.__name__}(": f"def {name}(", **changes}.items():
        if text.count(old) != 1:
            raise ValueError(f"{function.__name__}: {text.count(old)} places have {old!r}")
        text = text.replace(old, new)
    file, scope = f"<{name} {next(EDITS)}>", {}
    for each in *helpers, function:
        scope |= plain(each).__globals__
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file  # for `inspect`
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    return scope[name]


def source(*functions):
    """Return the text of functions, one after the other."""
    return "\n\n".join(numbered(plain(function))[0] for function in functions)


def called(kernel):
    """List the functions of a kernel, each once: its own, and those of the device that it calls."""
    function = plain(kernel)
    inner = [each for device in _devices(function).values() for each in called(device)]
    return list(dict.fromkeys([function, *inner]))


@cache
def numbered(function):
    """Return the text of a function, decorators included, and the number of its first line."""
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:
        name = function.__name__
        raise ValueError(f"{name}: expected a kernel in a file or a notebook's cell") from None
    return textwrap.dedent("".join(lines)), first


def _bound(function, code, cuda):
    scope = _scope(function) | dict.fromkeys(_names_of_cuda(function), cuda)
    scope |= _counted_exp(function, cuda.note_exp)
    for name, device in _devices(function).items():
        scope[name] = _bound(device, _paused(device), cuda)
    return FunctionType(code, scope, function.__name__, function.__defaults__)


@cache
def _paused(function, always=False):
    """Compile the function with its pauses; `always` a generator, even without a barrier."""
    text, first = numbered(function)
    tree = ast.parse(text)
    definition = tree.body[0]
    definition.decorator_list = []
    pausing = {name for name, device in _devices(function).items() if _has_barrier(device)}
    Pauses(_names_of_cuda(function), pausing).visit(definition)
    definition.body.insert(0, _statement("{} = []", definition.body[0]))
    if always:
        definition.body += ast.parse("return\nyield").body
    ast.increment_lineno(ast.fix_missing_locations(tree), first - 1)
    module = compile(tree, function.__code__.co_filename, "exec", dont_inherit=True)
    codes = filter(inspect.iscode, module.co_consts)
    return next(code for code in codes if code.co_name == definition.name)


def _statement(text, node):
    """Return a statement about ROUNDS on the line of a node."""
    (statement,) = ast.parse(text.format(ROUNDS)).body
    for part in ast.walk(statement):
        ast.copy_location(part, node)
    return statement


class Pauses(ast.NodeTransformer):
    """`cuda` is the set of names of that module, `pausing` the device functions with barriers."""

    def __init__(self, cuda, pausing):
        self.cuda, self.pausing = cuda, pausing

    def visit_Call(self, node):
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(value=ast.Name(id=name), attr=call) if name in self.cuda:
                return ast.copy_location(ast.Yield(node), node) if call in PAUSING else node
            case ast.Name(id=name) if name in self.pausing:
                return ast.copy_location(ast.YieldFrom(node), node)
        return node

    def visit_For(self, node):
        self.generic_visit(node)
        node.body.insert(0, _statement("{}[-1] += 1", node.body[0]))
        return [_statement("{}.append(0)", node), node, _statement("{}.pop()", node)]

    visit_While = visit_For


def _scope(function):
    """Return the values of the function's global and outer names."""
    return {**function.__globals__, **inspect.getclosurevars(function).nonlocals}


def _used(function):
    scope, code = _scope(function), function.__code__
    return {name: scope[name] for name in code.co_names + code.co_freevars if name in scope}


def _names_of_cuda(function):
    return {name for name, value in _used(function).items() if _is_cuda(value)}


def _is_cuda(value):
    numba = isinstance(value, ModuleType) and value.__name__.startswith("numba.cuda")
    return numba or isinstance(value, Namespace)


def _counted_exp(function, note):
    """Return what stands in the kernel for math, NumPy and their exp, by the kernel's names."""
    stands = {}
    for module in math, np:
        counted = partial(note, module.exp)
        stands[id(module)] = SimpleNamespace(**{**vars(module), "exp": counted})
        stands[id(module.exp)] = counted
    used = _used(function).items()
    return {name: stands[id(value)] for name, value in used if id(value) in stands}


def _devices(function):
    """List the device functions that it calls, those under `cuda.jit(device=True)`, by name."""
    used = _used(function).items()
    return {name: value.py_func for name, value in used if hasattr(value, "py_func")}


def _has_barrier(function):
    own = PAUSING.intersection(function.__code__.co_names)
    return bool(own) or any(map(_has_barrier, _devices(function).values()))
