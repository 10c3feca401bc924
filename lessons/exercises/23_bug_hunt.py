"""The bug hunt: for each of twelve files a check that exposes its mistake, and the repair.

Some of the files hold one mistake, some hold none; `python 23_bug_hunt.py` prints where they are
and what your checks say about them.

check_NN(file) is given versions of the file, right ones and wrong ones, each as a module: write an
assert that fails, or return False, for the wrong ones.  What counts is what the file's docstrings
promise; how a version computes it does not.  Shapes are always right, and versions differ in the
function that fix_NN names.  mmvae_edu.course.hunt.gradient_agrees(op, *args, **constants) says
whether a pullback is the derivative.

fix_NN(..., file) is the function of the file that its docstring names, as it should be.  Its other
functions, which are right, may be used, as in file.log_normal(...); if the file is clean, hand its
own answer back.
"""

import numpy as np

from mmvae_edu.course import todo
from mmvae_edu.course.hunt import report, verdict


@verdict
def check_01(file):
    """Does 01_gaussian_sampler.py keep its promises?                                [S5.12]"""
    return todo("L23.check_01")


def fix_01(mu, log_var, *, eps, file):
    """Compute what `sample` promises.                                             [S5.12]

    (N, D), (N, D), eps (K, N, D) -> z (K, N, D), and its pullback
    """
    return todo("L23.fix_01")


@verdict
def check_02(file):
    """Does 02_count_likelihood.py keep its promises?                                [S5.13]"""
    return todo("L23.check_02")


def fix_02(logits, *, x, n, file):
    """Compute what `log_likelihood` promises.                                     [S5.13]

    logits (K, N, P), counts x (N, P) -> (K, N), and its pullback
    """
    return todo("L23.fix_02")


@verdict
def check_03(file):
    """Does 03_triple_elbo.py keep its promises?                                      [S6.3]"""
    return todo("L23.check_03")


def fix_03(joint, unimodal, log_lik, *, file):
    """Compute what `triple_elbo` promises.                                         [S6.3]

    (mu, log_var), M such pairs, a function -> (N,)
    """
    return todo("L23.fix_03")


@verdict
def check_04(file):
    """Does 04_product_of_experts.py keep its promises?                               [S7.5]"""
    return todo("L23.check_04")


def fix_04(mu, log_var, *, file):
    """Compute what `product_of_experts` promises.                                  [S7.5]

    (M, N, D), (M, N, D) -> the pair (mean, log_var), (N, D) each, and its pullback
    """
    return todo("L23.fix_04")


@verdict
def check_05(file):
    """Does 05_evaluate_likelihood.py keep its promises?                              [S9.2]"""
    return todo("L23.check_05")


def fix_05(x, mu, log_var, log_joint, *, eps, file):
    """Compute what `log_evidence` promises.                                        [S9.2]

    (N, P), (N, D), (N, D), a function, eps (K, N, D) -> (N,)
    """
    return todo("L23.fix_05")


@verdict
def check_06(file):
    """Does 06_iwae_objective.py keep its promises?                                   [S9.2]"""
    return todo("L23.check_06")


def fix_06(log_px_z, log_pz, log_qz, *, file):
    """Compute what `objective` promises.                                     [S9.2, S9.4]

    three (K, N) -> a number, and its pullback
    """
    return todo("L23.fix_06")


@verdict
def check_07(file):
    """Does 07_weighted_modalities.py keep its promises?                              [S6.1]"""
    return todo("L23.check_07")


def fix_07(x, mu, log_var, log_lik, *, eps, file):
    """Compute what `log_evidence` promises.                                        [S6.1]

    list of (N, P_m), (N, D), (N, D), a function, eps (K, N, D) -> (N,)
    """
    return todo("L23.fix_07")


@verdict
def check_08(file):
    """Does 08_importance_gradient.py keep its promises?                              [S9.2]"""
    return todo("L23.check_08")


def fix_08(log_w, *, file):
    """Compute what `bound` promises.                                         [S9.2, S9.4]

    (K, N) -> (N,), and its pullback
    """
    return todo("L23.fix_08")


@verdict
def check_09(file):
    """Does 09_mixture_density.py keep its promises?                                 [S11.3]"""
    return todo("L23.check_09")


def fix_09(z, mu, log_var, *, present, file):
    """Compute what `log_mixture` promises.                                        [S11.3]

    (K, N, D), (M, N, D), (M, N, D), present (M, N) -> (K, N), and its pullback
    """
    return todo("L23.fix_09")


@verdict
def check_10(file):
    """Does 10_mixture_bound.py keep its promises?                                   [S11.4]"""
    return todo("L23.check_10")


def fix_10(mu, log_var, log_joint, *, eps, file):
    """Compute what `mixture_bound` promises.                                      [S11.4]

    (M, N, D), (M, N, D), a function, eps (M, K, N, D) -> (N,)
    """
    return todo("L23.fix_10")


@verdict
def check_11(file):
    """Does 11_expert_likelihood.py keep its promises?                                [S9.5]"""
    return todo("L23.check_11")


def fix_11(mu, log_var, log_joint, *, expert, eps, file):
    """Compute what `log_evidence` promises.                                        [S9.5]

    (M, N, D), (M, N, D), a function, an index, eps (K, N, D) -> (N,)
    """
    return todo("L23.fix_11")


@verdict
def check_12(file):
    """Does 12_conditional_likelihood.py keep its promises?                          [S8.T2]"""
    return todo("L23.check_12")


def fix_12(log_px1, log_px2, log_pz, log_q, *, file):
    """Compute what `log_conditional` promises.                                    [S8.T2]

    four (K, N) -> (N,)
    """
    return todo("L23.fix_12")


if __name__ == "__main__":
    report(globals())
