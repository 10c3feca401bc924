"""Claims about slide 10's generations: coherence behind classifiers that err."""

import math
from itertools import product

import numpy as np

from ..criteria import correct_for_classifiers
from ..oracles import DiscreteModel
from .registry import T0, claim


def _classifiers(rng, V=3):
    """P(predicted|true) of two classifiers of unequal skill, not symmetric."""
    return (share * np.eye(V) + (1 - share) * rng.dirichlet(np.ones(V), V) for share in (0.7, 0.5))


def _seen(J, first, second):
    """P(predicted pair): each true pair's chance, times that of being seen so."""
    cells = list(product(range(len(J)), repeat=2))
    seen = [math.fsum(J[i, j] * first[i, a] * second[j, b] for i, j in cells) for a, b in cells]
    return np.reshape(seen, J.shape)


def _pairs(rng, V=3):
    """P(x_1, x_2) of an O1 model, by enumeration."""
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


@claim("S10.b", of=correct_for_classifiers, tol=T0, oracle="planted models")
def corrected_coherence_of_a_coherent_model_is_one(f, rng):
    """Classifiers that err see a coherent model disagree; corrected, its coherence is 1."""
    J, (first, second) = np.diag(rng.dirichlet(np.ones(3))), _classifiers(rng)
    return np.trace(f(_seen(J, first, second), first, second)), 1.0


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
