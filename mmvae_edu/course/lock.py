"""The lock on the library's version of a function while the learner's version of it runs.

Claims' oracles and mistakes go on using the library, since they run outside the lock.
"""

import sys
from functools import wraps

from ..claims import CLAIMS
from .exercises import exercises


class Locked(BaseException):
    """The learner's function called the library's; a BaseException, so no `except` hides it."""


class Lock:
    """`with lock:` marks code of the learner's, in which calling one of `functions` raises Locked.

    Inside, a gate stands for the function under every name that the library has for it: in its
    modules, claims and exercises.  What the learner imports there is the gate.  It may nest.
    """

    def __init__(self, functions=()):
        self.depth = 0
        gates = {id(function): self._gate(function) for function in functions}
        self.places = [
            (names, name, gates[id(value)], value)
            for names in map(vars, [*library(), *CLAIMS.values(), *exercises().values()])
            for name, value in names.items()
            if id(value) in gates
        ]

    def _gate(self, function):
        @wraps(function)
        def gate(*args, **constants):
            if self.depth:
                raise Locked(function.__name__)
            return function(*args, **constants)

        return gate

    def __enter__(self):
        self.depth += 1
        for names, name, gate, _ in self.places:
            names[name] = gate

    def __exit__(self, *problem):
        self.depth -= 1
        for names, name, _, function in self.places if self.depth == 0 else ():
            names[name] = function


def library():
    """List the modules of this package that are loaded."""
    return [module for name, module in sys.modules.items() if f"{name}.".startswith("mmvae_edu.")]
