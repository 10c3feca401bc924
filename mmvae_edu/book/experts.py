"""The figure of two Gaussian experts: drawn here as SVG, moved in the browser by experts.js."""

FIGURES = {"11", "20"}  # the lessons of slides 7 and 11


def figure():
    return ""
