"""The digits that ship with the package: images, pen strokes and labels, paired by class."""

from .digits import SETTINGS, Digits, Split, load_digits, stroke_path, verify

__all__ = ["SETTINGS", "Digits", "Split", "load_digits", "stroke_path", "verify"]
