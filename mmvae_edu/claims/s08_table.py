"""Claims about slide 8's Table 2 itself: its own arithmetic, and how sure a mean is."""

import itertools
import math
from collections import Counter
from decimal import Decimal

import numpy as np

from ..slides.s08_table_2 import bootstrap_ci, consistency_report
from .instances import printed, random_table
from .registry import T0, T1, claim

TEN_CLASSES = ("binary-mnist", "mnist", "fashion-mnist")


def _printed():
    """Read the slide's rows with all three blocks: (data set, system) → three Decimals."""
    return {
        (data, system): cells
        for data, systems in printed("S8.T2", Decimal).items()
        for system, cells in systems.items()
        if len(cells) == 3 and not any(cell.is_nan() for cell in cells)
    }


def _floats(cells):
    return np.array([[float(cell) for cell in row] for row in cells])


@claim("S8.T2", of=consistency_report, tol=T1, oracle="the slides' numbers, decimal arithmetic")
def what_the_slides_table_implies(f, rng):
    """Every row of the slides implies a log p(x2|x1), a log p(x2) and what x2 adds to x1."""
    cells = list(_printed().values())
    exact = [[b - a, b - c, c - a] for a, b, c in cells]
    return f(_floats(cells))[0], _floats(exact)


@claim("S8.T2", of=consistency_report, tol=T0, oracle="the slides' numbers")
def the_slides_joint_is_below_their_marginal(f, rng):
    """In no row of the slides is log p(x2|x1) = joint − marginal above 0."""
    implied, flags = f(_floats(_printed().values()))
    return [np.sign(implied[:, 0].max()), 1.0 * flags[:, 0].any()], [-1.0, 0.0]


@claim("S8.T2", of=consistency_report, tol=T0, oracle="log of the number of classes")
def the_slides_mvae_knows_how_often_labels_occur(f, rng):
    """On three sets of ten classes MVAE's joint − conditional, its log p(x2), is −ln 10 to 0.02
    nats: that of the label alone, whatever the model knows of which image has it."""
    implied, _ = f(_floats(_printed()[data, "MVAE"] for data in TEN_CLASSES))
    off = abs(implied[:, 1] + math.log(10)).max()
    return [max(off, 0.02)], [0.02]


@claim("S8.T2", of=consistency_report, tol=T0, oracle="probabilities are at most 1")
def one_cell_of_the_slides_is_impossible(f, rng):
    """Only MVAE-Q on CelebA has log p(x2) > 0, a "probability" above e^16: it cannot be."""
    printed = _printed()
    implied, flags = f(_floats(printed.values()))
    impossible = [1.0 * (row == ("celeba", "MVAE-Q")) for row in printed]
    return [*flags[:, 1], min(implied[:, 1].max(), 16)], [*impossible, 16]


def _exact_table(rng, S=6):
    """Average exact log p over all (x1, x2); also H(x2|x1), H(x2), I(x1; x2) of each of S rows."""
    table, information = [], []
    for _ in range(S):
        P = random_table(rng, (3, 4))
        P1, P2 = P.sum(axis=1), P.sum(axis=0)
        marginal, joint, label = P1 @ np.log(P1), (P * np.log(P)).sum(), P2 @ np.log(P2)
        table.append([marginal, joint, joint - label])
        of_label = math.fsum(p * math.log(P1[i] / p) for (i, _), p in np.ndenumerate(P))
        shared = math.fsum(p * math.log(p / P1[i] / P2[j]) for (i, j), p in np.ndenumerate(P))
        information.append([of_label, -math.fsum(P2 * np.log(P2)), shared])
    return np.array(table), np.array(information)


@claim("S8.T2", of=consistency_report, tol=T0, oracle="O1 enumeration")
def exact_rows_pass(f, rng):
    """Of exact means the differences are −H(x2|x1), −H(x2) and I(x1; x2), and none is flagged."""
    table, information = _exact_table(rng)
    implied, flags = f(table, entropy=information[:, 1])
    return [implied, flags], [information * [-1, -1, 1], np.zeros((6, 3))]


