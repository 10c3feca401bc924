"""Bad input gets one sentence (what, where, expected, found) and changes nothing."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmvae_edu.likelihoods import Bernoulli, Binomial, Categorical, Normal
from mmvae_edu.models import IWAE, MMVAE, MVAE, VAE
from mmvae_edu.support.batches import Batch, Paired, check_batch

MODALITIES = {"image": Binomial(4, n=16), "label": Categorical(3), "strokes": Normal(2)}
N = 5


def good():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 17, (N, 4)).astype(float),
        "label": np.eye(3)[rng.integers(0, 3, N)],
        "strokes": rng.standard_normal((N, 2)),
    }


def mask(**rows):
    """All present but those named: mask(label=[1, 2])."""
    present = np.ones((3, N), dtype=bool)
    for m, name in enumerate(MODALITIES):
        present[m, rows.get(name, [])] = False
    return present


def put(name, index, value):
    x = good()
    x[name][index] = value
    return x


def without(name):
    return {key: values for key, values in good().items() if key != name}


nan, inf = np.nan, np.inf
BAD = {
    "no dict": ([good()["image"]], None, r"x: expected a dict of name → array, found list"),
    "no modality": ({}, None, r"x: expected at least one of \['image', 'label', 'strokes'\]"),
    "unknown": (
        good() | {"sound": np.ones((N, 2))}, None, r"x: unknown modality 'sound'; this model has",
    ),
    "features": (
        good() | {"image": np.ones((N, 5))}, None,
        r"x\['image'\]: expected shape \(N, 4\), found \(5, 5\)",
    ),
    "rows": (
        good() | {"label": np.eye(3)}, None,
        r"x\['label'\]: expected shape \(5, 3\) \(N as in 'image'\), found \(3, 3\)",
    ),
    "one row as a vector": (
        good() | {"image": np.ones(4)}, None, r"x\['image'\]: expected shape .*, found \(4,\)",
    ),
    "a number": ({"strokes": np.array(1.0)}, None, r"x\['strokes'\]: expected shape .*found \(\)"),
    "a number for a label": (
        {"label": np.array(1)}, None, r"x\['label'\]: expected shape .*found \(\)$",
    ),
    "a bare number": ({"strokes": 1.0}, None, r"x\['strokes'\]: expected"),
    "None": ({"strokes": None}, None, r"x\['strokes'\]: expected"),
    "text": ({"strokes": np.full((N, 2), "a")}, None, r"x\['strokes'\]: expected .*numbers"),
    "ragged": ({"strokes": [[1.0, 2.0], [3.0]]}, None, r"x\['strokes'\]: expected"),
    "complex": ({"strokes": np.ones((N, 2)) * 1j}, None, r"x\['strokes'\]: expected .*numbers"),
    "empty": (
        {name: values[:0] for name, values in good().items()}, None,
        "x: expected at least one example, found an empty batch",
    ),
    "NaN": (
        put("strokes", (3, 1), nan), None,
        r"x\['strokes'\]: expected finite float\d\d values, found nan at example 3, feature 1",
    ),
    "infinity": (put("image", (0, 2), inf), None, r"found inf at example 0, feature 2"),
    "NaN of a present row": (
        put("strokes", (3, 1), nan), mask(strokes=[1]), r"found nan at example 3, feature 1",
    ),
    "negative count": (
        put("image", (2, 0), -1), None, r"x\['image'\]: expected values in \[0, 16\], found .*\[-1",
    ),
    "count above n": (put("image", (2, 0), 17), None, r"expected values in \[0, 16\], found"),
    "half a count": (
        put("image", (2, 0), 2.5), None, r"expected whole counts out of 16, found fractions",
    ),
    "soft label": (
        put("label", 1, 1 / 3), None, r"x\['label'\]: expected one-hot rows, found rows",
    ),
    "two labels": (put("label", 1, [1, 1, 0]), None, r"x\['label'\]: expected one-hot rows"),
    "mask of numbers": (
        good(), mask().astype(float),
        r"mask: expected bool of shape \(3, 5\) \(M, N\), found float64 of shape \(3, 5\)",
    ),
    "mask by name": (
        good(), dict.fromkeys(good(), np.ones(N, bool)),
        r"mask: expected bool of shape \(M, N\), a row for each of \['image', .* found a dict",
    ),
    "codes": (
        good() | {"label": np.arange(N) % 3}, None, r"found \(5,\); one-hot rows are np.eye\(3\)",
    ),
    "codes as a column of floats": (
        good() | {"label": np.ones((N, 1))}, None, r"found \(5, 1\); one-hot rows are np.eye\(3\)",
    ),
    "mask transposed": (
        good(), mask().T, r"mask: expected .*\(3, 5\).* found bool of shape \(5, 3\)",
    ),
    "mask claims an absent key": (
        without("label"), mask(), r"mask: row 1 says that 'label' is present, but x has no",
    ),
    "an example with nothing": (
        good(), mask(image=[4], label=[4], strokes=[4]),
        r"mask: example 4 has no modality at all; every example needs one",
    ),
}  # fmt: skip
SYSTEMS = {"MVAE": MVAE, "MMVAE": MMVAE}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("system", SYSTEMS)
def test_bad_input_is_refused_and_nothing_changes(case, system):
    x, present, sentence = copy.deepcopy(BAD[case])
    model = SYSTEMS[system](MODALITIES, latent=2, hidden=(3,))
    theta = model.init(np.random.default_rng(0), np.float64)
    before, theta_before = copy.deepcopy((x, present)), theta.copy()
    eps = model.draw_noise(np.random.default_rng(1), N, 2, np.float64)["eps"]
    with pytest.raises(ValueError, match=sentence) as caught:
        model.bound(theta, x, mask=present, eps=eps)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=sentence):
        model.fit(x, mask=present, steps=2, progress=False)
    assert model.theta is None  # not even half trained
    assert repr((x, present)) == repr(before)
    assert_array_equal(theta, theta_before)


@pytest.mark.parametrize("system", [VAE, IWAE, MVAE, MMVAE])
@pytest.mark.parametrize(
    "change",
    [lambda s: (s[0], 0, *s[2:]), lambda s: (s[0] + 1, *s[1:]), lambda s: (*s[:2], N + 1, s[3]),
     lambda s: (*s[:3], s[3] + 1), lambda s: s[1:]],
    ids=["K=0", "terms", "rows", "latent", "no axis of terms"],
)  # fmt: skip
def test_noise_of_the_wrong_shape_is_refused(system, change):
    modalities = {"strokes": Normal(2)}
    model = system(modalities, latent=2, hidden=(3,))
    theta = model.init(np.random.default_rng(0))
    eps = np.zeros(change(model.noise_shape(N, 3)))
    with pytest.raises(ValueError, match=r"eps: expected shape \(.*K at least 1, found \("):
        model.bound(theta, {"strokes": good()["strokes"]}, eps=eps)


def test_a_mask_beside_checked_or_paired_data_is_refused():
    model = MVAE(MODALITIES, latent=2, hidden=(3,))
    theta, present = model.init(np.random.default_rng(0)), np.ones((3, N), bool)
    batch, _ = model.checked_batch(theta, good())
    paired = Paired(good(), dict.fromkeys(good(), np.arange(N)))
    for x in batch, paired:
        with pytest.raises(ValueError, match=f"mask: a {type(x).__name__} has none beside it"):
            model.checked_batch(theta, x, present)


def test_random_subsets_have_to_be_given():
    model = MVAE(MODALITIES, latent=2, hidden=(3,), subsets=1)
    theta = model.init(np.random.default_rng(0), np.float64)
    eps = np.zeros(model.noise_shape(N, 1))
    with pytest.raises(ValueError, match="sampled: expected the random subsets"):
        model.bound(theta, good(), eps=eps)


@pytest.mark.parametrize("value", ["1.0000001", "-1e-08"])
def test_a_value_just_outside_the_range_is_printed_with_its_digits(value):
    x = {"x": np.array([[0.5, float(value)]])}
    with pytest.raises(ValueError, match=rf"expected values in \[0, 1\], found .*{value}"):
        check_batch({"x": Bernoulli(2)}, x, None, np.zeros(1, np.float32))


def test_what_float32_cannot_hold_is_refused():
    model = MVAE(MODALITIES, latent=2, hidden=(3,))
    with pytest.raises(ValueError, match="expected finite float32 values, found inf at example 3"):
        model.fit(put("strokes", (3, 1), 1e39), steps=1, progress=False)


def test_latents_may_be_of_any_numbers():
    model = MVAE(MODALITIES, latent=2, hidden=(3,))
    model.theta = model.init(np.random.default_rng(0))
    for z in [[0.5, 1.0]], np.array([[0.5, 1.0]]):
        assert model.decode(z)["image"].dtype == np.float32
    assert list(model.decode(z, "label")) == ["label"]


class Tensor:
    """What converts itself, and whose dtype is not NumPy's, as in PyTorch."""

    dtype = "float64"

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_good_input_in_many_forms_gives_one_batch():
    """Lists, integers, another key order, float32 data: all become theta's dtype in model order."""
    theta = np.zeros(1)
    expected = check_batch(MODALITIES, good(), None, theta)
    forms = [
        {name: values.tolist() for name, values in good().items()},
        dict(reversed(good().items())),
        good() | {"image": good()["image"].astype(int), "label": good()["label"].astype(bool)},
        {name: np.asfortranarray(values) for name, values in good().items()},
        {name: Tensor(values) for name, values in good().items()},
    ]
    for x in forms:
        batch = check_batch(MODALITIES, x, None, theta)
        assert list(batch.x) == list(MODALITIES)
        for name, values in batch.x.items():
            assert values.dtype == np.float64
            assert_array_equal(values, expected.x[name])
    assert expected.mask is None
    assert expected.index == [0, 1, 2]


def test_what_is_missing_becomes_zero_and_may_have_been_anything():
    x, present = put("strokes", (3, 1), nan), mask(strokes=[3], image=[0])
    x["image"][0] = -99
    batch = check_batch(MODALITIES, x, present, np.zeros(1, np.float32))
    assert_array_equal(batch.x["strokes"][3], 0)
    assert_array_equal(batch.x["image"][0], 0)
    assert_array_equal(batch.present, present)
    assert batch.x["image"].dtype == np.float32
    assert np.isnan(x["strokes"][3, 1])  # the caller's array is as it was


def test_present_in_and_take():
    batch = check_batch(MODALITIES, without("label"), mask(label=range(N), image=[2]), np.zeros(1))
    assert batch.index == [0, 2]
    full = batch.present_in(MODALITIES)
    assert_array_equal(full, mask(label=range(N), image=[2]))
    part = batch.take(np.array([2, 0]))
    assert isinstance(part, Batch)
    assert part.size == 2
    assert_array_equal(part.x["strokes"], batch.x["strokes"][[2, 0]])
    assert_array_equal(part.present, [[False, True], [True, True]])
    assert check_batch(MODALITIES, part, None, np.zeros(1)) is part
