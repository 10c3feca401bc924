"""Whole systems as one function each: the bound, and its gradient read from the bottom up.

`models` does the same for any networks, modalities and masks; here nothing is general, and a
system with all its gradients fits on a screen.
"""
