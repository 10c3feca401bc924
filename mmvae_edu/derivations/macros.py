"""Definitions by `let`: what their parameters stand for where they are used."""

import ast
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scope:
    """The variables and indices that the parameters of a macro stand for."""

    variables: dict = field(default_factory=dict)  # name → list of Var
    indices: dict = field(default_factory=dict)
    macros: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Macro:
    """A definition by `let`, of a name alone where left is empty."""

    left: list  # of Var
    right: list
    index: str | None
    body: ast.AST
    known: dict  # the macros before it

    @property
    def is_term(self):
        """Say whether it is no distribution: its one parameter stands for any variables."""
        return not self.right and _is_list(self.left)

    def bind(self, left, right, index):
        """Return the scope in which the parameters are these variables, or None."""
        if (self.index is None) != (index is None) or bool(self.left) != bool(left or right):
            return None
        variables, indices = {}, {} if index is None else {self.index: index}
        for parameters, actual in (self.left, left), (self.right, right):
            if _is_list(parameters):
                variables[parameters[0].base] = actual
                continue
            if len(parameters) != len(actual):
                return None
            for own, v in zip(parameters, actual, strict=True):
                if own.index is None:
                    variables[own.base] = [v]
                elif (isinstance(own.index, str) and own.base == v.base
                      and not isinstance(v.index, tuple)):  # fmt: skip
                    indices[own.index] = v.index
                elif own != v:
                    return None
        return Scope(variables, indices, self.known)


def _is_list(parameters):
    """Say whether the parameters are one capital letter, which stands for any variables."""
    return len(parameters) == 1 and parameters[0].base.isupper()
