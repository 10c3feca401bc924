"""Claims about slide 10's generations: coherence behind classifiers that err."""

import math
from itertools import product

import numpy as np

from ..criteria import correct_for_classifiers
from ..oracles import DiscreteModel
from .registry import T0, claim, mutant


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


@mutant(correct_for_classifiers, says="not corrected: these are the predicted pairs", hint=1)
def left_uncorrected(table, first, second):
    return table.copy()


@mutant(correct_for_classifiers, says="transposed confusion matrices: rows are the true classes")
def confusion_transposed(table, first, second):
    return correct_for_classifiers(table, first.T, second.T)


@mutant(correct_for_classifiers, says="the classifiers are swapped: `first` belongs to the rows")
def classifiers_swapped(table, first, second):
    return correct_for_classifiers(table, second, first)


@mutant(correct_for_classifiers, says="inverse on the wrong side: firstᵀ stands left of J")
def inverse_on_the_wrong_side(table, first, second):
    return np.linalg.inv(second) @ table @ np.linalg.inv(first.T)


@mutant(correct_for_classifiers, says="only the first classifier is corrected for")
def second_left_uncorrected(table, first, second):
    return correct_for_classifiers(table, first, np.eye(len(second)))


@mutant(
    correct_for_classifiers, says="negative entries cut off: their noise no longer cancels", hint=3
)
def negative_entries_cut(table, first, second):
    J = np.maximum(correct_for_classifiers(table, first, second), 0)
    return J / J.sum()


@mutant(
    correct_for_classifiers,
    says="P(true|predicted) of the test set: that changes with its classes",
    hint=1,
)
def bayes_for_the_inverse(table, first, second):
    return first / first.sum(axis=0) @ table @ (second / second.sum(axis=0)).T
