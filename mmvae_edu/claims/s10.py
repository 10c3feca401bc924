"""Claims about slide 10: what a latent holds, and how often and how surely generations agree."""

import math
from itertools import product

import numpy as np

from ..criteria import (
    coherence,
    correct_for_classifiers,
    kl_per_dimension,
    latent_overlap,
    linear_probe,
    micro_and_macro,
    synergy,
    wilson_interval,
)
from ..oracles import DiscreteModel, LinearGaussian
from .gaussian_instances import exact_posterior
from .registry import T0, T1, claim

# ---- S10.a: what does z know? -----------------------------------------------------------------


def _latents(rng, N=45, D=2, V=3):
    """Draw z (N, D) that knows the class only in part, unequal classes y, three folds unlike y."""
    y = rng.permutation(np.repeat(np.arange(V), [20, 15, 10]))
    z = rng.normal(size=(V, D))[y] + 0.8 * rng.normal(size=(N, D)) + 3
    folds = np.where(rng.uniform(size=N) < 0.6, y, rng.integers(0, V, N))
    return z, y, folds


@claim("S10.a", of=linear_probe, tol=T0, oracle="planted codes")
def the_probe_reads_a_linear_code(f, rng):
    """Where each class has its own corner in z, however mapped, the probe is always right."""
    _, y, folds = _latents(rng)
    z = np.eye(3)[y] @ rng.normal(size=(3, 2)) + 5
    return f(z, y, folds=rng.permutation(folds))[0], y


@claim("S10.a", of=linear_probe, tol=T0, oracle="normal equations, plain loops")
def the_probe_is_least_squares_on_the_other_folds(f, rng):
    """Class and majority of each row come from the rows of the other folds alone."""
    z, y, folds = _latents(rng)
    tested, expected = z + 0.5 * rng.normal(size=z.shape), []
    for n in range(len(y)):
        others = [i for i in range(len(y)) if folds[i] != folds[n]]
        A = np.array([[1, *z[i]] for i in others])
        B = np.array([[y[i] == c for c in range(3)] for i in others])
        scores = [1, *tested[n]] @ np.linalg.inv(A.T @ A) @ A.T @ B
        counts = [sum(y[i] == c for i in others) for c in range(3)]
        expected.append((np.argmax(scores), np.argmax(counts)))
    return f(z, y, folds=folds, tested=tested), np.transpose(expected)


@claim("S10.a", of=linear_probe, tol=T0, oracle="the same latents in other coordinates")
def the_probe_sees_no_coordinates(f, rng):
    """An invertible affine map of z changes no prediction."""
    z, y, folds = _latents(rng)
    mapped = z @ rng.normal(size=(2, 2)) + rng.normal(size=2)
    return f(mapped, y, folds=folds), np.array(f(z, y, folds=folds))


@claim("S10.a", of=linear_probe, tol=T0, oracle="the same rows with other labels")
def a_row_does_not_vote_on_itself(f, rng):
    """With a fold's own labels changed, what is predicted for that fold stays as it was."""
    z, y, folds = _latents(rng)
    other = np.where(folds == 1, (y + 1) % 3, y)
    own = folds == 1
    return np.array(f(z, other, folds=folds))[:, own], np.array(f(z, y, folds=folds))[:, own]


@claim("S10.a", of=linear_probe, tol=T0, oracle="class counts")
def an_empty_latent_gets_the_majority(f, rng):
    """Of a z that is the same for every row, the probe reads the most common class: baseline."""
    y = np.repeat([0, 1, 2], [9, 18, 6])
    return f(np.full((33, 2), rng.normal()), y, folds=np.arange(33) % 3), np.ones((2, 33))


@claim("S10.a", of=linear_probe, tol=T0, oracle="class counts")
def of_equally_common_classes_the_first_is_the_majority(f, rng):
    """Where two classes are equally common among the other folds, the baseline is the smaller."""
    y, folds = np.array([2, 1, 2, 1, 0, 2, 0, 1, 0, 2]), np.repeat([0, 1], 5)
    return f(rng.normal(size=(10, 2)), y, folds=folds)[1], np.repeat([0, 1], 5)


