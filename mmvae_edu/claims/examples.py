"""Examples: valid inputs of every (value, pullback) function of the library, in one table.

    EXAMPLES[op] = [draw, …]        args, constants = draw(rng)        op(*args, **constants)

An array is described by its axes and its law, "KND" or "MN mask"; every axis has another length,
so that a length names its axis.  `args` are differentiated, `constants` are not.
"""

import re
from functools import wraps
from inspect import signature

import numpy as np

from .. import criteria, gaussian, laplace, likelihoods, networks, objectives, ops, posteriors
from ..kernels import reference
from ..kernels.simulator import examples as threads
from ..models.one_function import iwae, mmvae, mvae, vae
from ..oracles import iwae_exact
from ..slides import (
    s05_evidence,
    s06_weighted_elbo,
    s07_joint_posterior,
    s08_table_2,
    s09_importance,
    s11_mixture,
    s13_tables,
)

AXES = {"D": 2, "M": 3, "P": 4, "N": 5, "H": 6, "K": 7, "T": 8}
ARRAY = re.compile(r"((?:2?[A-Z])+)(?: (\w+))?")  # the second axis of "P2D" is twice D


class Example:
    """A draw of described arrays, or dicts of them; anything else stays as it is."""

    def __init__(self, *args, **constants):
        self.args, self.constants = args, constants

    def __call__(self, rng, sizes=AXES):
        """Draw args, constants; other sizes than those of AXES need not differ."""
        return tuple(_drawn(self.args, rng, sizes)), _drawn(self.constants, rng, sizes)


def _drawn(form, rng, sizes):
    if isinstance(form, dict):
        return {name: _drawn(part, rng, sizes) for name, part in form.items()}
    if isinstance(form, list | tuple):
        return [_drawn(part, rng, sizes) for part in form]
    described = ARRAY.fullmatch(form) if isinstance(form, str) else None
    if described is None:
        return form
    axes, law = described.groups("normal")
    shape = [int(times or 1) * sizes[axis] for times, axis in re.findall("(2?)([A-Z])", axes)]
    return _array(rng, shape, law)


def _array(rng, shape, law):
    match law:
        case "normal":
            return rng.standard_normal(shape)
        case "weight":
            return rng.normal(0, 0.7, shape)
        case "log_weight":
            return rng.normal(0, 3, shape)
        case "precise":  # log_var of experts more precise than the prior: their quotient exists
            return rng.uniform(-2, -0.1, shape)
        case "positive":
            return rng.uniform(0.3, 2, shape)
        case "binary":
            return rng.integers(0, 2, shape).astype(float)
        case "counts":
            return rng.integers(0, 6, shape).astype(float)
        case "one_hot":
            return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
        case "mask":
            return rng.random(shape) < 0.5
        case "present":  # a mask (M, N) with an expert in every column
            always = rng.integers(0, shape[0], shape[1])
            return (rng.random(shape) < 0.5) | (np.arange(shape[0])[:, None] == always)
        case "indicator":  # the same as 1.0 and 0.0
            return _array(rng, shape, "present").astype(float)
        case "subset":  # (k, M), none empty
            return _array(rng, shape[::-1], "present").T
        case "log_alpha":  # the weights of a mixture, 0 for absent experts
            alpha = rng.uniform(0.3, 2, shape) * _array(rng, shape, "present")
            with np.errstate(divide="ignore"):
                return np.log(alpha / alpha.sum(axis=0))


def mlp_weights(*axes):
    """Describe the weights of an MLP with these layers: mlp_weights("P", "H", "2D")."""
    weights = {}
    for layer, (P, H) in enumerate(zip(axes[:-1], axes[1:], strict=True)):
        weights |= {f"W{layer}": f"{P}{H} weight", f"b{layer}": f"{H} weight"}
    return weights


def networks_of(*hidden):
    return {
        "encoder": mlp_weights("P", *hidden, "2D"),
        "decoder": mlp_weights("D", *hidden, "P"),
    }


class OneModality(Example):
    """The small networks w of one modality, and constants."""

    def __call__(self, rng, sizes=AXES):
        return Example(networks_of("H"), **self.constants)(rng, sizes | {"H": 3})


