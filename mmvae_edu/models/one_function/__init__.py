"""Whole systems as one function each: forwards, and backwards read from the bottom up.

`models` do the same for any networks, modalities and masks; here nothing is general, so that a
system with all its gradients fits on a screen.
"""