@claim("S10.a", of=latent_overlap, tol=T0, oracle="plain loops")
def the_overlap_compares_dimension_by_dimension(f, rng):
    """The overlap is Σ min over the smaller Σ: the same from both sides, but not of sums alone."""
    found, exact = [], []
    for D in 2, 5:
        first, second = rng.gamma(0.5, size=(2, D))
        common = math.fsum(min(a, b) for a, b in zip(first, second, strict=True))
        found += [f(first, second), f(second, first), f(9 * first, second)]
        exact += [common / min(math.fsum(first), math.fsum(second))] * 2
        common = math.fsum(min(9 * a, b) for a, b in zip(first, second, strict=True))
        exact.append(common / min(9 * math.fsum(first), math.fsum(second)))
    return found, exact


@claim("S10.a", of=latent_overlap, tol=T0, oracle="O3 linear-Gaussian")
def shared_and_private_dimensions_are_told_apart(f, rng):
    """The overlap is 0 of experts with dimensions of their own, 1 if one's are all used as much by
    the other; with one shared dimension it is that dimension's part of the KL."""
    own, common = rng.uniform(0.5, 2, size=(2, 2))
    W = {
        "divided": ([own[0], 0, 0], [0, own[1], 0]),
        "nested": ([own[0], 0, common[0]], [own[0], 0, 0]),
        "shared": ([own[0], 0, common[0]], [0, own[1], common[0]]),
    }
    overlaps = []
    for columns in W.values():
        model = LinearGaussian(
            {"a": np.diag(columns[0]), "b": np.diag(columns[1])},
            {"a": np.zeros(3), "b": np.zeros(3)},
            {"a": 0.7, "b": 0.7},
        )
        _, x = model.sample(rng, 6)
        x["b"] = x["a"]  # so that both see the same of what they share
        kls = []
        for m in "ab":
            kls.append(kl_per_dimension(*exact_posterior(model, x, [n == m for n in x])))
        overlaps.append(f(*kls))
    return overlaps, [0, 1, kls[0][2] / min(kls[0].sum(), kls[1].sum())]


# ---- S10.d: what does the second modality add? ------------------------------------------------


def _entropy(x):
    """Compute the entropy of the rows of x (n, M) as frequencies, in nats."""
    _, counts = np.unique(x, axis=0, return_counts=True)
    return -math.fsum(c / len(x) * math.log(c / len(x)) for c in counts)


def _scores(x, score, *args):
    """Compute score(row, *args) for each row of x, once for each different row."""
    rows, where = np.unique(x, axis=0, return_inverse=True)
    return np.array([score(tuple(row), *args) for row in rows])[where.ravel()]


@claim("S10.d", of=synergy, tol=T0, oracle="O1 enumeration")
def synergy_about_a_third_is_information(f, rng):
    """Of y, which is not given, exact posteriors make the synergy I(y; x_n|x_m), never negative."""
    model, x = counted_model(rng, 3)
    both = _scores(x, model.log_conditional, [2], [0, 1])
    mean, _ = f(both, _scores(x, model.log_conditional, [2], [0]))
    information = _entropy(x[:, [0, 2]]) + _entropy(x[:, :2]) - _entropy(x[:, :1]) - _entropy(x)
    return [mean, min(mean, 0)], [information, 0]


@claim("S10.d", of=synergy, tol=T0, oracle="O1 enumeration")
def synergy_about_itself_is_no_gain(f, rng):
    """Of x_m itself, from one exact z, the synergy is −I(z; x_n|x_m): more given, and no higher."""
    model, x = counted_model(rng, 2)

    def one_sample(row, given):
        return model.elbo(model.posterior(row, given), row, [0])

    def kl(row):
        p, q = model.posterior(row), model.posterior(row, [0])
        return math.fsum(p * np.log(p / q))

    mean, _ = f(_scores(x, one_sample, [0, 1]), _scores(x, one_sample, [0]))
    information = _scores(x, kl).mean()
    return [mean, max(mean, 0)], [-information, 0]


@claim("S10.d", of=synergy, tol=T0, oracle="enumeration of all samples")
def synergy_is_as_sure_as_it_says(f, rng):
    """Over all samples of 3 of 5 kinds of examples, the squared error averages to the variance."""
    both, single = rng.normal(size=(2, 5)) + 2 * rng.normal(size=5)
    samples = [f(both[list(s)], single[list(s)]) for s in product(range(5), repeat=3)]
    mean, error = np.transpose(samples)
    return [mean.mean(), (error**2).mean()], [np.mean(both - single), mean.var()]


