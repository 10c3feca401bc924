"""One claim for each op that has claims: its pullback is its derivative, at its examples.

    <Jᵀ dy, v>  =  <dy, J v>        J v = Im op(args + i h v) / h

for random cotangents dy and directions v.  The left side comes from the pullback under test, the
right side from the library's op, which alone meets complex numbers.  That its value is right is for
other claims to say.  An op that is not analytic is compared with central differences.
"""

import numpy as np

from ..gaussian import gaussian_log_prob, gaussian_sample, kl_gauss
from ..gradcheck import check_pullback
from ..likelihoods import binomial_log_prob, categorical_log_prob
from ..models.one_function.iwae import iwae_bound, log_weights
from ..models.one_function.mmvae import mmvae_bound
from ..models.one_function.mvae import subsampled_bound
from ..models.one_function.vae import mlp, vae_bound
from ..objectives import elbo, iwae, log_prior_ratio, mixture_elbo, mixture_iwae, stratified_iwae
from ..ops import linear, softplus
from ..posteriors import mixture_log_prob, product_of_experts, product_of_subsets
from ..slides.s06_weighted_elbo import log_joint_subset, subset_elbo
from ..slides.s08_systems import bivcca_bound, jmvae_bound
from .examples import EXAMPLES, NOT_ANALYTIC, differentiable
from .registry import CLAIMS, T2, T2C, claim

STEP = 1e-30
COTANGENTS = 1  # calls of a pullback; that it may be called twice is a law

DERIVATIVES = {  # in words
    gaussian_log_prob: ", by z, μ and log σ²; the last two add K samples",
    gaussian_sample: " with ε frozen: 1 for μ, ½ σ ε for log σ²",
    kl_gauss: ", in all four arguments",
    linear: " in input, weights and bias",
    softplus: ", 1 / (1 + exp(−a))",
    mlp: " in every weight and in the input, at any depth",
    binomial_log_prob: ", x − n p",
    categorical_log_prob: ", x − p: every class has a part, seen or not",
    vae_bound: " in every weight, with ε frozen",
    log_prior_ratio: ", as a sample and in closed form",
    log_joint_subset: ": 1 for the prior and each present factor, 0 for a missing one",
    bivcca_bound: ": μ_m / K for every decoder's part of a sample of encoder m",
    jmvae_bound: ": the joint encoder's comes through M divergences, an expert's through one",
    subset_elbo: ": λ_m / K for a present modality, β / K for the prior ratio",
    product_of_experts: "; absent experts get 0",
    product_of_subsets: ": an expert's is the sum over the subsets that contain it",
    subsampled_bound: ": a modality's networks learn from every term that has it",
    elbo: ": 1/K for every log w_k",
    iwae: ": the normalised weight w̃_k for log w_k",
    log_weights: ": the encoder's comes through z_k, and through log q(z_k|x)",
    iwae_bound: ": Σ w̃_k ∇log w_k, where w̃_k is not differentiated",
    mixture_elbo: ": 1 / (M' K) for a sample of one of M' present experts, else 0",
    mixture_log_prob: ": expert m's density gets its responsibility r_m, absent ones 0",
    mixture_iwae: ": w̃ / M', normalised among a present expert's own K samples",
    mmvae_bound: ": expert m's comes through z_m, and through q_m in every log q_Φ(z_j)",
    stratified_iwae: ": a sample's share of all M' K present weights",
}
EQUATIONS = {elbo: ("S9.3",), iwae: ("S9.4",), product_of_experts: ("S7.5",)}  # else: first claim's


def register_gradients():
    """Register the claim `<op>_gradient` for every op with examples and a claim."""
    equations = {known.of: known.equations for known in reversed(CLAIMS.values())} | EQUATIONS
    for op in [op for op in EXAMPLES if op in equations]:
        compare, tol, oracle = _by_complex_step, T2C, "O7 complex step"
        if op in NOT_ANALYTIC:
            compare, tol, oracle = _by_differences, T2, "central differences"
        check = _check_of(op, compare)
        check.__name__ = f"{op.__name__}_gradient"
        check.__doc__ = f"The pullback of {op.__name__} is its derivative{DERIVATIVES.get(op, '')}."
        claim(*equations[op], of=op, tol=tol, oracle=oracle)(check)


def _check_of(op, compare):
    def check(f, rng):
        pairs = []
        for draw in EXAMPLES[op]:
            args, constants = draw(rng)
            pairs += compare(differentiable(f), differentiable(op), args, constants, rng)
        return tuple(np.array(pairs).T)

    return check


def _by_differences(f, op, args, constants, rng):
    """Compute the error of f's pullback; returns it and 0."""
    return [(check_pullback(f, *args, rng=rng, **constants), 0.0)]


def _by_complex_step(f, op, args, constants, rng):
    """Compute <Jᵀ dy, v> and <dy, J v> per cotangent and argument, over ‖Jᵀ dy ⊙ v‖."""
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
    """Compute J v, an array an output, for a direction v of argument i."""
    moved = _mapped(lambda a, v: a + 1j * STEP * v, args[i], v)
    value, _ = op(*args[:i], moved, *args[i + 1 :], **constants)
    return [part.imag / STEP for part in _parts(value)]


def _parts(outputs):
    return outputs if isinstance(outputs, tuple | list) else (outputs,)


def _mapped(change, *trees):
    """Apply `change` to the arrays in dicts of the same form."""
    if isinstance(trees[0], dict):
        return {name: _mapped(change, *(tree[name] for tree in trees)) for name in trees[0]}
    return change(*trees)


def _products(gradient, v):
    """Multiply a gradient's numbers by those of v."""
    if isinstance(v, dict):
        return np.concatenate([_products(gradient[name], v[name]) for name in v])
    if np.shape(gradient) != v.shape:
        raise ValueError(f"gradient: expected shape {v.shape}, found {np.shape(gradient)}")
    return (gradient * v).ravel()
