"""Valid inputs of the exercises without a pullback, and extreme inputs of all, in two tables.

    VALUES[f] = [draw, …]                as EXAMPLES, for functions without a pullback
    EXTREMES[f] = {in words: draw}       inputs at the ends of what f's docstring allows

Between them and EXAMPLES every option of an exercise is given once and omitted once.
"""

from inspect import signature

import numpy as np

from .. import criteria, gaussian, likelihoods, objectives, ops, posteriors
from ..gaussian import standard_normal_log_prob
from ..kernels import reference
from ..kernels.simulator import examples as threads
from ..kernels.simulator import examples_of_warps as warps
from ..models.one_function import mmvae
from ..oracles import iwae_exact
from ..slides import (
    s04_mean_field,
    s05_evidence,
    s06_weighted_elbo,
    s07_joint_posterior,
    s08_systems,
    s08_table_2,
    s09_importance,
    s11_mixture,
    s13_tables,
)
from .examples import AXES, EXAMPLES, Example, Modalities, is_array
from .instances import random_covariance, random_product, random_table


class Drawn(Example):
    """Inputs that the function `draw` draws: args, constants = draw(rng, sizes)."""

    def __init__(self, draw, letters="", **axes):
        super().__init__(**axes)  # of those arguments whose axes all have letters
        self.draw, self.letters = draw, letters

    def __call__(self, rng, sizes=AXES):
        return self.draw(rng, sizes)


def _table(*following, law=np.log, table=random_table):
    """Draw a table of three variables, or its logarithms, followed by these arguments."""
    return Drawn(lambda rng, sizes: ((law(table(rng)), *following), {}))


def _sparse_table(rng, shape=(3, 2, 4)):
    P = random_table(rng, shape)
    P[0, 1] = P[:, :, 2] = 0
    return P / P.sum()


def _log(P):
    with np.errstate(divide="ignore"):
        return np.log(P)


def _cavi(shift=0.0, *, impossible=False, certain=False):
    """Draw log P, its factors and the axis of the new one, whose last state may have P = 0."""

    def draw(rng, sizes):
        P, (q, _) = random_table(rng, (3, 2, 4)), random_product(rng, (3, 2, 4))
        if impossible:
            P[:, :, -1] = 0
        if certain:
            q[:2] = np.array([0, 0.4, 0.6]), np.array([1.0, 0])
        return (_log(P) + shift, q, 2 if impossible else int(rng.integers(3))), {}

    return Drawn(draw)


def _gaussian(rng, D):
    return rng.normal(size=D), random_covariance(rng, D)


def _log_px_z(z):
    """An op that stands for log p(x|z)."""
    return standard_normal_log_prob(z - 0.7)


LIKELIHOOD = {"eps": "KND", "log_px_z": _log_px_z}


def _probe(tested):
    def draw(rng, sizes):
        y = rng.permutation(np.repeat(np.arange(4), [9, 8, 7, 6]))
        z = rng.normal(size=(4, sizes["D"]))[y] + rng.normal(size=(30, sizes["D"]))
        folds = rng.permutation(np.resize([7, 3, 4, -1], 30))
        other = z + rng.normal(size=z.shape)
        return (z, y), {"folds": folds, **({"tested": other} if tested else {})}

    return Drawn(draw, **({"tested": "ND"} if tested else {}))


def _generations(given):
    """Draw classes y (M, 40) that often agree."""

    def draw(rng, sizes):
        classes = rng.integers(0, 3, 40)
        y = [np.where(rng.random(40) < 0.8, classes, rng.integers(0, 3, 40)) for _ in range(4)]
        return (np.array(y[: sizes["M"]]),), {"given": y[3]} if given else {}

    return Drawn(draw, y="MN", **({"given": "N"} if given else {}))


def _classifiers(rng, sizes):
    V = sizes["V"]
    table = rng.dirichlet(np.ones(V * V)).reshape(V, V)
    return (table, *(0.6 * np.eye(V) + 0.4 * rng.dirichlet(np.ones(V), (2, V)))), {}


def _table_2(missing=False, **options):
    def draw(rng, sizes):
        gaps = rng.choice([3e-4, 5e-3, 0.2, 0.6], (40, 3))  # near the limits
        table = rng.normal(size=(40, 1)) + gaps * rng.uniform(0.8, 1, gaps.shape)
        if missing:
            table = np.where(rng.random(table.shape) < 0.3, np.nan, table)
        own = {k: rng.uniform(0, 1, 40) if v == "S" else v for k, v in options.items()}
        return (table,), own

    return Drawn(draw, "S", **options)