@claim("S10.d", of=synergy, tol=T0, oracle="the same differences")
def synergy_is_paired(f, rng):
    """What makes an example harder by as much for both changes nothing."""
    both, single, hard = rng.normal(size=(3, 7))
    return f(both - 5 * hard, single - 5 * hard), f(both, single)


def counted_model(rng, M, V=3):
    """Draw an O1 model whose probabilities are counts, and x (n, M), every x so many times."""
    prior, lik = rng.permutation([1, 2, 3]), rng.permuted(np.tile([1, 2, 4], (3, M, 1)), axis=2)
    rows = [
        x
        for s, here in enumerate(lik)
        for x in product(*(np.repeat(np.arange(V), counts) for counts in here))
        for _ in range(prior[s])
    ]
    model = DiscreteModel(np.log(prior / 6), [np.log(lik[:, m] / 7) for m in range(M)])
    return model, np.array(rows)


# ---- S10.b, S10.c: do generations agree? ------------------------------------------------------


@claim("S10.b", of=coherence, tol=T0, oracle="O1 enumeration")
def coherence_is_the_chance_of_one_class(f, rng):
    """Coherence of what z ~ p(z) generates is the sum over classes v of p(v, v, …)."""
    found, exact = [], []
    for M in 2, 3:
        model, x = counted_model(rng, M)
        found.append(f(rng.permutation(x).T))
        exact.append(math.fsum(math.exp(model.log_evidence([v] * M)) for v in range(3)))
    return found, exact


@claim("S10.b", of=coherence, tol=T0, oracle="planted models")
def planted_coherence(f, rng):
    """A model that always agrees scores 1; an independent one, over V classes, 1/V^(M−1)."""
    agreeing = np.tile(rng.integers(0, 5, 40), (3, 1))
    pairs, triples = (np.array(list(product(range(4), repeat=M))).T for M in (2, 3))
    return [f(agreeing), f(pairs), f(triples)], [1, 1 / 4, 1 / 16]


@claim("S10.c", "S10.b", of=coherence, tol=T0, oracle="O1 enumeration")
def crossing_agrees_as_often_as_the_prior(f, rng):
    """With exact posteriors, x_n made from the model's own x_m agrees as often as jointly made."""
    model, x = counted_model(rng, 2)
    exact = [
        math.fsum(
            math.exp(model.log_evidence([v, v], [m]) + model.log_conditional([v, v], [1 - m], [m]))
            for v in range(3)
        )
        for m in range(2)
    ]
    return [f(x.T[1:], given=x[:, 0]), f(x.T[:1], given=x[:, 1])], exact


@claim("S10.c", of=micro_and_macro, tol=T0, oracle="plain loops")
def micro_counts_rows_macro_counts_classes(f, rng):
    """Micro accuracy is hits over rows; macro accuracy the plain mean of each class's."""
    y, predicted = np.repeat([4, 1, 2], [9, 5, 2]), rng.integers(1, 5, 16)
    predicted[:7] = 4
    hits = {c: [int(p == c) for p, true in zip(predicted, y, strict=True) if true == c] for c in y}
    macro = sum(sum(h) / len(h) for h in hits.values()) / 3
    return f(predicted, y), (sum(map(sum, hits.values())) / 16, macro)


def _binomial(n, p):
    return np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


@claim("S10.b", "S10.c", of=wilson_interval, tol=T1, oracle="roots of the quadratic")
def wilson_solves_its_equation(f, rng):
    """The interval ends at the two p that lie z of their own standard errors from hits/n."""
    n, z = 23, rng.uniform(1, 3)
    hits = np.arange(1, n)
    equations = [[1 + z**2 / n, -2 * k / n - z**2 / n, (k / n) ** 2] for k in hits]
    return np.array(f(hits, n, z=z)), np.sort([np.roots(e) for e in equations]).T


