"""Measures of a latent: KL per dimension, active units, and the four criteria of S10."""

import numpy as np

from . import training
from .gaussian import neg_kl_std_normal
from .kernels import inner
from .likelihoods import Categorical, Normal
from .networks import init_mlp, mlp, mlp_shapes
from .support.batches import check_batch
from .support.checks import finite_number, finite_numbers, whole_number
from .support.parameters import Tree

HOTTEST = 1000.0  # the largest temperature: that of labels without an error is infinite


class Classifier:
    """log p(label|x) by the MLP of the models; with hidden=() it is a linear probe.

    likelihood: that of the inputs, which gives the number of features and what the network sees.
    `training.fit` trains it like a model: its "bound" is the log probability of the label, in nats
    an example.
    """

    condition = ("x",)  # has no likelihood of its own

    def __init__(self, likelihood, classes=10, hidden=(256, 256)):
        if not hasattr(likelihood, "features"):
            raise ValueError(f"likelihood: expected one such as Normal(2), found {likelihood!r}")
        whole_number("classes", classes, 1)
        if not isinstance(hidden, tuple | list):
            raise ValueError(f"hidden: expected sizes such as (256, 256), found {hidden!r}")
        for size in hidden:
            whole_number("hidden", size, 1)
        self.modalities = {"x": likelihood, "label": Categorical(classes)}
        self.hidden = hidden
        self.tree = Tree(mlp_shapes((likelihood.features, *hidden, classes)))
        self.theta = None

    def init(self, rng, dtype=np.float32):
        theta = np.zeros(self.tree.size, dtype=dtype)
        init_mlp(self.tree.views(theta), rng)
        return theta

    def draw_noise(self, rng, N, K, dtype=np.float32, xp=np):
        return {}

    def checked_batch(self, theta, x, mask=None):
        w = self.tree.views(theta)
        return check_batch(self.modalities, x, mask, theta), w

    def backend(self, array):
        return inner(array)

    def bound(self, theta, x, *, beta=1.0):
        """Compute log p(label|x), (N,) in nats, and its pullback: dbound (N,) → dtheta."""
        batch, w = self.checked_batch(theta, x)
        x, kernels = self._input(batch.x["x"]), self.backend(theta)
        logits, mlp_pullback = mlp(w, x, input_gradient=False, kernels=kernels)
        log_prob, label_pullback = self.modalities["label"].log_prob({}, logits, x=batch.x["label"])

        def bound_pullback(dbound):
            dtheta = np.empty_like(theta)
            mlp_pullback(label_pullback(dbound)[1], out=self.tree.views(dtheta))
            return dtheta

        return log_prob, bound_pullback

    def fit(self, x, label, **options):
        """Train on x (n, P) and label (n,) int; returns self."""
        classes = self.modalities["label"].features
        one_hot = np.eye(classes)[_classes("label", label, classes)]
        training.fit(self, {"x": x, "label": one_hot}, **options)
        return self

    def predict(self, x):
        """Return the most probable label of each row, (n,) int."""
        if self.theta is None:
            raise ValueError("this Classifier has no parameters yet: fit first")
        x = finite_numbers("x", x, ("N", self.modalities["x"].features))
        return mlp(self.tree.views(self.theta), self._input(x))[0].argmax(axis=-1)

    def accuracy(self, x, label):
        """Compute the fraction of rows whose most probable label is `label` (micro accuracy)."""
        predicted = self.predict(x)
        label = _classes("label", label, self.modalities["label"].features, predicted.shape)
        return float((predicted == label).mean())

    def config(self):
        return {"likelihood": str(self.modalities["x"]), "hidden": self.hidden}

    def _input(self, x):
        return self.modalities["x"].network_input(x)


def probe(z, label, *, classes=10, steps=600, seed=0):
    """Train a linear classifier of z (n, D), one draw an example, by Adam.  [S10.a, S13.T1]

    It measures latent factorisation; test it on the latents of other examples.
    """
    options = {"steps": steps, "batch_size": 256, "learning_rate": 1e-2, "progress": False}
    z = finite_numbers("z", z, ("N", "D"))
    label = _classes("label", label, classes, z.shape[:1])
    linear = Classifier(Normal(z.shape[1]), classes, hidden=())
    return linear.fit(z, label, seed=seed, **options)