class Modalities(Example):
    """The affine networks w and the data x of M modalities with 2, 3, … features, and constants."""

    def __call__(self, rng, sizes=AXES):
        w, x = {}, {}
        for m in range(sizes["M"]):
            one = sizes | {"P": 2 + m}
            w[f"x{m}"], x[f"x{m}"] = _drawn([networks_of(), "NP"], rng, one)
        terms = {"J": 2, "T": 1 + sizes["M"] + 2}
        return (w,), {"x": x, **_drawn(self.constants, rng, sizes | terms)}


ELEMENTWISE = [Example("NP")]
ALONG_AN_AXIS = [Example("MKN log_weight", axis=axis) for axis in (0, 1, -1)]
STRATA = [Example("MKN log_weight"), Example("MKN log_weight", present="MN present")]
DEEP = mlp_weights("P", "H", "D", "K")
LAPLACE = likelihoods.Laplace(1, "learnt").log_prob

EXAMPLES = {
    ops.linear: [Example("NP", "PH", "H")],
    ops.relu: ELEMENTWISE,
    ops.tanh: ELEMENTWISE,
    ops.sigmoid: ELEMENTWISE,
    ops.softplus: ELEMENTWISE,
    ops.swish: ELEMENTWISE,
    ops.log_sum_exp: ALONG_AN_AXIS,
    ops.log_mean_exp: ALONG_AN_AXIS,
    gaussian.gaussian_log_prob: [Example("KND", "ND", "ND")],
    gaussian.standard_normal_log_prob: [Example("KND")],
    gaussian.gaussian_sample: [Example("ND", "ND", eps="KND")],
    gaussian.neg_kl_std_normal: [Example("ND", "ND")],
    gaussian.kl_gauss: [Example("ND", "ND", "ND", "ND")],
    laplace.laplace_log_prob: [Example("KND", "ND", "ND")],
    laplace.laplace_sample: [Example("ND", "ND", eps="KND")],
    laplace.competing_scales: [Example("MND")],
    laplace.kl_laplace: [Example("ND", "ND", "ND", "ND")],
    likelihoods.binomial_log_prob: [
        Example("KNP", x="NP binary"),
        Example("KNP", x="NP counts", n=5),
    ],
    likelihoods.categorical_log_prob: [Example("KNP", x="NP one_hot")],
    likelihoods.Binomial(1, n=5).log_prob: [Example({}, "KNP", x="NP counts")],
    likelihoods.Categorical(1).log_prob: [Example({}, "KNP", x="NP one_hot")],
    likelihoods.Normal(1, 0.7).log_prob: [Example({}, "KNP", x="NP")],
    likelihoods.Normal(1, "learnt").log_prob: [Example({"raw_scale": "P"}, "KNP", x="NP")],
    LAPLACE: [Example({"raw_scale": "P"}, "KNP", x="NP")],
    posteriors.product_of_experts: [Example("MND", "MND"), Example("MND", "MND", mask="MN mask")],
    posteriors.product_of_subsets: [Example("MND", "MND", subsets="TMN mask")],
    posteriors.quotient_of_experts: [
        Example("MND", "MND precise"),
        Example("MND", "MND precise", mask="MN mask"),
    ],
    posteriors.quotient_of_subsets: [Example("MND", "MND precise", subsets="TMN mask")],
    posteriors.mixture_log_prob: [Example("KND", "MND", "MND", log_alpha="MN log_alpha")],
    objectives.elbo: [Example("KN log_weight")],
    objectives.iwae: [Example("KN log_weight")],
    objectives.mixture_elbo: STRATA,
    objectives.mixture_iwae: STRATA,
    objectives.stratified_iwae: STRATA,
    objectives.log_prior_ratio: [
        Example("MKND", "MND", "MND"),
        Example("MKND", "MND", "MND", closed_form=True),
    ],
    networks.mlp: [
        Example(DEEP, "NP", activation="tanh"),
        Example(DEEP, "NP", activation="relu"),
        Example(DEEP, "MKNP"),
    ],
    s06_weighted_elbo.log_joint_subset: [Example("KN", "MKN", mask="MN mask")],
    s06_weighted_elbo.subset_elbo: [
        Example("MKN", "KN", mask="MN mask", weights="M positive", beta=1.7)
    ],
    vae.mlp: [Example(mlp_weights("P", "H"), "NP"), Example(DEEP, "NP")],
    vae.vae_bound: [OneModality(x="NP counts", eps="KND")],
    iwae.log_weights: [OneModality(x="NP", eps="KND")],
    iwae.iwae_bound: [OneModality(x="NP", eps="KND")],
    mvae.subsampled_bound: [Modalities(subsets="JM subset", eps="TKND")],
    mmvae.mmvae_bound: [Modalities(eps="MKND")],
}