def _table_3(rng, sizes):
    constants = {"classes": 10, "ceilings": rng.normal(size=2)}
    return (rng.normal(-80, 9, size=(sizes["S"], 2, 4)),), constants


def _crossed(rng, sizes):
    (w,), constants = Modalities("H", eps="KND")(rng, sizes)
    source, *_, target = constants["x"]
    return (w, constants["x"][source]), {
        "source": source, "target": target, "eps": constants["eps"]
    }  # fmt: skip


def _impossible(rng, sizes):
    q = rng.dirichlet(np.ones(sizes["S"])) * (np.arange(sizes["S"]) != 2)
    return (q / q.sum(), np.where(q > 0, rng.normal(-9, 3, len(q)), -np.inf)), {}


def _covered(rng, sizes):
    """Draw experts that leave out a state together, and a posterior that does."""
    experts = rng.dirichlet(np.ones(5), sizes["M"]) * [1, 0, 1, 1, 1]
    posterior = rng.dirichlet(np.ones(5)) * [1, 0, 0, 1, 1]
    return (posterior / posterior.sum(), experts / experts.sum(axis=1, keepdims=True)), {}


def _crossing(sparse=False, cross=True):
    """Draw p(x_m, x_n), some 0 if `sparse`, and of `cross` an encoder and a decoder."""

    def draw(rng, sizes):
        U, S, V = (sizes[axis] for axis in "USV")
        joint = rng.dirichlet(np.ones(U * V)).reshape(U, V)
        q, decoder = rng.dirichlet(np.ones(S), U), rng.dirichlet(np.ones(V), S)
        if sparse:
            joint[0], joint[:, 0] = 0, 0
            joint, decoder[:, 0] = joint / joint.sum(), 0
            decoder = decoder / decoder.sum(axis=1, keepdims=True)
        return ((joint, q, decoder) if cross else (joint,)), {}

    axes = {"joint": "UV", "q": "US", "decoder": "SV"}
    return Drawn(draw, **(axes if cross else {"joint": "UV"}))


FOUR_LOGS = ["KN log_weight"] * 4
HITS, N_HITS = np.arange(0, 24, dtype=float), 23

