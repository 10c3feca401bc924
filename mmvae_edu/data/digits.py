"""UCI digits as two or three modalities: 8 x 8 ink counts, pen strokes, the class.

Source: optdigits (Alpaydin, Kaynak 1998) and pendigits (Alpaydin, Alimoglu 1996), UCI, CC BY 4.0;
README.md beside this file says more.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..support.checks import whole_number

FILE = Path(__file__).with_name("uci_digits.npz")
SHA256 = "547525cba534e2f1a4126348c76cec5065bb1c47a918cb7e573ce5a7e7c67d0e"
SETTINGS = ("image+label", "image+strokes", "image+strokes+label")


@dataclass(frozen=True)
class Split:
    """n examples: x maps a modality's name to (n, P) floats; label (n,) is the digit, an int.

    If `rows` is given, example i of a modality is x[name][rows[name][i]]: pairs without copies.
    """

    x: dict[str, np.ndarray]
    label: np.ndarray
    rows: dict[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Digits:
    """The three splits of one setting; no image and no stroke is in two of them."""

    train: Split
    validation: Split
    test: Split


def load_digits(
    setting="image+strokes", *, pairs=20, seed=0, validation=0.1, dtype=np.float32
) -> Digits:
    """Load the embedded digits in one of SETTINGS, split first and paired second.

    image (n, 64): ink counts 0..16, unscaled, for a Binomial(16, p) likelihood, which is normalised
    on them (a modelling choice: the 16 pixels of a cell are not independent).
    strokes (n, 16): x1, y1, x2, y2, ... in drawing order, coordinates c in 0..100 scaled to
    s = c / 50 − 1 in [−1, 1], for a Gaussian or Laplace density. That is a density per scaled unit:
    per original unit, log p(c) = log p(s) − 16 log 50, or 62.6 nats less. A quarter of the
    coordinates are exactly 0 or 100, spikes on which a density grows without limit as its scale
    goes to 0: a learnt scale needs a lower bound, and the nats depend on it.
    label (n, 10): one-hot.

    Test digits come from writers who are not in train and validation. `validation` is the share of
    each class held out of the training writers' images and strokes, at random, hence by the same
    writers as train. Images and strokes have no writer in common, so pairs are drawn within a
    class: an image gets `pairs` distinct partners in train and stands there in as many consecutive
    rows; it gets one partner in validation and in test, where no stroke is used twice. The setting
    "image+label" has nothing to draw and holds each image once. Images keep the file's order. At
    one seed every setting has the same splits, and neither `pairs` nor `validation` changes the
    test pairs.

    Raises ValueError for an unknown setting, pairs < 1 or more than a class has strokes, validation
    outside [0, 1), a dtype that is not floating, or a file that fails `verify`.
    """
    if setting not in SETTINGS:
        raise ValueError(f"setting: expected one of {', '.join(SETTINGS)}, found {setting!r}")
    whole_number("pairs", pairs, 1)
    if not 0 <= validation < 1:
        raise ValueError(f"validation: expected a number in [0, 1), found {validation}")
    if not np.issubdtype(dtype, np.floating):
        raise ValueError(f"dtype: expected a floating type, found {np.dtype(dtype)}")
    names = setting.split("+")
    image, strokes = _read("train", dtype)
    rng = np.random.default_rng(seed)
    # Draws whose number depends on an argument come last: the argument changes none before them.
    test = _pair(*_read("test", dtype), names, 1, rng)
    out_image, out_strokes = (_held_out(label, validation, rng) for _, label in (image, strokes))
    held_out = _pair(_rows(image, out_image), _rows(strokes, out_strokes), names, 1, rng)
    repeats = pairs if "strokes" in names else 1
    train = _pair(_rows(image, ~out_image), _rows(strokes, ~out_strokes), names, repeats, rng)
    return Digits(train, held_out, test)


def stroke_path(x):
    """Undo the scaling of strokes: the pen's path in the box 0..100, (..., 16) to (..., 8, 2)."""
    return 50 * (x.reshape(*x.shape[:-1], 8, 2) + 1)


def verify(path=FILE) -> bytes:
    """Read the bytes of the digits' file; a ValueError if their SHA-256 is not the recorded one."""
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path} is damaged or altered: expected SHA-256 {SHA256}, found {found}")
    return content


def _read(part, dtype):
    """Read ((images (n, 64), label (n,)), (strokes (n', 16), label (n',))) of "train" or "test"."""
    with np.load(io.BytesIO(verify(FILE)), allow_pickle=False) as raw:  # the bytes just verified
        image = raw[f"image_{part}"].reshape(-1, 64).astype(dtype)
        strokes = raw[f"stroke_{part}"].reshape(-1, 16).astype(dtype) / 50 - 1
        label = [raw[f"{view}_{part}_label"].astype(np.int64) for view in ("image", "stroke")]
    return (image, label[0]), (strokes, label[1])


def _rows(view, mask):
    x, label = view
    return x[mask], label[mask]


def _held_out(label, share, rng):
    """Draw a mask (n,), True for `share` of the rows of each class, rounded down."""
    mask = np.zeros(len(label), dtype=bool)
    for c in range(10):
        rows = rng.permutation(np.flatnonzero(label == c))
        mask[rows[: int(share * len(rows))]] = True
    return mask


def _partners(label, stroke_label, pairs, rng):
    """Draw rows of same-class strokes (n, pairs), distinct in a row, and in a column if n allows.

    Image i of a class takes strokes i + shift_1, i + shift_2, ... of one shuffled circle.
    """
    partners = np.empty((len(label), pairs), dtype=np.int64)
    for c in np.unique(label):
        image = np.flatnonzero(label == c)
        circle = rng.permutation(np.flatnonzero(stroke_label == c))
        if pairs > len(circle):
            raise ValueError(f"pairs: expected at most {len(circle)} for digit {c}, found {pairs}")
        shift = rng.choice(len(circle), pairs, replace=False)
        partners[image] = circle[(np.arange(len(image))[:, None] + shift) % len(circle)]
    return partners


def _pair(image, strokes, names, pairs, rng):
    (x, label), (s, stroke_label) = image, strokes
    partners = _partners(label, stroke_label, pairs, rng)
    x, label = np.repeat(x, pairs, axis=0), np.repeat(label, pairs)
    views = {"image": x, "strokes": s[partners.ravel()], "label": np.eye(10, dtype=x.dtype)[label]}
    return Split({name: views[name] for name in names}, label)
