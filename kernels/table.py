"""The table of kernels, which every backend, the tests, the accuracy table and the benchmark read.

A kernel is a function of `reference`.  Its row describes its arrays and their checks; a backend
makes the function from the row and its own compiled code.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from numbers import Real

import numpy as np

from . import reference
from ._inputs import counted


@dataclass(frozen=True)
class Kernel:
    """One row of the table.

    name       of the function in `reference`, of its loop on the CPU and of its CUDA kernels, which
               take lengths, constants, inputs in the order of the call, and outputs (the loop:
               start, stop, constants, inputs, outputs)
    inputs     array → its axes; arrays stand in the order in which they are checked
    outputs    the same for what is returned; empty if the kernel works in place
    several    the arrays whose first axis stands for any number of axes: "…N" below
    sizes      axis → its length in the benchmark, in the order in which CUDA kernels take lengths
    grid       the method of `_gpu.Device` that lays threads over the axes; "" if GPU backends have
               the function of `reference`
    examples   the neighbouring axes that numba_cpu deals out; the benchmark scales the last one
    constants  (*lengths, **options) → other numbers that the compiled code takes
    check      a check of the arguments that are no arrays
    nonempty   axis → the beginning of the error message if its length is 0
    in_place   the inputs that the kernel changes
    """

    name: str
    inputs: dict
    outputs: dict
    several: set
    sizes: dict
    grid: str
    examples: tuple = ("N",)
    constants: Callable = lambda *lengths, **options: ()
    check: Callable = lambda **options: None
    nonempty: dict = field(default_factory=dict)
    in_place: tuple = ()

    @cached_property
    def signature(self):
        return signature(getattr(reference, self.name))

    @cached_property
    def arrays(self):
        """The names of the inputs, in the order of the call."""
        return [name for name in self.signature.parameters if name in self.inputs]

    @cached_property
    def options(self):
        """The names of the other arguments."""
        return [name for name in self.signature.parameters if name not in self.inputs]


def row(name, sizes, grid, inputs, outputs, **others):
    """Make a Kernel from arrays written as "logits(…L N P) x(N P)"."""
    several = set(re.findall(r"(\w+)\(…", inputs + outputs))

    def axes(arrays):
        found = re.findall(r"(\w+)\(…?([^)]*)\)", arrays)
        return {array: tuple(letters.split()) for array, letters in found}

    return Kernel(name, axes(inputs), axes(outputs), several, sizes, grid, **others)


def check_trials(n):
    if not isinstance(n, Real) or isinstance(n, bool) or not n > 0:
        raise ValueError(f"n: expected a positive number, found {n!r}")


def adam_constants(size, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    rate, scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    return rate, scale, 1 - beta1, 1 - beta2, epsilon


EXPERTS = {"M": 5, "N": 16384, "D": 64}
MIXTURE = {"K": 8, "M": 5, "N": 2048, "D": 64}
SCORES = {"L": 1, "N": 2000, "P": 784}
LAYER = {"N": 2000, "H": 512}
BINOMIAL = {"examples": ("L", "N"), "constants": lambda L, N, P, n=1: (n,), "check": check_trials}
ADAM = {"constants": adam_constants, "check": lambda step, **options: counted(step)}

ROWS = (
    row("product_of_experts", EXPERTS, "rows",
        "mu(M N D) log_var(M N D) mask(M N)", "mean(N D) log_var(N D)"),
    row("product_of_experts_vjp", EXPERTS, "rows",
        "mu(M N D) log_var(M N D) dmean(N D) djoint_log_var(N D) mean(N D) joint_log_var(N D) "
        "mask(M N)", "dmu(M N D) dlog_var(M N D)"),
    row("importance_weights", {"K": 5000, "N": 1000}, "panels",
        "log_w(K N)", "bound(N) weights(K N)", constants=lambda K, N: (float(np.log(K)),),
        nonempty={"K": "log_w: expected at least one sample"}),
    row("mixture_log_prob", MIXTURE, "samples",
        "z(K N D) mu(M N D) log_var(M N D) log_alpha(M N)", "log_q(K N) r(M K N)",
        nonempty={"M": "mu: expected at least one expert"}),
    row("mixture_log_prob_vjp", MIXTURE, "sums",
        "z(K N D) mu(M N D) log_var(M N D) dlog_q(K N) responsibilities(M K N)",
        "dz(K N D) dmu(M N D) dlog_var(M N D)"),
    row("binomial_log_prob", SCORES, "scores",
        "x(N P) logits(…L N P)", "value(…L N)", **BINOMIAL),
    row("binomial_log_prob_vjp", SCORES, "scores",
        "x(N P) logits(…L N P) dlog_p(…L N)", "grad(…L N P)", **BINOMIAL),
    row("bias_swish", LAYER, "rows", "a(…N H) b(H)", "y(…N H) slope(…N H)"),
    row("bias_activation_vjp", LAYER, "columns",
        "dy(…N H) slope(…N H)", "da(…N H) db(H)", examples=("H",)),
    row("adam_step", {"size": 2_588_186}, "elements",
        "theta(size) grad(size) m(size) v(size)", "",
        examples=("size",), in_place=("theta", "m", "v"), **ADAM),
)  # fmt: skip
TABLE = {kernel.name: kernel for kernel in ROWS}
