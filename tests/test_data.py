"""The embedded digits: the file, the splits, the pairing, the scaling."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmvae_edu.data import SETTINGS, digits, load_digits, stroke_path, verify

PARTS = ("train", "validation", "test")
DERANDOMIZED = settings(derandomize=True, deadline=None, max_examples=15)


@pytest.fixture(scope="module")
def raw():
    with np.load(io.BytesIO(verify()), allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def data():
    return load_digits("image+strokes+label")


def keys(rows):
    """Each row of integers as bytes, which name it: the rows of the file are distinct."""
    return [row.tobytes() for row in rows.astype(np.uint8)]


def instances(split):
    """The keys of a split's images and strokes, undoing the scaling."""
    return keys(split.x["image"]), keys(np.rint(stroke_path(split.x["strokes"])))


# The file


def test_rows_of_the_file(raw):
    shapes = {
        "image_train": (3823, 8, 8),
        "image_test": (1797, 8, 8),
        "stroke_train": (7494, 8, 2),
        "stroke_test": (3498, 8, 2),
    }
    assert set(raw) == set(shapes) | {f"{name}_label" for name in shapes}
    for name, shape in shapes.items():
        top = 16 if name.startswith("image") else 100
        assert raw[name].dtype == np.uint8
        assert raw[name].shape == shape
        assert (raw[name].min(), raw[name].max()) == (0, top)
        assert np.bincount(raw[f"{name}_label"], minlength=10).min() > 170
    assert raw["stroke_train"][0].ravel()[:6].tolist() == [47, 100, 27, 81, 57, 37]
    assert raw["image_test"][0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


@pytest.mark.parametrize(("view", "count"), [("image", 5620), ("stroke", 10992)])
def test_all_instances_are_distinct(raw, view, count):
    assert len(set(keys(raw[f"{view}_train"]) + keys(raw[f"{view}_test"]))) == count


def damaged(how):
    content = bytearray(verify())
    if how == "truncated":
        return content[:-1]
    content[len(content) // 2] ^= 1
    return content


@pytest.mark.parametrize("how", ["truncated", "one bit flipped"])
def test_damaged_file_is_refused(tmp_path, monkeypatch, how):
    path = tmp_path / "uci_digits.npz"
    path.write_bytes(damaged(how))
    monkeypatch.setattr(digits, "FILE", path)
    for read in (load_digits, lambda: verify(path)):
        with pytest.raises(ValueError, match="damaged or altered") as error:
            read()
        found = digits.hashlib.sha256(path.read_bytes()).hexdigest()
        assert all(part in str(error.value) for part in (str(path), digits.SHA256, found))


# Splits


@DERANDOMIZED
@given(st.integers(0, 2**32), st.floats(0, 0.9), st.integers(1, 3))
@example(0, 0.1, 20)
@example(0, 0.0, 1)
def test_no_instance_is_in_two_splits(seed, validation, pairs):
    data = load_digits(seed=seed, validation=validation, pairs=pairs)
    for view in (0, 1):
        train, held_out, test = (set(instances(getattr(data, part))[view]) for part in PARTS)
        assert not train & held_out
        assert not train & test
        assert not held_out & test


@DERANDOMIZED
@given(st.integers(0, 2**32), st.floats(0, 0.999))
@example(0, 0.0)
@example(0, 0.001)
def test_every_image_is_in_its_own_part(raw, seed, validation):
    data = load_digits("image+label", seed=seed, validation=validation)
    train, held_out = keys(data.train.x["image"]), keys(data.validation.x["image"])
    assert sorted(train + held_out) == sorted(keys(raw["image_train"]))
    assert np.array_equal(data.test.x["image"], raw["image_test"].reshape(-1, 64))
    assert np.array_equal(data.test.label, raw["image_test_label"])
    share = np.bincount(raw["image_train_label"]) * validation
    assert np.bincount(data.validation.label, minlength=10).tolist() == share.astype(int).tolist()


def test_images_keep_the_order_of_the_file(data, raw):
    row = {key: i for i, key in enumerate(keys(raw["image_train"]))}
    for split in (data.train, data.validation):
        assert (np.diff([row[key] for key in instances(split)[0]]) >= 0).all()


# Pairing


@pytest.mark.parametrize("part", PARTS)
def test_pairs_share_their_class(data, raw, part):
    file = "test" if part == "test" else "train"
    split = getattr(data, part)
    for view, found in zip(("image", "stroke"), instances(split), strict=True):
        digit = dict(zip(keys(raw[f"{view}_{file}"]), raw[f"{view}_{file}_label"], strict=True))
        assert [digit[key] for key in found] == split.label.tolist()


@pytest.mark.parametrize("pairs", [1, 7, 20])
def test_each_training_image_has_that_many_partners(pairs):
    data = load_digits(pairs=pairs)
    image, strokes = instances(data.train)
    n = len(load_digits("image+label").train.label)
    assert len(image) == n * pairs
    for i in range(0, len(image), pairs):
        assert len(set(image[i : i + pairs])) == 1
        assert len(set(strokes[i : i + pairs])) == pairs
    assert len(set(image)) == n


@pytest.mark.parametrize("part", PARTS[1:])
def test_one_partner_each_outside_train(data, part):
    image, strokes = instances(getattr(data, part))
    assert len(image) == len(set(image)) == len(set(strokes))


def test_partners_are_uniform_within_the_class():
    """chi² over two images' ordered partners, 6 · 5 outcomes, is within 4 σ of its mean."""
    n, draws = 6, 6000
    label, stroke_label = np.array([3, 3, 5]), np.array([5, 3, 3, 3, 5, 3, 3, 3])
    rng = np.random.default_rng(0)
    found = np.array([digits._partners(label, stroke_label, 2, rng) for _ in range(draws)])
    rank = (np.cumsum(stroke_label == 3) - 1)[found[:, :2]]
    for a, b in [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 1), (0, 1))]:
        joint = np.bincount(n * rank[:, *a] + rank[:, *b], minlength=n * n).reshape(n, n)
        assert np.trace(joint) == 0
        outcomes = n * (n - 1)
        off_diagonal = joint[~np.eye(n, dtype=bool)]
        chi2 = ((off_diagonal - draws / outcomes) ** 2 / (draws / outcomes)).sum()
        assert chi2 < (outcomes - 1) + 4 * np.sqrt(2 * (outcomes - 1))


