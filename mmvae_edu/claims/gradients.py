"""One claim an op: its pullback is its derivative, at the inputs of `examples`.

    <Jᵀ dy, v>  =  <dy, J v>        J v = Im op(args + i h v) / h

for random cotangents dy and directions v.  The left side comes from the pullback under test, the
right side from the library's op, which alone meets complex numbers.  That its value is right is for
other claims to say.  An op that is not analytic is compared with central differences.
"""

import numpy as np

from ..gaussian import gaussian_log_prob, gaussian_sample, kl_gauss, neg_kl_std_normal
from ..gradcheck import check_pullback
from ..likelihoods import binomial_log_prob, categorical_log_prob
from ..models.one_function.iwae import iwae_bound, log_weights
from ..models.one_function.mmvae import mmvae_bound
from ..models.one_function.mvae import subsampled_bound
from ..models.one_function.vae import mlp, vae_bound
from ..objectives import elbo, iwae, log_prior_ratio, mixture_elbo, mixture_iwae, stratified_iwae
from ..ops import linear, log_mean_exp, log_sum_exp, softplus
from ..posteriors import (
    mixture_log_prob,
    product_of_experts,
    product_of_subsets,
    quotient_of_experts,
)
from ..slides.s06_weighted_elbo import log_joint_subset, subset_elbo
from .examples import EXAMPLES, NOT_ANALYTIC, differentiable
from .registry import T2, T2C, claim

STEP = 1e-30
COTANGENTS = 2  # a pullback may be called twice

GRADIENTS = {  # op: its equations, and what its derivative is
    gaussian_log_prob: ("S5.12", ", by z, μ and log σ²; the last two add K samples"),
    gaussian_sample: ("S5.12", " with ε frozen: 1 for μ, ½ σ ε for log σ²"),
    neg_kl_std_normal: ("S5.11", ""),
    kl_gauss: ("S5.11", ", in all four arguments"),
    linear: ("S5.12 S5.13", " in input, weights and bias"),
    softplus: ("S5.13", ", 1 / (1 + exp(−a))"),
    mlp: ("S5.12 S5.13", " in every weight and in the input, at any depth"),
    binomial_log_prob: ("S5.13", ", x − n p"),
    categorical_log_prob: ("S5.13", ", x − p: every class has a part, seen or not"),
    vae_bound: ("S5.10 S5.13", " in every weight, with ε frozen"),
    log_prior_ratio: ("S5.10", ", as a sample and in closed form"),
    log_joint_subset: ("S6.2", ": 1 for the prior and each present factor, 0 for a missing one"),
    subset_elbo: ("S6.3", ": λ_m / K for a present modality, β / K for the prior ratio"),
    quotient_of_experts: ("S7.3", ""),
    product_of_experts: ("S7.5", "; absent experts get 0"),
    product_of_subsets: ("S7.5 S7.6", ": an expert's is the sum over the subsets that contain it"),
    subsampled_bound: ("S7.6", ": a modality's networks learn from every term that has it"),
    elbo: ("S9.3 S9.1", ": 1/K for every log w_k"),
    iwae: ("S9.4", ": the normalised weight w̃_k for log w_k"),
    log_weights: ("S9.5", ": the encoder's comes through z_k, and through log q(z_k|x)"),
    iwae_bound: ("S9.4", ": Σ w̃_k ∇log w_k, where w̃_k is not differentiated"),
    log_sum_exp: ("S9.5", ""),
    log_mean_exp: ("S9.5", ""),
    mixture_elbo: ("S11.1", ": 1 / (M' K) for a sample of one of M' present experts, else 0"),
    mixture_log_prob: ("S11.3", ": expert m's density gets its responsibility r_m, absent ones 0"),
    mixture_iwae: ("S11.4", ": w̃ / M', normalised among a present expert's own K samples"),
    mmvae_bound: ("S11.4", ": expert m's comes through z_m, and through q_m in every log q_Φ(z_j)"),
    stratified_iwae: ("S12.3", ": a sample's share of all M' K present weights"),
}


def register_gradients():
    """Register the claim `<op>_gradient` for every row of GRADIENTS."""
    for op, (equations, remark) in GRADIENTS.items():
        check = _by_differences(op) if op in NOT_ANALYTIC else _by_complex_step(op)
        check.__name__ = f"{op.__name__}_gradient"
        check.__doc__ = f"The pullback of {op.__name__} is its derivative{remark}."
        ruler = (T2, "central differences") if op in NOT_ANALYTIC else (T2C, "O7 complex step")
        claim(*equations.split(), of=op, tol=ruler[0], oracle=ruler[1])(check)


def _by_differences(op):
    def check(f, rng):
        errors = []
        for draw in EXAMPLES[op]:
            args, constants = draw(rng)
            errors.append(check_pullback(differentiable(f), *args, rng=rng, **constants))
        return max(errors), 0.0

    return check


def _by_complex_step(op):
    def check(f, rng):
        pairs = []
        for draw in EXAMPLES[op]:
            args, constants = draw(rng)
            pairs += _both_sides(differentiable(f), differentiable(op), args, constants, rng)
        return tuple(np.array(pairs).T)

    return check


def _both_sides(f, op, args, constants, rng):
    """<Jᵀ dy, v> and <dy, J v> for each cotangent and argument, in units of ‖Jᵀ dy ⊙ v‖."""
    _, pullback = f(*args, **constants)  # first: what it changes in place is then seen
    directions = [_mapped(lambda a: rng.standard_normal(a.shape), arg) for arg in args]
    derivatives = [_derivative(op, args, constants, i, v) for i, v in enumerate(directions)]
    pairs = []
    for _ in range(COTANGENTS):
        dy = [rng.standard_normal(part.shape) for part in derivatives[0]]
        for gradient, v, Jv in zip(_parts(pullback(*dy)), directions, derivatives, strict=True):
            terms = _products(gradient, v)
            right = sum(np.vdot(d, part) for d, part in zip(dy, Jv, strict=True))
            pairs.append(np.array([terms.sum(), right]) / max(1.0, np.linalg.norm(terms)))
    return pairs


def _derivative(op, args, constants, i, v):
    """J v, an array an output, for a direction v of argument i."""
    moved = _mapped(lambda a, v: a + 1j * STEP * v, args[i], v)
    value, _ = op(*args[:i], moved, *args[i + 1 :], **constants)
    return [part.imag / STEP for part in _parts(value)]


def _parts(outputs):
    return outputs if isinstance(outputs, tuple | list) else (outputs,)


def _mapped(change, *trees):
    """change(…) of the arrays in dicts of the same form."""
    if isinstance(trees[0], dict):
        return {name: _mapped(change, *(tree[name] for tree in trees)) for name in trees[0]}
    return change(*trees)


def _products(gradient, v):
    """The products of a gradient's numbers with those of v."""
    if isinstance(v, dict):
        return np.concatenate([_products(gradient[name], v[name]) for name in v])
    if np.shape(gradient) != v.shape:
        raise ValueError(f"a gradient of shape {np.shape(gradient)}, expected {v.shape}")
    return (gradient * v).ravel()