VALUES = {
    s04_mean_field.chain_rule_logp: [_table((2, 0, 1)), _table((0, 1, 2))],
    s04_mean_field.product_of_marginals: [_table(law=np.array)],
    s04_mean_field.total_correlation: [_table(law=np.array)],
    s04_mean_field.cavi_step: [_cavi()],
    s04_mean_field.gaussian_mean_field: [
        Drawn(lambda rng, sizes: (_gaussian(rng, sizes["D"]), {}), "D")
    ],
    s05_evidence.log_joint: [Example("S log_prob", "SV log_weight", 0)],
    s05_evidence.log_evidence: [Example("S log_weight")],
    s05_evidence.posterior: [Example("S log_weight")],
    s05_evidence.elbo: [Example("S prob", "S log_weight")],
    s05_evidence.kl: [Example("S prob", "S prob")],
    s05_evidence.decompose: [Example("S prob", "S log_weight")],
    s05_evidence.expected_log_lik: [Example("ND", "ND", **LIKELIHOOD)],
    s05_evidence.pathwise_grad: [Example("ND", "ND", **LIKELIHOOD)],
    s05_evidence.score_function_grad: [
        Example("ND", "ND", **LIKELIHOOD),
        Example("ND", "ND", **LIKELIHOOD, baseline=0.7),
        Example("ND", "ND", **LIKELIHOOD, baseline="N"),
    ],
    s05_evidence.refine: [
        Example("ND", "ND", eps="TKND", log_px_z=_log_px_z, **options)
        for options in ({}, {"rate": 0.02})
    ],
    reference.adam_step: [
        Example("P", "P", "P", "P positive", step=step, learning_rate=0.1, **options)
        for step, options in [(1, {}), (7, {}), (3, {"beta1": 0.6, "beta2": 0.8, "epsilon": 0.1})]
    ],
    criteria.kl_per_dimension: [Example("ND", "ND")],
    criteria.active_units: [Example("ND"), Example("ND", threshold=1.0)],
    s06_weighted_elbo.reverse_water_filling: [
        Example("P positive", noise=0.8, **options) for options in ({}, {"beta": 2.5})
    ],
    s07_joint_posterior.posterior_joint: [Example("S log_prob", "MS log_weight")],
    s07_joint_posterior.posterior_from_unimodal: [Example("MS log_prob", "S log_prob")],
    s07_joint_posterior.log_constant_eq3: [Example("S log_prob", "MS log_weight")],
    s07_joint_posterior.flat_direction: [Example("MND", "MND")],
    s07_joint_posterior.subset_weights: [
        Drawn(lambda rng, sizes, M=M, k=k: ((M, k), {}), "M") for M, k in ((5, 3), (4, 7), (3, 2))
    ],
    s07_joint_posterior.scored_unseen: [Example("TM mask", "TM mask", "T positive")],
    objectives.sample_subsets: [
        Drawn(lambda rng, sizes, M=M: ((M, 12, rng), {}), "M") for M in (5, 3)
    ],
    s08_systems.single_modality_gaps: [Example("MD positive")],
    s08_table_2.is_log_marginal: [Example(*FOUR_LOGS[1:])],
    s08_table_2.is_log_joint: [Example(*FOUR_LOGS)],
    s08_table_2.is_log_conditional: [Example(*FOUR_LOGS, "LN log_weight")],
    s08_table_2.consistency_report: [
        _table_2(**options)
        for options in (
            {}, {"entropy": 0.4}, {"slack": 0.3}, {"entropy": "S", "slack": 0.2}
        )
    ],  # fmt: skip
    s08_table_2.bootstrap_ci: [
        Drawn(lambda rng, sizes, options=options: ((rng.normal(size=50), rng), options), "N")
        for options in ({}, {"level": 0.5, "resamples": 50})
    ],
    reference.importance_weights: [Example("KN log_weight")],
    objectives.effective_sample_size: [Example("KN log_weight")],
    iwae_exact: [Example("S prob", "S positive", K) for K in (1, 5, 1000)],
    s09_importance.vae_grad: [Example("KNP")],
    s09_importance.iwae_grad: [Example("KN log_weight", "KNP")],
    s09_importance.normalised_weights: [Example("KN log_weight")],
    s09_importance.dreg_grads: [Example("KN log_weight", "KND", "ND", "KND")],
    criteria.linear_probe: [_probe(tested=False), _probe(tested=True)],
    criteria.latent_overlap: [Example("D positive", "D positive")],
    criteria.coherence: [_generations(given=False), _generations(given=True)],
    criteria.correct_for_classifiers: [Drawn(_classifiers, table="VV", first="VV", second="VV")],
    criteria.wilson_interval: [
        Example(hits, N_HITS, **options) for hits in (4, HITS) for options in ({}, {"z": 1.3})
    ],
    criteria.synergy: [Example("N", "N")],
    s11_mixture.mixture_moments: [
        Example("MND", "MND"), Example("MND", "MND", mask="MN present")
    ],
    s11_mixture.cross_reconstruction: [_crossing()],
    s11_mixture.reconstruction_cap: [_crossing(cross=False)],
    s11_mixture.responsibility: [Example("S prob", "MS prob")],
    s11_mixture.looseness_gap: [Example("M share"), Example("MN share")],
    mmvae.cross_generate: [Drawn(_crossed, x="NP", eps="KND")],
    s13_tables.log_conditional_exact_lg: [
        Example("NP", "NH", ("PD", "HD"), ("P", "H"), (0.7, 1.3))
    ],
    s13_tables.log_conditional_is: [Example(*FOUR_LOGS)],
    s13_tables.laplace_ceiling: [Example(6, 0.4), Example(6, 0.4, unit=255.0)],
    s13_tables.audit_table3: [Drawn(_table_3, "S")],
    s13_tables.over_seeds: [Example("N")],
    s13_tables.against_chance: [
        Example(hits, N_HITS, chance=0.3, **options)
        for hits in (4, HITS) for options in ({}, {"z": 1.3})
    ],
}  # fmt: skip

SOME_NONE = "where some or all samples of an example weigh 0"
ZEROS = "where some probabilities are 0"
ANY_SIZE = "at logits of any size"
IMPOSSIBLE = {
    "where some q are 0": Example("S sparse", "S log_weight"),
    "where q and p(x, z) are 0": Drawn(_impossible),
}
FAR = "far from every expert"