@claim("S10.b", "S10.c", of=wilson_interval, tol=T0, oracle="exact binomial sum")
def wilson_covers_as_often_as_the_score_test_accepts(f, rng):
    """The interval covers p as often as hits/n falls within z standard errors of p, summed
    exactly.
    """
    n, z, ps = 20, rng.uniform(1, 3), rng.uniform(0, 1, size=50)
    low, high = f(np.arange(n + 1), n, z=z)
    covered, accepted = [], []
    for p in ps:
        near = abs(np.arange(n + 1) / n - p) <= z * math.sqrt(p * (1 - p) / n)
        covered.append(_binomial(n, p) @ ((low <= p) & (p <= high)))
        accepted.append(_binomial(n, p) @ near)
    return covered, accepted


@claim("S10.b", "S10.c", of=wilson_interval, tol=T0, oracle="exact binomial sum")
def wilson_covers_as_promised(f, rng):
    """At n = 20 the interval holds p in 94% of cases or more, averaged over p; hits/n ± z s.e.
    does not.
    """
    n, ps = 20, (np.arange(200) + rng.uniform()) / 200
    low, high = f(np.arange(n + 1), n)
    coverage = np.mean([_binomial(n, p) @ ((low <= p) & (p <= high)) for p in ps])
    return np.minimum(coverage, 0.94), 0.94


@claim("S10.b", "S10.c", of=wilson_interval, tol=T0, oracle="closed form")
def no_hit_is_no_certainty(f, rng):
    """No hit of n leaves p up to z²/(n + z²), and n hits leave it down to n/(n + z²)."""
    n, z = 17, rng.uniform(1, 3)
    top = z**2 / (n + z**2)
    return np.array([f(0, n, z=z), f(n, n, z=z)]), np.array([[0, top], [1 - top, 1]])


def _classifiers(rng, V=3):
    """Draw P(predicted|true) of two classifiers of unequal skill, not symmetric."""
    return (share * np.eye(V) + (1 - share) * rng.dirichlet(np.ones(V), V) for share in (0.7, 0.5))


def _seen(J, first, second):
    """Compute P(predicted pair): each true pair's chance, times that of being seen so."""
    cells = list(product(range(len(J)), repeat=2))
    seen = [math.fsum(J[i, j] * first[i, a] * second[j, b] for i, j in cells) for a, b in cells]
    return np.reshape(seen, J.shape)


def _pairs(rng, V=3):
    """Enumerate P(x_1, x_2) of an O1 model."""
    model = DiscreteModel.random(rng, S=4, M=2, V=V)
    return np.exp([[model.log_evidence((v, w)) for w in range(V)] for v in range(V)])


@claim("S10.b", of=correct_for_classifiers, tol=T0, oracle="O1 enumeration")
def classifier_errors_are_undone(f, rng):
    """From the predicted pairs' frequencies, the two confusion matrices give the true pairs'."""
    J, (first, second) = _pairs(rng), _classifiers(rng)
    return f(_seen(J, first, second), first, second), J


@claim("S10.c", of=correct_for_classifiers, tol=T0, oracle="O1 enumeration")
def a_given_label_needs_no_correction(f, rng):
    """In cross coherence the given class is known: its confusion matrix is the identity."""
    J, (_, second) = _pairs(rng), _classifiers(rng)
    return f(_seen(J, np.eye(3), second), np.eye(3), second), J


@claim("S10.b", of=correct_for_classifiers, tol=T0, oracle="O1 enumeration")
def the_correction_is_unbiased(f, rng):
    """Corrected one generated pair at a time, the tables average to that of the true pairs."""
    J, (first, second) = _pairs(rng), _classifiers(rng)
    one_pair = np.eye(9).reshape(9, 3, 3)
    corrected = [f(table, first, second) for table in one_pair]
    return np.tensordot(_seen(J, first, second).ravel(), corrected, axes=1), J


@claim("S10.b", of=correct_for_classifiers, tol=T0, oracle="hand calculation")
def classifiers_that_err_together_are_corrected_too_far(f, rng):
    """The correction assumes that the two err independently. Of two classes, 90% right and always
    with the same error, they see a coherent model as it is, 1.00, and corrected it has 1.28."""
    share = rng.uniform(0.3, 0.7)
    C, seen = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([share, 1 - share])
    raw = np.diag(seen @ C)  # both name the same class, right or wrong
    return np.append(np.trace(raw), np.trace(f(raw, C, C))), np.array([1.0, 1.28125])
