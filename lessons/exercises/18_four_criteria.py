"""The four criteria as numbers: probes of z, agreement of generations, and their errors."""

import numpy as np

from mmvae_edu.course import todo


def linear_probe(z, y, *, folds, tested=None):
    """Predict each row's class from z by least squares, fitted on the other folds.       [S10.a]

    z (N, D), y (N,) classes 0..V-1, folds (N,) ints; tested (N, D) are the latents to classify,
    z where it is None.  One-hot classes are regressed on [1, z]; z may be constant.
    -> two (N,) arrays of classes: the probe's, and the most common class of the other folds.
    Of equal classes the first counts.
    """
    return todo("L18.linear_probe")


def latent_overlap(first, second):
    """Compute how much of two experts' KL lies in the same dimensions of z.               [S10.a]

    first, second (D,) mean KL of each dimension, nats, neither all 0 -> a number: 1 if the expert
    that uses less of z has its KL where the other has as much, 0 without a common dimension
    """
    return todo("L18.latent_overlap")


def coherence(y, *, given=None):
    """Compute how often all modalities of one z show one class, and the given one.  [S10.b, S10.c]

    y (M, N) classes in M modalities of N generations, given (N,) or None -> a number from 0 to 1
    """
    return todo("L18.coherence")


def correct_for_classifiers(table, first, second):
    """Estimate the frequencies of pairs of true classes behind predicted ones.    [S10.b, S10.c]

    table (V, V) frequencies of predicted pairs; first, second (V, V) P(predicted|true) of the two
    classifiers, a row a true class -> (V, V), whose trace is the coherence
    """
    return todo("L18.correct_for_classifiers")


def wilson_interval(hits, n, *, z=1.96):
    """Compute the two p that lie z of their own standard errors from hits/n.      [S10.b, S10.c]

    hits a number or an array, n a number -> low, high, each like hits
    """
    return todo("L18.wilson_interval")


def synergy(both, single):
    """Compute the mean of both - single over the N examples, and its standard error.      [S10.d]

    (N,), (N,) scores of the same examples -> two numbers
    """
    return todo("L18.synergy")