def cross_coherence(model, x, label, source, target, classifier, *, rng):
    """Measure how often the target generated from one z ~ q(z|source) is right.  [S10.c, S13.T2]"""
    if source not in x:
        raise ValueError(f"source: expected one of {list(x)}, found {source!r}")
    generated = model.generate({source: x[source]}, target, rng=rng)[target]
    return classifier.accuracy(generated, label)


def joint_coherence(model, classifiers, *, n=10_000, rng):
    """Measure how often all modalities of one z ~ p(z) show the same class.  [S10.b, S13.T2]"""
    generated = model.sample(n, rng=rng)
    if unknown := classifiers.keys() - generated.keys():
        raise ValueError(f"classifiers: expected some of {list(generated)}, found {unknown}")
    return coherence(np.array([c.predict(generated[name]) for name, c in classifiers.items()]))


def linear_probe(z, y, *, folds, tested=None):
    """Predict each row's class from z by a linear map, to measure latent factorisation.  [S10.a]

        W_f = argmin Σ_{n not in fold f} ‖one_hot(y_n) − [1, z_n] W‖²
        class of row n in fold f:  argmax [1, tested_n] W_f

    z (N, D) latents, one draw a row; y (N,) classes 0..V−1; folds (N,) ints; tested (N, D) other
    latents of the same rows, z by default: if they were inferred from another modality, right
    answers show information that both share.  Returns two (N,) arrays of classes: the probe's, and
    as baseline the most common class of the other folds (of equal ones the first).
    Raises ValueError if all rows are of one fold, since none is left to learn from.
    """
    z = finite_numbers("z", z, ("N", "D"))
    y = _classes("y", y, shape=z.shape[:1])
    folds = finite_numbers("folds", folds, y.shape)
    if tested is not None:
        tested = finite_numbers("tested", tested, z.shape)
    if (folds == folds[0]).all():
        raise ValueError(f"folds: expected at least 2, found fold {folds[0]} alone")
    one_hot = np.eye(y.max() + 1)[y]
    known, asked = (np.insert(a, 0, 1, axis=1) for a in (z, z if tested is None else tested))
    predicted, majority = np.empty_like(y), np.empty_like(y)
    for fold in np.unique(folds):
        held_out = folds == fold
        W = np.linalg.lstsq(known[~held_out], one_hot[~held_out])[0]
        predicted[held_out] = (asked[held_out] @ W).argmax(axis=1)
        majority[held_out] = one_hot[~held_out].sum(axis=0).argmax()
    return predicted, majority


def micro_and_macro(predicted, y):
    """Compute accuracy with equal weight for each row, and for each class of y.   [S10.c]

    predicted, y (N,) classes.  The two differ where the classes differ in size and difficulty.
    """
    predicted = _classes("predicted", predicted)
    y = _classes("y", y, shape=predicted.shape)
    hit = predicted == y
    return float(hit.mean()), float(np.mean([hit[y == c].mean() for c in np.unique(y)]))


def coherence(y, *, given=None):
    """Compute the fraction of N generations whose M modalities show one class.  [S10.b, S10.c]

    y (M, N): the class that a classifier sees in modality m of generation n; given (N,): the class
    of the data from which z was inferred, which all must show then.
    """
    y = _classes("y", y, shape=("M", "N"))
    if given is not None:
        given = _classes("given", given, shape=y.shape[1:])
    return float((y == (y[0] if given is None else given)).all(axis=0).mean())


def pair_table(first, second, *, classes):
    """Compute the frequency of each pair of classes: first, second (N,) ints; (V, V), sum 1."""
    first = _classes("first", first, classes)
    cell = first * classes + _classes("second", second, classes, first.shape)
    return np.bincount(cell, minlength=classes**2).reshape(classes, classes) / len(cell)


def temperature(log_p, label):
    """Fit T of softmax_c(T log_p) to the labels by maximum likelihood: one number.   [S10.c]

        d/dT mean_n log softmax_c(T log_p_n)[label_n] = 0

    log_p (N, C), nats; label (N,) ints.  The objective is concave in T, so bisection finds the
    root in [0, HOTTEST]; labels without an error have none, and get a T that is large enough.  Fit
    it on other examples than those of which it is to say something.
    """
    log_p, true = _log_odds(log_p, label)

    def slope(T):
        p = np.exp(T * log_p)
        return (true - (p * log_p).sum(axis=1) / p.sum(axis=1)).mean()

    low, high = 0.0, HOTTEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return low


