"""Multimodal variational autoencoders in NumPy, every gradient written by hand."""

from .version import __version__

__all__ = ["__version__"]
