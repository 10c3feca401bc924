"""The four criteria where no claim looks: tables, edges, three modalities, models and classifiers.

Their formulas are claims of S10.a to S10.d, checked with all others in test_claims.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mmvae_edu.criteria import (
    Classifier,
    confusion,
    correct_for_classifiers,
    corrected_coherence,
    cross_coherence,
    joint_coherence,
    linear_probe,
    pair_table,
    probe,
    shared_nats,
    synergy,
    temperature,
    wilson_interval,
)
from mmvae_edu.data import load_digits
from mmvae_edu.likelihoods import Binomial, Normal
from mmvae_edu.oracles import DiscreteModel


class Reader:
    """A classifier that reads the class from the first feature."""

    def predict(self, x):
        return x[:, 0].astype(int)

    def accuracy(self, x, label):
        return float((self.predict(x) == label).mean())


class Generator:
    """A model that generates these classes, whatever it is asked for."""

    def __init__(self, **classes):
        self.x = {name: np.array(y, dtype=float)[:, None] for name, y in classes.items()}
        self.given = None

    def sample(self, n, *, rng):
        return self.x

    def generate(self, given, target, *, rng):
        self.given = set(given)
        return {target: self.x[target]}


GENERATOR = Generator(a=[0, 1, 2, 2], b=[0, 1, 2, 0], c=[0, 2, 2, 2])


def test_all_modalities_must_agree():
    """Of four triples two agree throughout; the mean over pairs with the first would be 3/4."""
    assert joint_coherence(GENERATOR, dict.fromkeys("abc", Reader()), rng=None) == 0.5
    assert joint_coherence(GENERATOR, dict.fromkeys("ab", Reader()), rng=None) == 0.75


def test_cross_coherence_sees_the_source_alone():
    x = {name: np.zeros((4, 1)) for name in "abc"}
    label = np.array([0, 1, 2, 1])
    assert cross_coherence(GENERATOR, x, label, "a", "b", Reader(), rng=None) == 0.75
    assert GENERATOR.given == {"a"}


def test_pairs_are_counted_in_place():
    table = pair_table(np.array([0, 2, 2, 1]), np.array([1, 0, 0, 1]), classes=3)
    assert_array_equal(table, np.array([[0, 1, 0], [0, 1, 0], [2, 0, 0]]) / 4)


@pytest.mark.parametrize("y", [[0, 1, 3], [0, -1, 2]])
def test_a_class_that_is_none_is_refused(y):
    """Class 3 of 3 would else be counted as class 0 of the next row."""
    for pair in ([0, 1, 2], y), (y, [0, 1, 2]):
        with pytest.raises(ValueError, match="expected classes 0 to 2, found"):
            pair_table(*map(np.array, pair), classes=3)


def test_the_corrected_rates_error_has_one_degree_less():
    y, other = np.array([0, 0, 0]), np.array([0, 0, 1])
    rate, error = corrected_coherence(y, other, np.eye(2), np.eye(2))
    assert_allclose((rate, error), (2 / 3, np.sqrt((2 / 9 + 4 / 9) / 2 / 3)))


def test_classes_may_be_small_integers():
    y = np.arange(26, dtype=np.uint8)
    assert_allclose(pair_table(y, y, classes=26), np.eye(26) / 26, rtol=1e-14)


def test_a_class_below_0_is_refused_wherever_it_is_an_index():
    y, eye = np.array([0, 1, -1]), np.eye(2)
    for use in (
        lambda: corrected_coherence(y, y, eye, eye),
        lambda: probe(np.ones((3, 2)), y, classes=2),
    ):
        with pytest.raises(ValueError, match="expected classes 0 to 1, found -1"):
            use()


def test_confusion_is_given_the_label():
    label, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 1])
    assert_allclose(confusion(label, predicted, classes=2), [[1 / 3, 2 / 3], [0, 1]])


def test_the_correction_of_a_real_classifier_finds_the_true_rate():
    """Drawn from known confusion matrices, the corrected coherence is right and the raw is not."""
    rng, n = np.random.default_rng(1), 200_000
    first, second = (0.6 * np.eye(4) + 0.4 * rng.dirichlet(np.ones(4), 4) for _ in range(2))
    true = rng.integers(0, 4, n)
    partner = np.where(rng.uniform(size=n) < 0.5, true, rng.integers(0, 4, n))
    seen = [
        (rng.uniform(size=(n, 1)) > C.cumsum(axis=1)[y]).sum(axis=1)
        for C, y in ((first, true), (second, partner))
    ]
    table = pair_table(*seen, classes=4)
    corrected, error = corrected_coherence(*seen, first, second)
    agree = np.mean(true == partner)
    assert abs(corrected - agree) < 4 * error
    assert abs(np.trace(table) - agree) > 8 * error
    assert_allclose(corrected, np.trace(correct_for_classifiers(table, first, second)), rtol=1e-12)
    parts = np.reshape(seen, (2, 100, -1)).swapaxes(0, 1)
    spread = np.std([corrected_coherence(*part, first, second)[0] for part in parts], ddof=1)
    assert abs(error / (spread / 10) - 1) < 0.3  # 100 parts: their spread is known to 7%


def test_a_classifier_that_cannot_tell_classes_cannot_be_corrected():
    with pytest.raises(np.linalg.LinAlgError):
        correct_for_classifiers(np.full((2, 2), 0.25), np.full((2, 2), 0.5), np.eye(2))
    y = np.array([0, 1])
    for C in (np.full((2, 2), 0.5), np.eye(2)), (np.eye(2), np.full((2, 2), 0.5)):
        with pytest.raises(np.linalg.LinAlgError):
            corrected_coherence(y, y, *C)


def test_wilson_counts_in_floats_and_refuses_what_is_no_count():
    exact = wilson_interval(200, 250)
    assert wilson_interval(np.uint8(200), np.uint8(250)) == exact
    assert exact[0] < 0.8 < exact[1]
    for hits, n in (0, 0), (11, 10), (-1, 10):
        with pytest.raises(ValueError, match="expected 0 to n hits of n"):
            wilson_interval(hits, n)


def test_the_probe_takes_float32_and_agrees_with_the_trained_one():
    rng, (n, D, V) = np.random.default_rng(2), (900, 5, 3)
    y = rng.integers(0, V, n)
    z = (2 * rng.standard_normal((V, D))[y] + rng.standard_normal((n, D))).astype(np.float32)
    before = z.copy()
    predicted, majority = linear_probe(z, y, folds=np.arange(n) % 3)
    trained = probe(z[:600], y[:600], steps=200).accuracy(z[600:], y[600:])
    assert predicted.dtype == majority.dtype == y.dtype
    assert abs((predicted == y).mean() - trained) < 0.05
    assert (majority == y).mean() < 0.5 < trained
    assert_array_equal(z, before)


@pytest.mark.parametrize("dtype", [float, bool])
def test_synergy_of_hits_counts_both_ways(dtype):
    """+1 twice, −1 once, 0 once: the mean is 1/4, its error that of four differences."""
    gain, error = synergy(np.array([1, 1, 0, 1], dtype), np.array([False, False, True, True]))
    assert gain == 0.25
    assert_allclose(error, np.std([1, 1, -1, 0], ddof=1) / 2)


def test_a_classifier_learns_and_counts():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 300)
    x = (4 * np.eye(3)[y] + rng.standard_normal((300, 3))).astype(np.float32)
    classifier = Classifier(Normal(3), classes=3, hidden=(8,))
    classifier.fit(x, y, steps=200, batch_size=100, learning_rate=1e-2, progress=False)
    assert classifier.accuracy(x, y) == (classifier.predict(x) == y).mean() > 0.9


def test_of_typical_digits_raw_rates_are_right_and_corrected_ones_are_not():
    """Two classifiers of other widths and seeds agree that means of digits show their digit.

    A correction for their errors on real digits, of which neither makes any here, makes more than
    100% of that, and another number for each.
    """
    digits = load_digits("image+label", seed=0)
    train, test = digits.train, digits.test
    x, y = train.x["image"], np.arange(200) % 10
    rng = np.random.default_rng(0)
    drawn = [x[rng.choice(np.flatnonzero(train.label == c), 30)].mean(axis=0) for c in y]
    raw, corrected = [], []
    for hidden, steps, seed in ((64, 64), 400, 0), ((32,), 200, 1):
        classifier = Classifier(Binomial(64, n=16), hidden=hidden)
        options = {"steps": steps, "batch_size": 128, "progress": False, "seed": seed}
        classifier.fit(x, train.label, **options)
        C = confusion(test.label, classifier.predict(test.x["image"]), classes=10)
        seen = classifier.predict(np.array(drawn))
        raw.append(np.mean(seen == y))
        corrected.append(corrected_coherence(y, seen, np.eye(10), C)[0])
    assert min(raw) > 0.99
    assert min(corrected) > 1.03
    assert abs(corrected[0] - corrected[1]) > 0.02


# ---- what is shared -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 0.02, 30])
@pytest.mark.parametrize("purity", [0.1, 0.6, 0.97])
def test_what_is_shared_is_the_information_however_confident_the_model(purity, scale):
    """Exact conditionals, whose logits are scaled, of classes that are equally frequent."""
    rng, C, N = np.random.default_rng(1), 4, 20_000
    label = purity * np.eye(C) + (1 - purity) / C
    truth = DiscreteModel(
        np.full(C, -np.log(C)), [np.log(rng.dirichlet(np.ones(6), size=C)), np.log(label)]
    )
    pairs = np.array(truth.all_x())
    exact = np.array([truth.log_conditional(x, [1], [0]) for x in pairs])
    information = sum(
        np.exp(truth.log_evidence(x)) * (np.log(C) + log_p)
        for x, log_p in zip(pairs, exact, strict=True)
    )
    log_p = scale * exact.reshape(-1, C)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    (seen, y), (apart, known) = (truth.sample(rng, N)[1].T for _ in range(2))
    T = temperature(log_p[apart], known)
    assert T * scale == pytest.approx(1, abs=0.15 / np.sqrt(information))
    nats, error = shared_nats(log_p[seen], y, temperature=T)
    assert abs(nats - information) <= 4 * error + 1e-3
    gap = -log_p[seen, y].mean()
    if scale == 1:  # what is shared is at least ln C − gap, and no more if the model is calibrated
        assert gap == pytest.approx(np.log(C) - nats, abs=1e-3)
    else:
        assert gap > np.log(C) - nats + 0.01 * information


@pytest.mark.parametrize(("label", "nats"), [([0, 1], np.log(2)), ([1, 0], 0)])
def test_labels_that_are_all_right_or_all_wrong_share_everything_or_nothing(label, nats):
    """The best temperature is infinite, or 0; the one that is found is a number."""
    log_p = np.log([[0.9, 0.1], [0.2, 0.8]])
    T = temperature(log_p, np.array(label))
    assert shared_nats(log_p, np.array(label), temperature=T)[0] == pytest.approx(nats, abs=1e-9)