NOT_ANALYTIC = {laplace.laplace_log_prob, laplace.kl_laplace, LAPLACE}  # np.abs: no complex step

OTHER_AXES = {  # exercises without a pullback: their arguments' axes
    s05_evidence.log_joint: {"log_prior": "S", "log_lik": "SV"},
    s05_evidence.log_evidence: {"log_joint": "S"},
    s05_evidence.posterior: {"log_joint": "S"},
    s05_evidence.elbo: {"q": "S", "log_joint": "S"},
    s07_joint_posterior.posterior_joint: {"log_prior": "S", "log_liks": "MS"},
    s07_joint_posterior.posterior_from_unimodal: {"log_posts": "MS", "log_prior": "S"},
    s07_joint_posterior.log_constant_eq3: {"log_prior": "S", "log_liks": "MS"},
    s07_joint_posterior.flat_direction: {"dtau": "MND", "deta": "MND"},
    s08_table_2.is_log_conditional: {"log_px2_prior": "LN"},
    s08_table_2.bootstrap_ci: {"values": "N"},
    reference.importance_weights: {"log_w": "KN"},
    iwae_exact: {"q": "S", "w": "S"},
    s09_importance.iwae_grad: {"log_w": "KN"},
    s09_importance.normalised_weights: {"log_w": "KN"},
    s09_importance.dreg_grads: {"log_w": "KN", "dlog_w_dz": "KND", "log_var": "ND", "eps": "KND"},
    criteria.linear_probe: {"z": "ND", "y": "N", "folds": "N", "tested": "ND"},
    criteria.coherence: {"y": "MN", "given": "N"},
    criteria.correct_for_classifiers: {"table": "VV", "first": "VV", "second": "VV"},
    criteria.synergy: {"both": "N", "single": "N"},
    s11_mixture.responsibility: {"posterior": "S", "experts": "MS"},
    mmvae.cross_generate: {"x": "NP", "eps": "KND"},
    s13_tables.log_conditional_exact_lg: {"xm": ("N", "P_m"), "xn": ("N", "P_n")},
    threads.product_kernel: {"mu": "MND", "log_var": "MND", "mean": "ND", "joint_log_var": "ND"},
    threads.shares_kernel: {"log_w": "KN", "weights": "KN"},
    threads.block_max_kernel: {"log_w": "KN", "top": "N"},
    threads.log_mean_exp_kernel: {"log_w": "KN", "bound": "N"},
}


def axes(f):
    """Return {argument: its axes' letters}, such as "MND", of an op or an exercise, or {}."""
    found = dict(OTHER_AXES.get(f, {}))
    for draw in EXAMPLES.get(f, ()):
        forms = dict(zip(signature(f).parameters, draw.args, strict=False)) | draw.constants
        for name, form in forms.items():
            if isinstance(form, str) and ARRAY.fullmatch(form):
                found.setdefault(name, form.partition(" ")[0])
    return found


def differentiable(op):
    """Remove those outputs of `op` that are no floats: they have no cotangent."""

    @wraps(op)
    def with_floats_only(*args, **constants):
        result = op(*args, **constants)
        if isinstance(result, tuple) and isinstance(result[0], tuple):
            floats = tuple(part for part in result[0] if np.asarray(part).dtype.kind in "fc")
            return floats, *result[1:]
        return result

    return with_floats_only