def shared_nats(log_p, label, *, temperature):
    """Estimate the nats that log_p tells of the label, and the error.       [S10.c]

        ln C + mean_n log softmax_c(T log_p_n)[label_n],   T = temperature

    Between 0 and ln C for a T of `criteria.temperature`, up to chance: a lower bound of the
    information where the C classes are equally frequent.  A decoder that multiplies its logits, and
    so is over- or underconfident, has another T and the same number.
    """
    finite_number("temperature", temperature, 0)
    log_p, true = _log_odds(log_p, label)
    nats = temperature * true - np.log(np.exp(temperature * log_p).mean(axis=1))
    _several("log_p", nats)
    return nats.mean(), nats.std(ddof=1) / np.sqrt(len(nats))


def _log_odds(log_p, label):
    """Return log_p (N, C) less each row's maximum, in float64, and its values at the labels."""
    log_p = finite_numbers("log_p", log_p, ("N", "C")).astype(np.float64)
    label = _classes("label", label, log_p.shape[1], log_p.shape[:1])
    log_p -= log_p.max(axis=1, keepdims=True)
    return log_p, log_p[np.arange(len(label)), label]


def _classes(name, y, classes=None, shape=("N",)):
    """Return classes as int64; a ValueError where one is not 0..V−1, for any V if it is None."""
    y = finite_numbers(name, y, shape)
    if y.dtype.kind not in "iu" or not y.size:
        raise ValueError(
            f"{name}: expected classes as integers, found {y.dtype} of shape {y.shape}"
        )
    if classes is not None:
        whole_number("classes", classes, 1)
    if y.min() < 0 or (classes is not None and y.max() >= classes):
        last = "V − 1" if classes is None else classes - 1
        raise ValueError(f"{name}: expected classes 0 to {last}, found {y.min()} to {y.max()}")
    return y.astype(np.int64)


def _probabilities(name, table, shape):
    """Return P(predicted|true); a ValueError for counts, or for a table the other way round."""
    table = finite_numbers(name, table, shape)
    if not np.allclose(table.sum(axis=1), 1):
        raise ValueError(f"{name}: expected rows that sum to 1, found {table.sum(axis=1)}")
    return table


def _several(name, values):
    """Raise a ValueError for fewer than two values, whose spread gives no error."""
    if len(values) < 2:
        raise ValueError(f"{name}: expected at least 2 values, found {len(values)}")


def confusion(label, predicted, *, classes):
    """Estimate P(predicted|label) of a classifier on real data: (V, V), each row sums to 1.

    Raises ValueError where a class has no row.
    """
    label = _classes("label", label, classes)
    predicted = _classes("predicted", predicted, classes, label.shape)
    table = pair_table(label, predicted, classes=classes)
    total = table.sum(axis=1, keepdims=True)
    if not total.all():
        raise ValueError(f"label: expected all {classes} classes, found {np.unique(label)}")
    return table / total


def correct_for_classifiers(table, first, second):
    """Estimate the pairs of true classes behind pairs of predicted ones.   [S10.b, S10.c]

        table = firstᵀ J second   solved for J;   the coherence is trace(J)

    table (V, V): frequencies of predicted pairs; first, second (V, V): P(predicted|true) of the two
    classifiers, the identity for a given label.  Assumes that on generated data each classifier
    errs as on real data, and independently of the other.  J is linear in the table: unbiased, and
    its entries may be negative by chance.
    """
    table = finite_numbers("table", table, ("V", "V"))
    first = _probabilities("first", first, table.shape)
    second = _probabilities("second", second, table.shape)
    half = np.linalg.solve(first.T, table)
    return np.linalg.solve(second.T, half.T).T


