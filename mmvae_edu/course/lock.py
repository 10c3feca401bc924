"""Locks the library's version of a function while the learner's version of it runs.

Claims' oracles and mistakes go on using the library, since they run outside that extent.
"""

import types


class Locked(BaseException):
    """The learner's function called the library's; a BaseException, so no `except` hides it."""


class Extent:
    """`with extent:` marks the code that is the learner's; it may nest."""

    def __init__(self):
        self.depth = 0

    def __enter__(self):
        self.depth += 1

    def __exit__(self, *problem):
        self.depth -= 1


def lock(function, extent):
    """Make `function` raise Locked inside the extent, by whatever name it was imported."""
    original = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    original.__dict__.update(function.__dict__)  # it may wrap another, as a kernel's launch does

    def gate(*args, **constants):
        if extent.depth:
            raise Locked(function.__name__)
        return original(*args, **constants)

    gate_name = f"_gate_of_{function.__name__}"
    function.__globals__[gate_name] = gate
    function.__wrapped__ = original  # the signature and the text as before, for who asks
    namespace = {}
    exec(f"def f(*args, **constants): return {gate_name}(*args, **constants)", namespace)
    function.__code__ = namespace["f"].__code__
