"""Examples: valid inputs of every (value, pullback) function of the library, in one table.

    EXAMPLES[op] = [draw, …]        args, constants = draw(rng)        op(*args, **constants)

An array is described by its axes and its law, "KND" or "MN mask"; every axis has another length,
so that a length names its axis.  `args` are differentiated, `constants` are not.  The inputs of
exercises without a pullback, and extreme inputs, stand in `claims.inputs`.
"""

import re
from functools import wraps

import numpy as np

from .. import gaussian, laplace, likelihoods, networks, objectives, ops, posteriors
from ..models.one_function import iwae, mmvae, mvae, vae
from ..slides import s06_weighted_elbo, s08_systems

AXES = {
    "D": 2, "M": 3, "P": 4, "N": 5, "H": 6, "K": 7, "T": 8, "S": 9, "V": 10, "L": 11, "U": 12
}  # fmt: skip
ARRAY = re.compile(r"((?:2?[A-Z])+)(?: (\w+))?")  # the second axis of "P2D" is twice D


class Example:
    """A draw of described arrays, or dicts of them; anything else stays as it is."""

    letters = ""  # axes of what is not described

    def __init__(self, *args, **constants):
        self.args, self.constants = args, constants

    def __call__(self, rng, sizes=AXES):
        """Draw args, constants; other sizes than those of AXES need not differ."""
        return tuple(_drawn(self.args, rng, sizes)), _drawn(self.constants, rng, sizes)


def is_array(form):
    """Does a form describe an array?"""
    return isinstance(form, str) and ARRAY.fullmatch(form) is not None


def _drawn(form, rng, sizes):
    if isinstance(form, dict):
        return {name: _drawn(part, rng, sizes) for name, part in form.items()}
    if isinstance(form, list | tuple):
        return [_drawn(part, rng, sizes) for part in form]
    if isinstance(form, np.ndarray):
        return form.copy()
    described = ARRAY.fullmatch(form) if is_array(form) else None
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
        case "log_weight_or_0":  # some columns of −∞ alone, in others some −∞
            kept = (rng.random(shape) < 0.7) & (np.arange(shape[-1]) != shape[-1] // 2)
            return np.where(kept, rng.normal(0, 3, shape), -np.inf)
        case "precise":  # log_var of experts more precise than the prior: their quotient exists
            return rng.uniform(-2, -0.1, shape)
        case "positive":
            return rng.uniform(0.3, 2, shape)
        case "binary":
            return rng.integers(0, 2, shape).astype(float)
        case "counts":
            return rng.integers(0, 6, shape).astype(float)
        case "huge":
            return rng.choice([-1e4, -720, -300, -1, 0, 1, 300, 720, 1e4], shape)
        case "far_apart":  # variances from e^-300 to e^300
            return rng.uniform(-300, 300, shape)
        case "prob" | "log_prob" | "certain":  # the last axis sums to 1
            log_p = rng.normal(0, 700 if law == "certain" else 1, shape)
            log_p = log_p - np.logaddexp.reduce(log_p, axis=-1, keepdims=True)
            return np.exp(log_p) if law == "prob" else log_p
        case "share":  # the first axis sums to 1
            return np.moveaxis(_array(rng, (*shape[1:], shape[0]), "prob"), -1, 0)
        case "sparse" | "log_sparse":  # some of the probabilities are 0
            p = _array(rng, shape, "prob") * (np.arange(shape[-1]) % 3 != rng.integers(0, 3))
            with np.errstate(divide="ignore"):
                p = p / p.sum(axis=-1, keepdims=True)
                return np.log(p) if law == "log_sparse" else p
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
    """The small networks w of one modality, with these hidden layers, and constants."""

    def __init__(self, *hidden, **constants):
        super().__init__(**constants)
        self.hidden = hidden

    def __call__(self, rng, sizes=AXES):
        return Example(networks_of(*self.hidden), **self.constants)(rng, sizes | {"H": 3})


class Modalities(OneModality):
    """The networks w and the data x of M modalities with 2, 3, … features, and constants."""

    letters = "NP"

    def __call__(self, rng, sizes=AXES):
        w, x = {}, {}
        for m in range(sizes["M"]):
            one = sizes | {"P": 2 + m, "H": 2}
            w[f"x{m}"], x[f"x{m}"] = _drawn([networks_of(*self.hidden), "NP"], rng, one)
        terms = {"J": 2, "T": 1 + sizes["M"] + 2}
        return (w,), {"x": x, **_drawn(self.constants, rng, sizes | terms)}


ELEMENTWISE = [Example("NP")]
ALONG_AN_AXIS = [Example("MKN log_weight", axis=axis) for axis in (0, 1, -1)]
STRATA = [Example("MKN log_weight"), Example("MKN log_weight", present="MN present")]
ANY_DEPTH = [OneModality(*hidden, x="NP", eps="KND") for hidden in (("H", "H"), ("H",), ())]
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
    likelihoods.categorical_log_prob: [Example("KNV", x="NV one_hot")],
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
    s06_weighted_elbo.log_joint_subset: [
        Example("KN log_weight", "MKN log_weight", mask="MN mask")
    ],
    s06_weighted_elbo.subset_elbo: [
        Example("MKN log_weight", "KN", mask="MN mask", weights="M positive", beta=1.7),
        Example("MKN log_weight", "KN", mask="MN mask", weights="M positive"),
    ],
    s08_systems.bivcca_bound: [Example("MMKN", "MKN", share="M share")],
    s08_systems.jmvae_bound: [
        Example("N", "ND", "ND", "MND", "MND"),
        Example("N", "ND", "ND", "MND", "MND", alpha=0.7),
    ],
    vae.mlp: [Example(mlp_weights("P", "H"), "NP"), Example(DEEP, "NP")],
    vae.vae_bound: [OneModality("H", x="NP counts", eps="KND")],
    iwae.log_weights: ANY_DEPTH,
    iwae.iwae_bound: ANY_DEPTH,
    mvae.subsampled_bound: [
        Modalities(*hidden, subsets="JM subset", eps="TKND") for hidden in (("H",), ())
    ],
    mmvae.mmvae_bound: [Modalities(*hidden, eps="MKND") for hidden in (("H",), ())],
}


NOT_ANALYTIC = {laplace.laplace_log_prob, laplace.kl_laplace, LAPLACE}  # np.abs: no complex step


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
