"""Eighteen binary attributes of a digit image: with it, 19 modalities of real data.

Six follow from the label.  Twelve are measured on the image and compared with the median of the
training images; each is 1 for about half of them:

    even, prime, five_or_more, multiple_of_three    arithmetic of the digit
    loop              0, 6, 8, 9: drawn with a closed line
    straight          1, 4, 7: drawn with straight lines
    ink               the mean grey value
    tall, wide        the second moments of the ink, vertically and horizontally
    slanted           the covariance of the ink's coordinates
    top, left         the share of ink in that half
    centre            the share of ink in the middle 8×8 pixels
    corner            the share of ink in the top right quarter
    symmetric         the cosine of the angle between the image and its mirror image
    edges             the mean difference of horizontal neighbours, relative to the ink
    lines             the same for vertical neighbours
    peak              the share of ink in the fullest row
"""

import numpy as np

FROM_LABEL = {
    "even": (0, 2, 4, 6, 8),
    "prime": (2, 3, 5, 7),
    "five_or_more": (5, 6, 7, 8, 9),
    "multiple_of_three": (0, 3, 6, 9),
    "loop": (0, 6, 8, 9),
    "straight": (1, 4, 7),
}


def measured(images):
    """Measure images (n, 784) in twelve ways: name → (n,)."""
    x = images.reshape(-1, 28, 28)
    ink = np.maximum(x.sum(axis=(1, 2)), 1e-9)
    share = x / ink[:, None, None]
    at = np.arange(28) - 13.5
    rows, columns = share.sum(axis=2), share.sum(axis=1)
    row_mean, column_mean = rows @ at, columns @ at
    joint = np.einsum("nij,i,j->n", share, at, at)
    return {
        "ink": x.mean(axis=(1, 2)),
        "tall": rows @ at**2 - row_mean**2,
        "wide": columns @ at**2 - column_mean**2,
        "slanted": joint - row_mean * column_mean,
        "top": rows[:, :14].sum(axis=1),
        "left": columns[:, :14].sum(axis=1),
        "centre": share[:, 10:18, 10:18].sum(axis=(1, 2)),
        "corner": share[:, :14, 14:].sum(axis=(1, 2)),
        "symmetric": (x * x[:, :, ::-1]).sum(axis=(1, 2))
        / np.maximum((x**2).sum(axis=(1, 2)), 1e-9),
        "edges": np.abs(np.diff(x, axis=2)).sum(axis=(1, 2)) / ink,
        "lines": np.abs(np.diff(x, axis=1)).sum(axis=(1, 2)) / ink,
        "peak": rows.max(axis=1),
    }


def attributes(values, label, limits):
    """Compare `values` of `measured` with `limits`, and add the label's: name → (n, 1) of 0, 1."""
    flags = {name: np.isin(label, digits) for name, digits in FROM_LABEL.items()}
    flags |= {name: values[name] > limits[name] for name in values}
    return {name: flag[:, None].astype(np.float32) for name, flag in flags.items()}
