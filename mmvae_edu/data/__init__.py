"""Data sets: the digits that ship with the package, and larger sets from a cache."""

from .digits import SETTINGS, Digits, Split, load_digits, stroke_path, verify

__all__ = ["SETTINGS", "Digits", "Split", "load_digits", "stroke_path", "verify"]