EXTREMES = {
    ops.log_sum_exp: {"where entries are −∞": Example("KN log_weight_or_0", axis=0)},
    ops.log_mean_exp: {"where entries are −∞": Example("KN log_weight_or_0", axis=0)},
    ops.softplus: {"at any size": Example("NP huge")},
    likelihoods.binomial_log_prob: {ANY_SIZE: Example("KNP huge", x="NP counts", n=5)},
    likelihoods.categorical_log_prob: {ANY_SIZE: Example("KNV huge", x="NV one_hot")},
    gaussian.gaussian_log_prob: {"far from mu": Example("KND huge", "ND", "ND")},
    s04_mean_field.chain_rule_logp: {ZEROS: _table((1, 2, 0), law=_log, table=_sparse_table)},
    s04_mean_field.product_of_marginals: {ZEROS: _table(law=np.array, table=_sparse_table)},
    s04_mean_field.total_correlation: {ZEROS: _table(law=np.array, table=_sparse_table)},
    s04_mean_field.cavi_step: {
        "where a state of x_i has P = 0": _cavi(impossible=True),
        "where some q are 0": _cavi(certain=True),
        "with −6237 added to logP": _cavi(-6237.0),
        "with 720 added to logP": _cavi(720.0),
    },
    s05_evidence.log_joint: {ZEROS: Example("S log_sparse", "SV log_sparse", 0)},
    s05_evidence.log_evidence: {ZEROS: Example("S log_sparse")},
    s05_evidence.posterior: {ZEROS: Example("S log_sparse")},
    s05_evidence.elbo: IMPOSSIBLE,
    s05_evidence.kl: {
        "where some q are 0": Example("S sparse", "S prob"),
        "where q > 0 = p": Example("S prob", "S sparse"),
    },
    s05_evidence.decompose: IMPOSSIBLE,
    s07_joint_posterior.posterior_joint: {ZEROS: Example("S log_sparse", "MS log_weight")},
    s07_joint_posterior.posterior_from_unimodal: {
        "where each posterior is almost certain": Example("MS certain", "S log_prob"),
        "where some likelihoods are 0": Example("MS log_sparse", "S log_prob"),
    },
    s07_joint_posterior.log_constant_eq3: {ZEROS: Example("S log_sparse", "MS log_weight")},
    s08_table_2.consistency_report: {"where estimates are missing": _table_2(missing=True)},
    posteriors.product_of_experts: {
        "at log_var as far as 300 from 0": Example("MND", "MND far_apart"),
        "where no expert is present": Example("MND", "MND", mask=np.zeros((3, 5), bool)),
    },
    posteriors.quotient_of_experts: {
        "where no such density exists": Example("MND", "MND positive"),
        "where no expert is present": Example("MND", "MND", mask=np.zeros((3, 5), bool)),
    },
    reference.importance_weights: {SOME_NONE: Example("KN log_weight_or_0")},
    s09_importance.normalised_weights: {SOME_NONE: Example("KN log_weight_or_0")},
    posteriors.mixture_log_prob: {
        FAR: Example("KND huge", "MND", "MND", log_alpha="MN log_alpha"),
    },
    s11_mixture.cross_reconstruction: {ZEROS: _crossing(sparse=True)},
    s11_mixture.reconstruction_cap: {ZEROS: _crossing(sparse=True, cross=False)},
    s11_mixture.responsibility: {"where nothing has mass": Drawn(_covered)},
}

KERNELS = {  # their arguments' axes
    threads.precision_kernel: {},
    threads.product_kernel: {"mu": "MND", "log_var": "MND", "mean": "ND", "joint_log_var": "ND"},
    threads.shares_kernel: {"log_w": "KN", "weights": "KN"},
    threads.block_max_kernel: {"log_w": "KN", "top": "N"},
    threads.log_mean_exp_kernel: {"log_w": "KN", "bound": "N"},
    warps.sample_kernel: {},
    warps.transpose_kernel: {"x": "NP", "y": "PN"},
    warps.row_sum_kernel: {"x": "NP", "total": "N"},
    warps.distance_kernel: {"x": "NP", "mu": "NP", "distance": "N"},
}


def rows_of(f):
    """List the ordinary inputs of an exercise."""
    return EXAMPLES.get(f) or VALUES.get(f, [])


def forms_of(f, draw):
    """Return how the arguments of one row are described: {argument: form}."""
    return dict(zip(signature(f).parameters, draw.args, strict=False)) | draw.constants


def axes(f):
    """Return {argument: its axes' letters}, such as "MND", of an op or an exercise, or {}."""
    found = dict(KERNELS.get(f, {}))
    for draw in rows_of(f):
        for name, form in forms_of(f, draw).items():
            if is_array(form):
                found.setdefault(name, form.partition(" ")[0])
    return found
