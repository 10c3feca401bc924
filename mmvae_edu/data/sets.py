"""MNIST and its relatives as multimodal data: splits first, pairs second."""

import numpy as np

from .attributes import attributes, measured
from .digits import Digits, Split
from .files import FILES, content
from .formats import parse_idx, parse_svhn

SETS = {  # name → (the files it needs, what it is)
    "mnist": (("mnist",), "grey 28×28 digits in [0, 1], and their label"),
    "binary-mnist": (("mnist",), "the same, black or white: drawn anew at every use in training"),
    "fashion-mnist": (("fashion-mnist",), "grey 28×28 clothes in [0, 1], and their label"),
    "mnist-fashion": (("mnist", "fashion-mnist"), "pairs of a digit and a garment of one class"),
    "mnist-svhn": (("mnist", "svhn"), "pairs of a digit and a house number's digit, 32×32×3"),
    "mnist-attributes": (("mnist",), "a digit and 18 binary attributes of it: 19 modalities, or 2"),
}
PAIR_LIMIT = 10_000  # rows of a class that are paired, as released with MMVAE


def load(name, *, validation=5_000, pairs=5, together=False, seed=0, dtype=np.float32) -> Digits:
    """Load one of SETS from the cache: train, validation and test, as `Split`s.

    Images (n, 784) or (n, 3072) in [0, 1]; label (n, 10) one-hot; each attribute (n, 1).
    validation     the number of last training rows that are held out (of each file, if two are
                   paired); 0 leaves that split empty
    pairs          the number of random matchings of the rows of a class, in train     [MMVAE: 30]
    together       the 18 attributes as one modality "attributes" (n, 18) instead of 18
    A paired Split stores each image once, and `rows` maps examples to images.
    "binary-mnist" has grey images in train, to be drawn as 0 or 1 at every use
    (`fit(..., binarise=("image",))`); those of validation and test are drawn once, by the seed.
    Raises ValueError for an unknown name, or a file that is missing, damaged or another one.
    """
    if name not in SETS:
        raise ValueError(f"no data set {name!r}; there are {', '.join(SETS)}")
    if pairs < 1:
        raise ValueError(f"pairs: expected at least 1, found {pairs}")
    rng = np.random.default_rng(seed)
    views = [_views(source, validation, dtype) for source in SETS[name][0]]
    if len(views) == 2:
        names = name.split("-")
        splits = [
            _paired(names, *parts, pairs if s == 0 else 1, rng)
            for s, parts in enumerate(zip(*views, strict=True))
        ]
    elif name == "mnist-attributes":
        splits = _with_attributes(views[0], together)
    else:
        splits = [Split({"image": x, "label": _one_hot(y, dtype)}, y) for x, y in views[0]]
    if name == "binary-mnist":
        splits[1:] = [drawn(split, rng) for split in splits[1:]]
    return Digits(*splits)


def pair_by_class(label, other, pairs, rng, limit=PAIR_LIMIT):
    """Draw rows (n,) of two sets whose labels agree: `pairs` random matchings of every class.

    Of each class both sets contribute equally many first rows, `limit` at most.
    """
    chosen = [], []
    for c in np.intersect1d(label, other):
        rows = [np.flatnonzero(labels == c)[:limit] for labels in (label, other)]
        n = min(map(len, rows))
        for _ in range(pairs):
            for side, own in zip(chosen, rows, strict=True):
                side.append(rng.permutation(own[:n]))
    return tuple(np.concatenate([np.empty(0, np.int64), *side]) for side in chosen)


def _views(source, validation, dtype):
    """Read ((images, label) of train, of validation, of test); images (n, P) in [0, 1]."""
    if source == "svhn":
        train, test = (parse_svhn(content(file), file.name) for file in FILES[source])
    else:
        arrays = [parse_idx(content(file), file.name) for file in FILES[source]]
        train, test = arrays[:2], arrays[2:]
    (x, y), test = (_checked(source, *part, dtype) for part in (train, test))
    if validation not in range(len(y)):
        raise ValueError(f"validation: expected 0 to {len(y) - 1} rows, found {validation}")
    n = len(y) - validation
    return (x[:n], y[:n]), (x[n:], y[n:]), test


def _checked(source, images, label, dtype):
    if len(images) != len(label):
        raise ValueError(f"{source}: {len(images)} images and {len(label)} labels")
    x = images.reshape(len(images), -1).astype(dtype)
    x /= 255
    return x, label.astype(np.int64)


def _paired(names, first, second, pairs, rng):
    (x, label), (other_x, other) = first, second
    rows = pair_by_class(label, other, pairs, rng)
    return Split(
        dict(zip(names, (x, other_x), strict=True)),
        label[rows[0]],
        dict(zip(names, rows, strict=True)),
    )


def _with_attributes(view, together):
    values = [measured(x) for x, _ in view]
    limits = {name: np.median(found) for name, found in values[0].items()}  # of train
    splits = []
    for (x, y), found in zip(view, values, strict=True):
        each = attributes(found, y, limits)
        if together:
            each = {"attributes": np.concatenate(list(each.values()), axis=1)}
        splits.append(Split({"image": x, **each}, y))
    return splits


def drawn(split, rng):
    """Draw each pixel as 0 or 1, with its grey value as the probability of 1."""
    x = split.x["image"]
    pixels = (rng.random(x.shape, dtype=np.float32) < x).astype(x.dtype)
    return Split({**split.x, "image": pixels}, split.label)


def _one_hot(label, dtype):
    return np.eye(10, dtype=dtype)[label]
