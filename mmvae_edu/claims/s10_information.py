"""Claims about slide 10's latents: what a linear probe reads, and what a second modality adds."""

import math
from itertools import product

import numpy as np

from ..criteria import linear_probe, synergy
from .registry import T0, claim
from .s10_agreement import counted_model

# ---- S10.a: what does z know? -----------------------------------------------------------------


def _latents(rng, N=45, D=2, V=3):
    """z (N, D) that knows the class only in part, y of unequal classes, three folds unlike y."""
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


# ---- S10.d: what does the second modality add? ------------------------------------------------


def _entropy(x):
    """Entropy of the rows of x (n, M) as frequencies, in nats."""
    _, counts = np.unique(x, axis=0, return_counts=True)
    return -math.fsum(c / len(x) * math.log(c / len(x)) for c in counts)


def _scores(x, score, *args):
    """score(row, *args) for each row of x, computed once for each different row."""
    rows, where = np.unique(x, axis=0, return_inverse=True)
    return np.array([score(tuple(row), *args) for row in rows])[where.ravel()]


@claim("S10.d", of=synergy, tol=T0, oracle="O1 enumeration")
def synergy_about_a_third_is_information(f, rng):
    """Of y, which is not given, exact posteriors make it I(y; x_n|x_m), never negative."""
    model, x = counted_model(rng, 3)
    both = _scores(x, model.log_conditional, [2], [0, 1])
    mean, _ = f(both, _scores(x, model.log_conditional, [2], [0]))
    information = _entropy(x[:, [0, 2]]) + _entropy(x[:, :2]) - _entropy(x[:, :1]) - _entropy(x)
    return [mean, min(mean, 0)], [information, 0]


@claim("S10.d", of=synergy, tol=T0, oracle="O1 enumeration")
def synergy_about_itself_is_no_gain(f, rng):
    """Of x_m itself, from one exact z, it is −I(z; x_n|x_m): more given, and no higher."""
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
