"""Models whose every quantity is known exactly, against which everything else is checked.

They import numpy, mpmath, SymPy and the standard library, and of mmvae_edu only the rule for
arrays, which computes nothing: an error of the library cannot hide in the oracle that checks it.

    DiscreteModel      S latent states, M modalities of V symbols: every sum is finite
    NonlinearModel     one latent dimension, a tanh decoder: every integral by quadrature
    LinearGaussian     x_m = W_m z + b_m + sigma_m eps: everything in closed form
    iwae_exact, ...    IWAE and mixture bounds at any K without drawing a sample
    fifty_digits       the kernels' functions in arithmetic of 50 digits
    symbolic           Gaussian integrals as expressions, by SymPy (O8)
    symbolic_pullbacks pullbacks as expressions
"""

from .discrete import DiscreteModel
from .importance import (
    bound_gradient,
    expected_log_mean,
    iwae_continuous,
    iwae_enumerated,
    iwae_exact,
    mixture_iwae_continuous,
    mixture_iwae_exact,
    stratified_iwae_continuous,
    stratified_iwae_enumerated,
    stratified_iwae_exact,
)
from .linear_gaussian import LinearGaussian
from .quadrature import (
    NonlinearModel,
    complex_step,
    expect_gaussian,
    gaussian_grid,
    integrate,
    log_integrate,
    log_normal,
)

__all__ = [
    "DiscreteModel",
    "LinearGaussian",
    "NonlinearModel",
    "bound_gradient",
    "complex_step",
    "expect_gaussian",
    "expected_log_mean",
    "gaussian_grid",
    "integrate",
    "iwae_continuous",
    "iwae_enumerated",
    "iwae_exact",
    "log_integrate",
    "log_normal",
    "mixture_iwae_continuous",
    "mixture_iwae_exact",
    "stratified_iwae_continuous",
    "stratified_iwae_enumerated",
    "stratified_iwae_exact",
]