def corrected_coherence(first, second, C_first, C_second):
    """Estimate the coherence behind pairs of predicted classes, and its error.  [S10.b, S10.c]

        trace(J) = mean_n W[first_n, second_n],   W = C_first⁻¹ C_second⁻ᵀ

    J as in `correct_for_classifiers`; first, second (N,): the predicted classes of N generations,
    or a given label, whose matrix is the identity.  C (V, V): P(predicted|true), taken as known:
    the standard error is that of the N alone.  Raises LinAlgError where a C cannot be inverted.
    """
    C_first = _probabilities("C_first", C_first, ("V", "V"))
    C_second = _probabilities("C_second", C_second, C_first.shape)
    weights, V = np.linalg.solve(C_first, np.linalg.inv(C_second).T), len(C_first)
    first = _classes("first", first, V)
    scores = weights[first, _classes("second", second, V, first.shape)]
    _several("first", first)
    return scores.mean(), scores.std(ddof=1) / np.sqrt(len(scores))


def wilson_interval(hits, n, *, z=1.96):
    """Compute Wilson's interval (low, high) for the probability of `hits` in n.  [S10.b, S10.c]

        |hits/n − p| = z sqrt(p (1 − p) / n)   solved for p

    The standard error is that of p, not of hits/n: 0 of n hits does not mean certainty.
    """
    hits, n = (1.0 * finite_numbers(name, v) for name, v in (("hits", hits), ("n", n)))
    finite_number("z", z, 0)
    if not ((hits >= 0) & (hits <= n) & (n > 0)).all():
        raise ValueError(f"hits: expected 0 to n hits of n, found {hits} of {n}")
    centre = hits + z**2 / 2
    half = z * np.sqrt(hits * (n - hits) / n + z**2 / 4)
    return (centre - half) / (n + z**2), (centre + half) / (n + z**2)


def synergy(both, single):
    """Compute the second modality's gain, the mean of both − single, and its error.  [S10.d]

    both, single (N,): a score of the same N examples given both modalities and given one, such as
    log p(x_m|·) or log p(label|·) in nats, or a probe's hits (0 and 1, or bool).  The differences
    are paired, which removes how easy or hard an example is for both.
    """
    both = finite_numbers("both", both, ("N",), "biuf")
    single = finite_numbers("single", single, both.shape, "biuf")
    _several("both", both)
    difference = 1.0 * both - single
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))


def kl_per_dimension(mu, log_var):
    """Compute the mean KL(q(z_d|x) ‖ p(z_d)) of each latent dimension, over the examples.  [S6.1]

        (1/N) Σ_n ½ [mu_nd² + var_nd − 1 − log var_nd]

    mu, log_var (N, D) of one expert, the prior N(0, I); returns (D,), nats, at least 0.  The sum is
    the mean KL of S6.1; a dimension at 0 has collapsed: every x has q(z_d|x) = p(z_d).
    """
    mu = finite_numbers("mu", mu, ("N", "D"))
    log_var = finite_numbers("log_var", log_var, mu.shape)
    if not mu.size:
        raise ValueError(f"mu: expected at least 1 example and dimension, found shape {mu.shape}")
    neg_kl, _ = neg_kl_std_normal(mu[..., None], log_var[..., None])  # of one dimension each
    return -neg_kl.mean(axis=0, dtype=np.float64)


def latent_overlap(first, second):
    """Compute how much of two experts' KL lies in the same dimensions of z.     [S10.a]

        Σ_d min(first_d, second_d) / min(Σ_d first_d, Σ_d second_d)

    first, second (D,) of `kl_per_dimension`, nats.  1: where the expert that uses less of z uses a
    dimension, the other uses it at least as much; 0: they have no dimension in common.
    """
    first = finite_numbers("first", first, ("D",))
    second = finite_numbers("second", second, first.shape)
    for name, kl in ("first", first), ("second", second):
        if kl.min(initial=0) < -1e-6 or not kl.sum() > 0:  # rounding may leave a KL of −1e-9
            raise ValueError(f"{name}: expected a KL for each dimension, not all 0, found {kl}")
    return np.minimum(first, second).sum() / min(first.sum(), second.sum())


def active_units(mu, *, threshold=0.01):
    """Say which latent dimensions' posterior means vary over the examples.       [S6.1]

    mu (N, D); returns (D,) bool: is Var_n mu_nd above the threshold?
    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2015.
    """
    mu = finite_numbers("mu", mu, ("N", "D"))
    finite_number("threshold", threshold, 0)
    _several("mu", mu)
    return mu.var(axis=0, dtype=np.float64) > threshold