# Values


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_types_and_ranges(setting, dtype):
    data = load_digits(setting, pairs=2, dtype=dtype)
    width = {"image": 64, "strokes": 16, "label": 10}
    low_high = {"image": (0, 16), "strokes": (-1, 1), "label": (0, 1)}
    for split in (data.train, data.validation, data.test):
        assert list(split.x) == setting.split("+")
        assert split.label.dtype == np.int64
        for name, x in split.x.items():
            assert x.shape == (len(split.label), width[name])
            assert x.dtype == dtype
            assert (x.min(), x.max()) == low_high[name]
        if "label" in split.x:
            assert (split.x["label"].sum(axis=1) == 1).all()
            assert np.array_equal(split.x["label"].argmax(axis=1), split.label)


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_stroke_path_undoes_the_scaling(raw, dtype, error):
    test = load_digits(dtype=dtype).test
    original = dict(zip(keys(raw["stroke_test"]), raw["stroke_test"], strict=True))
    path = stroke_path(test.x["strokes"])
    expected = np.array([original[key] for key in instances(test)[1]], dtype=dtype)
    assert path.dtype == dtype
    assert np.abs(path - expected).max() < error
    assert np.array_equal(stroke_path(test.x["strokes"][0]), path[0])
    assert (path[expected == 0] == 0).all()
    assert (path[expected == 100] == 100).all()


# Seeds and arguments


def same(a, b):
    return np.array_equal(a.label, b.label) and all(np.array_equal(a.x[k], b.x[k]) for k in a.x)


def test_the_seed_decides_everything():
    one, two, other = (load_digits(seed=seed, pairs=3) for seed in (5, 5, 6))
    for part in PARTS:
        assert same(getattr(one, part), getattr(two, part))
        assert not same(getattr(one, part), getattr(other, part))


def test_settings_share_their_splits_and_pairs():
    one, two, three = (load_digits(setting, pairs=3) for setting in SETTINGS)
    for part in PARTS:
        a, b, c = (getattr(data, part) for data in (one, two, three))
        assert same(b, c)
        assert np.array_equal(a.x["image"], b.x["image"][:: 3 if part == "train" else 1])


def test_arguments_move_nothing_before_them():
    base = load_digits(pairs=2)
    assert same(base.test, load_digits(pairs=3, validation=0.3).test)
    assert same(base.validation, load_digits(pairs=3).validation)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"setting": "image+sound"}, "one of image.label, image.strokes, .*, found"),
        ({"pairs": 0}, "pairs: expected a whole number, at least 1, found 0"),
        ({"pairs": 700}, "pairs: expected at most 6.. for digit ., found 700"),
        ({"validation": 1.0}, r"validation: expected a number in \[0, 1\), found 1.0"),
        ({"validation": -0.1}, "validation: expected"),
        ({"validation": float("nan")}, "validation: expected"),
        ({"dtype": np.int64}, "floating type, found int64"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_digits(**arguments)
