"""Measurements: speed, the slides' tables, and the kernels' accuracy."""