@claim("S8.T2", of=consistency_report, tol=T0, oracle="O1 enumeration")
def an_overconfident_model_breaks_the_third_rule(f, rng):
    """Exact means of a model whose p(x2|x1) is too sure keep the first two rules, and may break the
    third: log p(x1|x2) falls below log p(x1) by as much as log p(x2|x1) below log p(x2)."""
    share = rng.uniform(0.6, 0.7)  # of two labels, whatever the image; the model claims 0.99
    label, marginal = math.log(0.5), -math.log(rng.uniform(2, 9))
    of_label = share * math.log(0.99) + (1 - share) * math.log(0.01)
    row = [marginal, marginal + of_label, marginal + of_label - label]
    implied, flags = f(np.array([row]), entropy=math.log(2))
    return np.append(implied, flags), np.array([of_label, label, of_label - label, 0, 0, 1])


@claim("S8.T2", of=consistency_report, tol=T0, oracle="tampered O1 rows")
def a_tampered_cell_is_flagged(f, rng):
    """A cell moved by more than its row leaves open is flagged, by the checks that it breaks."""
    table, information = _exact_table(rng)
    _, entropy, shared = information.T
    table[1, 1] += 1.5 * entropy[1]  # the joint above the marginal: log p(x2) = H / 2
    table[2, 2] -= shared[2] + 0.5  # the conditional below the marginal
    table[3, 0] += shared[3] + 0.5  # the marginal above the conditional
    table[4, 2] -= 0.002  # the conditional too low for the labels' entropy
    table[5, 2] += 0.5  # a label that the model predicts badly, which can be
    _, flags = f(table, entropy=information[:, 1])
    broken = [[0, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
    return 1.0 * flags, np.array(broken)


@claim("S8.T2", of=consistency_report, tol=T0, oracle="O1 rows, as if rounded")
def rounding_and_missing_cells_are_no_fault(f, rng):
    """What rounding to three digits may do to exact rows is not flagged, nor is a missing cell."""
    table, information = _exact_table(rng)
    table += [0, 0.0004, -0.0004]
    table[0, 2], table[1, :2] = np.nan, np.nan
    return 1.0 * f(table, entropy=information[:, 1])[1], np.zeros((6, 3))


# ---- how sure is the mean over the test examples? ---------------------------------------------


def _resampled_means(values):
    """List all means of N draws with replacement, in order, and the chance of each."""
    N, found = len(values), []
    for rows in itertools.combinations_with_replacement(range(N), N):
        orders = math.factorial(N) // math.prod(map(math.factorial, Counter(rows).values()))
        found.append((math.fsum(values[n] for n in rows) / N, orders / N**N))
    return np.transpose(sorted(found))


def _safe_level(chances, resamples):
    """Find the level whose ends lie most standard errors inside an atom of the distribution."""
    steps = np.concatenate([[0], np.cumsum(chances)])
    tails = np.linspace(0.02, 0.4, 200)
    ends = np.stack([tails, 1 - tails])
    gap = abs(ends[..., None] - steps).min(axis=-1) / np.sqrt(tails * (1 - tails) / resamples)
    return 1 - 2 * tails[gap.min(axis=0).argmax()]


@claim("S8.T2", of=bootstrap_ci, tol=T0, oracle="enumeration of all resamples")
def the_bootstrap_has_the_enumerated_percentiles(f, rng):
    """The bootstrap's ends are percentiles of the means of all draws of N with replacement."""
    lhs, rhs = [], []
    for N in 2, 3:
        values = rng.normal(-86, 4, size=N)
        means, chances = _resampled_means(values)
        level = _safe_level(chances, 2000)
        at = np.searchsorted(np.cumsum(chances), [(1 - level) / 2, (1 + level) / 2])
        lhs.append(f(values, rng, level=level, resamples=2000))
        rhs.append(means[at])
    return np.array(lhs), np.array(rhs)


@claim("S8.T2", of=bootstrap_ci, tol=T0, oracle="a single mean")
def one_resample_has_no_spread(f, rng):
    """Of one resample both ends are its mean, at any level; of 2000, the default, they differ."""
    values = rng.normal(-86, 4, size=50)
    (low, high), ends = f(values, rng, resamples=1), f(values, rng)
    return [low - high, ends[0] < ends[1]], [0.0, 1.0]


@claim("S8.T2", of=bootstrap_ci, tol=T0, oracle="normal law")
def the_bootstrap_of_many_is_normal(f, rng):
    """The bootstrap's interval of 200 values is 2 · 1.96 standard errors wide, to a tenth."""
    values = rng.normal(-86, 4, size=200)
    low, high = f(values, rng)
    width = (high - low) / (2 * 1.96 * values.std() / math.sqrt(200))
    return [max(abs(width - 1), 0.1)], [0.1]
