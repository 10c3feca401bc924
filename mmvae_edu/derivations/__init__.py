"""Derivations, checked line by line: `read` a text, `check` it, and write the `rows` in words."""

from .checking import check
from .reading import Unreadable, read

__all__ = ["Unreadable", "check", "read"]
