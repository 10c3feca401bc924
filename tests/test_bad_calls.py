"""Bad calls of the public functions: each gets one sentence of ours that names the argument."""

import inspect
from functools import partial

import numpy as np
import pytest
from mmvae_edu.kernels import numba_cpu, reference
from mmvae_edu.kernels.arguments import arguments
from mmvae_edu.kernels.arrays import MASKS
from mmvae_edu.kernels.table import TABLE

from mmvae_edu import (
    criteria,
    estimators,
    gaussian,
    gradcheck,
    laplace,
    likelihoods,
    models,
    networks,
    objectives,
    ops,
    posteriors,
)
from mmvae_edu.claims.examples import EXAMPLES
from mmvae_edu.criteria import Classifier
from mmvae_edu.likelihoods import Binomial, Categorical, Laplace, Normal
from mmvae_edu.models import (
    CVAE,
    IWAE,
    JMVAE,
    MMVAE,
    MVAE,
    SYSTEMS,
    VAE,
    BiVCCA,
    LaplaceMMVAE,
    MoPoE,
)
from mmvae_edu.oracles import (
    DiscreteModel,
    LinearGaussian,
    discrete,
    fifty_digits,
    importance,
    linear_gaussian,
    quadrature,
)
from mmvae_edu.support.batches import Paired

nan, inf = np.nan, np.inf


def refused(call, words):
    """Check that the call raises one sentence that begins with these words."""
    with pytest.raises((ValueError, TypeError)) as problem:
        call()
    sentence = str(problem.value)
    assert sentence.startswith(words)
    assert sentence.count("\n") == 0


# ---- arrays that no function takes ---------------------------------------------------------------

KINDS = {
    "masked": lambda a: np.ma.masked_array(a, mask=np.zeros(np.shape(a), bool)),
    "object": lambda a: np.asarray(a).astype(object),
    "big-endian": lambda a: np.asarray(a).astype(">f8"),
    "float16": lambda a: np.asarray(a).astype(np.float16),
    "bool": lambda a: np.asarray(a).astype(bool),
}
ROOMS = (
    ops, gaussian, laplace, likelihoods, posteriors, objectives, networks, reference,
    discrete, linear_gaussian, importance, quadrature, fifty_digits,
)  # fmt: skip


def public_functions(module):
    """List every public function and method of a module: [(name, function)]."""
    found = []
    for name, thing in vars(module).items():
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__:
            members = vars(thing).items() if inspect.isclass(thing) else [(name, thing)]
            found += [f for name, f in members if inspect.isfunction(f) and name[0] != "_"]
    return [(f"{module.__name__}.{f.__qualname__}".partition(".")[2], f) for f in found]


FUNCTIONS = dict(item for module in ROOMS for item in public_functions(module))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_of_every_function_is_looked_at(name):
    """An array is refused before anything is computed, whatever stands beside it."""
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    named = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    beside = dict.fromkeys(named, 1.0) | {"rng": np.random.default_rng(0), "kernels": reference}
    beside = {other: beside[other] for other in named}
    for argument in set(named) - {"self", "rng", "kernels"}:
        for kind, change in KINDS.items():
            mask = kind == "bool" and argument in MASKS
            mpmath = kind == "object" and FUNCTIONS[name].__module__ == fifty_digits.__name__
            if not (mask or mpmath):
                changed = beside | {argument: change(np.ones((2, 2)))}
                refused(partial(FUNCTIONS[name], **changed), f"{argument}: expected ")


# ---- calls that are right, each array of which is then replaced ----------------------------------

ORACLE = LinearGaussian.random(np.random.default_rng(0), 2, {"a": 3, "b": 2})
TWO = {"a": Normal(3), "b": Categorical(2)}
OPTIONS = {"latent": 2, "hidden": (3,)}
N = 4
X = {"a": np.linspace(-1, 1, 3 * N).reshape(N, 3), "b": np.eye(2)[[0, 1, 1, 0]]}
Z = np.linspace(-1, 1, 2 * N).reshape(N, 2)
LABEL = np.array([0, 1, 1, 0])


def rng():
    return np.random.default_rng(0)


def trained(name, **options):
    """A model of this system with random parameters in float64, and its data."""
    row, cls = SYSTEMS[name], getattr(models, name)
    names = list(TWO)[: row.modalities]
    options |= {"condition": names[-1]} if row.condition else {}
    model = cls({key: TWO[key] for key in names}, **OPTIONS | options)
    model.theta = model.init(rng(), np.float64)
    return model, {key: X[key] for key in names}


def classifier():
    found = Classifier(Normal(3), classes=2, hidden=(4,))
    found.theta = found.init(rng(), np.float64)
    return found


def calls_of(name):
    """The user's calls of a system: (label, function, arrays by argument)."""
    model, x = trained(name)
    single = {"a": x["a"]}
    given = {"b": x["b"]} if name == "CVAE" else single
    noise = model.draw_noise(rng(), N, 2, np.float64)
    objective = {"theta": model.theta, "x": x, **noise}
    yield "bound", model.bound, objective
    for label in ("doubly_reparameterised", "log_weights", "terms"):
        if hasattr(model, label):
            yield label, getattr(model, label), objective
    masks = {} if name in ("JMVAE", "CVAE", "BiVCCA") else {"mask": np.ones((len(x), N), bool)}
    whole = single if name == "BiVCCA" else x
    yield "encode", model.encode, {"x": whole} | masks
    yield "posterior_sample", partial(model.posterior_sample, rng=1), {"x": whole}
    yield "decode", model.decode, {"z": Z} | ({"given": given} if name == "CVAE" else {})
    yield "generate", partial(model.generate, rng=1), {"given": given}
    estimate = partial(estimators.marginal, model, rng=1, K=2)
    if name == "CVAE":
        estimate = partial(estimators.conditional, model, rng=1, K=2, given=given)
        x = {"a": x["a"]}
    yield (
        "estimate",
        estimate,
        {"theta": model.theta, "x": x} | ({"given": single} if name == "BiVCCA" else {}),
    )
    quick = partial(model.fit, steps=1, progress=False)
    yield "fit", quick, {"x": trained(name)[1]}


def right_calls():
    """Every call: label → (function, positional arguments, arrays by argument)."""
    calls = {}
    for op, draws in EXAMPLES.items():
        if any(op.__module__ == room.__name__ for room in ROOMS):
            for i, draw in enumerate(draws):
                args, constants = draw(rng())
                names = inspect.signature(op).parameters
                named = dict(zip(names, args, strict=False)) | constants
                calls[f"{op.__module__}.{op.__qualname__} {i}"] = op, named
    lengths = dict.fromkeys("KMNPDLH", 3) | {"size": 3}
    for kernel, row in TABLE.items():
        arrays = dict(zip(row.arrays, arguments(kernel, lengths, rng(), np.float64), strict=True))
        arrays |= {"step": 1, "learning_rate": 0.1} if kernel == "adam_step" else {}
        calls[f"numba_cpu.{kernel}"] = getattr(numba_cpu, kernel), arrays
    calls["numba_cpu.matmul"] = numba_cpu.matmul, {"a": np.eye(2), "b": np.eye(2)}
    for name in SYSTEMS:
        for label, call, arrays in calls_of(name):
            calls[f"{name}.{label}"] = call, arrays
    C = np.array([[0.9, 0.1], [0.2, 0.8]])
    two, known = {"first": LABEL, "second": LABEL}, classifier()
    of_criteria = {
        "probe": (partial(criteria.probe, classes=2, steps=1), {"z": Z, "label": LABEL}),
        "linear_probe": (
            criteria.linear_probe, {"z": Z, "y": LABEL, "folds": np.arange(N) % 2, "tested": Z},
        ),
        "micro_and_macro": (criteria.micro_and_macro, {"predicted": LABEL, "y": LABEL}),
        "coherence": (criteria.coherence, {"y": np.stack([LABEL, LABEL]), "given": LABEL}),
        "pair_table": (partial(criteria.pair_table, classes=2), two),
        "confusion": (partial(criteria.confusion, classes=2), {"label": LABEL, "predicted": LABEL}),
        "correct_for_classifiers": (
            criteria.correct_for_classifiers, {"table": C, "first": C, "second": C},
        ),
        "corrected_coherence": (
            criteria.corrected_coherence, {**two, "C_first": C, "C_second": C},
        ),
        "temperature": (criteria.temperature, {"log_p": np.log(C)[LABEL], "label": LABEL}),
        "shared_nats": (
            partial(criteria.shared_nats, temperature=1.0),
            {"log_p": np.log(C)[LABEL], "label": LABEL},
        ),
        "wilson_interval": (
            criteria.wilson_interval, {"hits": np.array([1.0]), "n": np.array([2.0])},
        ),
        "synergy": (criteria.synergy, {"both": Z[:, 0], "single": Z[:, 1]}),
        "kl_per_dimension": (criteria.kl_per_dimension, {"mu": Z, "log_var": Z}),
        "latent_overlap": (criteria.latent_overlap, {"first": Z[0] ** 2, "second": Z[1] ** 2}),
        "active_units": (criteria.active_units, {"mu": Z}),
        "predict": (known.predict, {"x": X["a"]}),
        "accuracy": (known.accuracy, {"x": X["a"], "label": LABEL}),
        "Classifier.fit": (partial(known.fit, X["a"], steps=1, progress=False), {"label": LABEL}),
        "Classifier.bound": (
            known.bound, {"theta": known.theta, "x": {"x": X["a"], "label": np.eye(2)[LABEL]}},
        ),
    }  # fmt: skip
    calls |= {f"criteria.{name}": call for name, call in of_criteria.items()}
    calls["gradcheck.check_pullback"] = (
        (
            lambda x, a: gradcheck.check_pullback(
                lambda x, *, a: (a * x, lambda d: a * d), x, a=a, rng=0
            )
        ),
        {"x": Z, "a": Z},
    )
    return calls


CALLS = right_calls()
OBSERVED = {"x", "given", "both", "single", "a"}  # data and hits may be bool


def replaced(value, change, path=""):
    """Yield (path, value) with each array in turn changed; path: as a sentence names it."""
    if isinstance(value, dict):
        for key, part in value.items():
            for where, new in replaced(part, change, f"{path}[{key!r}]" if path else key):
                yield where, value | {key: new}
    elif isinstance(value, np.ndarray):
        yield path, change(value)


def sentence_name(label, path):
    """Return the name in the sentence: all data of a system pass one door, as x."""
    return path.replace("given", "x") if label.partition(".")[0] in SYSTEMS else path


@pytest.mark.parametrize("label", CALLS)
def test_an_array_of_no_kind_is_refused(label):
    call, arrays = CALLS[label]
    for kind, change in KINDS.items():
        for path, changed in replaced(arrays, change):
            name = path.partition("[")[0]
            of_ops = label.startswith("mmvae_edu")
            if kind == "bool" and (name in MASKS or (name in OBSERVED and not of_ops)):
                continue
            refused(partial(call, **changed), f"{sentence_name(label, path)}: expected ")


@pytest.mark.parametrize(
    "label", [name for name in CALLS if name.split(".")[0] in (*SYSTEMS, "criteria")]
)
def test_complex_numbers_are_refused_where_no_complex_step_goes_through(label):
    call, arrays = CALLS[label]
    for path, changed in replaced(arrays, lambda a: a.astype(complex)):
        if path != "theta" or label.endswith("estimate"):
            refused(partial(call, **changed), f"{sentence_name(label, path)}: expected")


@pytest.mark.parametrize("number", [nan, inf])
@pytest.mark.parametrize("label", [name for name in CALLS if name.split(".")[0] in SYSTEMS])
def test_numbers_that_are_not_finite_are_refused(label, number):
    def spoilt(a):
        return np.where(np.arange(a.size).reshape(a.shape) == 1, number, a)

    call, arrays = CALLS[label]
    for path, changed in replaced(arrays, spoilt):
        if path.partition("[")[0] in ("x", "given", "z"):
            refused(partial(call, **changed), f"{sentence_name(label, path)}: expected finite")


# ---- one row for each kind of bad call -----------------------------------------------------------

MODEL, _ = trained("MVAE")
CONDITIONAL, _ = trained("CVAE")
PAIR = np.eye(2)
MANY = {f"x{m}": Normal(1) for m in range(14)}
A = np.ones((2, 3, 2))


def model(cls=MVAE, modalities=TWO, **options):
    return cls(modalities, **OPTIONS | options)


def bound(**changed):
    noise = MODEL.draw_noise(rng(), N, 1, np.float64)
    return MODEL.bound(**{"theta": MODEL.theta, "x": X, **noise} | changed)


def unbiased(**changed):
    return gradcheck.check_unbiased(lambda rng: Z, **{"expected": Z, "rng": 0} | changed)


def marginal(**changed):
    return estimators.marginal(MODEL, **{"theta": MODEL.theta, "x": X, "K": 2, "rng": 0} | changed)


def conditional(**changed):
    given = {"x": {"a": X["a"]}, "given": {"b": X["b"]}, "K": 2, "rng": 0}
    return estimators.conditional(MODEL, MODEL.theta, **given | changed)


ROWS = {
    # a constructor's arguments
    "latent is True": (lambda: model(latent=True), "latent: expected a whole number"),
    "latent is a float": (lambda: model(latent=2.0), "latent: expected a whole number"),
    "latent is 0": (lambda: model(latent=0), "latent: expected a whole number, at least 1"),
    "latent of one dimension, whose scale is fixed": (
        lambda: model(LaplaceMMVAE, latent=1), "latent: expected at least 2, found 1",
    ),
    "hidden is a number": (lambda: model(hidden=8), "hidden: expected sizes"),
    "hidden has True": (lambda: model(hidden=(True,)), "hidden: expected sizes"),
    "hidden has a float": (lambda: model(hidden=(8.0,)), "hidden: expected sizes"),
    "hidden lacks a modality": (
        lambda: model(hidden={"a": ((3,), (3,))}), "hidden: expected sizes",
    ),
    "activation unknown": (lambda: model(activation="gelu"), "activation: expected one of"),
    "activation is a list": (lambda: model(activation=["tanh"]), "activation: expected one of"),
    "initial unknown": (lambda: model(initial="zeros"), "initial: expected one of"),
    "kl unknown": (lambda: model(kl="exact"), "kl: expected one of"),
    "objective unknown": (lambda: model(MMVAE, objective="x"), "objective: expected one of"),
    "objective is a list": (lambda: model(MMVAE, objective=[]), "objective: expected one of"),
    "kernels is a name": (lambda: model(kernels="numba_cpu"), "kernels: expected a module"),
    "weights with text": (
        lambda: model(weights={"a": "x"}), "weights['a']: expected a finite number",
    ),
    "weights with None": (
        lambda: model(weights={"a": None}), "weights['a']: expected a finite number",
    ),
    "weights with True": (
        lambda: model(weights={"a": True}), "weights['a']: expected a finite number",
    ),
    "weights with NaN": (
        lambda: model(weights={"a": nan}), "weights['a']: expected a finite number",
    ),
    "weights below 0": (lambda: model(weights={"a": -1}), "weights['a']: expected a finite number"),
    "weights infinite": (
        lambda: model(weights={"a": inf}), "weights['a']: expected a finite number",
    ),
    "weights of a stranger": (lambda: model(weights={"c": 1}), "weights: unknown modality"),
    "weights is a list": (lambda: model(weights=[1, 2]), "weights: expected a dict"),
    "share is 0": (lambda: model(BiVCCA, share={"a": 0}), "share: expected positive numbers"),
    "share with text": (
        lambda: model(BiVCCA, share={"a": "x"}), "share['a']: expected a finite number",
    ),
    "alpha below 0": (lambda: model(JMVAE, alpha=-1), "alpha: expected a finite number, 0 or more"),
    "alpha is text": (lambda: model(JMVAE, alpha="x"), "alpha: expected a finite number"),
    "alpha is None": (lambda: model(JMVAE, alpha=None), "alpha: expected a finite number"),
    "alpha is True": (lambda: model(JMVAE, alpha=True), "alpha: expected a finite number"),
    "alpha is NaN": (lambda: model(JMVAE, alpha=nan), "alpha: expected a finite number"),
    "subsets below 0": (lambda: model(subsets=-1), "subsets: expected a whole number"),
    "subsets is True": (lambda: model(subsets=True), "subsets: expected a whole number"),
    "condition unknown": (lambda: model(CVAE, condition="c"), "condition: expected some of"),
    "condition is a number": (lambda: model(CVAE, condition=1), "condition: expected some of"),
    "condition is empty": (lambda: model(CVAE, condition=()), "condition: expected some of"),
    "modalities is a list": (lambda: model(modalities=["a"]), "modalities: expected a dict"),
    "modalities is empty": (lambda: model(modalities={}), "modalities: expected at least one"),
    "modalities named by numbers": (
        lambda: model(modalities={0: Normal(2)}), "modalities: expected a str",
    ),
    "modalities without likelihoods": (
        lambda: model(modalities={"a": 3}), "modalities: expected a likelihood for 'a'",
    ),
    "too many modalities for a VAE": (lambda: model(VAE), "VAE: expected 1 modality"),
    "too many modalities for an IWAE": (lambda: model(IWAE), "IWAE: expected 1 modality"),
    "too few modalities for a JMVAE": (
        lambda: model(JMVAE, {"a": Normal(2)}), "JMVAE: expected at least 2 modalities",
    ),
    "more subsets than memory holds": (
        lambda: model(MoPoE, MANY), "MoPoE: expected at most 10 modalities, found 14",
    ),
    # likelihoods
    "features is True": (lambda: Normal(True), "features: expected a whole number"),
    "features is 0": (lambda: Categorical(0), "features: expected a whole number"),
    "features is a float": (lambda: Binomial(2.0), "features: expected a whole number"),
    "n is True": (lambda: Binomial(2, n=True), "n: expected a whole number"),
    "n is 0": (lambda: Binomial(2, n=0), "n: expected a whole number"),
    "scale is 0": (lambda: Normal(2, 0), "scale: expected a positive number"),
    "scale is True": (lambda: Laplace(2, True), "scale: expected a positive number"),
    "scale is NaN": (lambda: Normal(2, nan), "scale: expected a positive number"),
    "scale is text": (lambda: Normal(2, "learned"), "scale: expected a positive number"),
    "scale is an array": (lambda: Normal(2, np.ones(2)), "scale: expected a positive number"),
    "n of an op is a float": (
        lambda: likelihoods.binomial_log_prob(A, x=A[0], n=2.5), "n: expected a whole number",
    ),
    "n of an op is negative": (
        lambda: likelihoods.binomial_log_prob(A, x=A[0], n=-1), "n: expected a whole number",
    ),
    "n of an op is True": (
        lambda: likelihoods.binomial_log_prob(A, x=A[0], n=True), "n: expected a whole number",
    ),
    "n of a kernel is True": (
        lambda: numba_cpu.binomial_log_prob(A, A[0], True), "n: expected a positive number",
    ),
    # backends and generators of ops
    "kernels of an op is a name": (
        lambda: posteriors.product_of_experts(A, A, kernels="numba_cpu"), "kernels: expected a mod",
    ),
    "kernels of an op is None": (
        lambda: objectives.iwae(A[0], kernels=None), "kernels: expected a module",
    ),
    "rng of noise is a seed": (lambda: laplace.laplace_noise(0, (2,)), "rng: expected a generator"),
    "rng of subsets is None": (
        lambda: objectives.sample_subsets(3, 1, None), "rng: expected a generator",
    ),
    "rng of a likelihood is text": (
        lambda: Normal(2).sample({}, A, "x"), "rng: expected a generator",
    ),
    "rng of init is a seed": (lambda: MODEL.init(0), "rng: expected a generator"),
    "rng of draw_noise is None": (
        lambda: MODEL.draw_noise(None, 2, 1), "rng: expected a generator",
    ),
    "rng of sample is text": (
        lambda: MODEL.sample(2, rng="x"), "rng: expected a generator or a seed",
    ),
    "hidden of a classifier is a number": (
        lambda: Classifier(Normal(3), hidden=5), "hidden: expected sizes such as",
    ),
    "hidden of a classifier is text": (
        lambda: Classifier(Normal(3), hidden="x"), "hidden: expected sizes such as",
    ),
    "hidden of a classifier has 0": (
        lambda: Classifier(Normal(3), hidden=(0,)), "hidden: expected a whole number",
    ),
    "a confusion of counts": (
        lambda: criteria.corrected_coherence(LABEL, LABEL, 9 * PAIR, PAIR),
        "C_first: expected rows that sum to 1",
    ),
    "a confusion with predictions as rows": (
        lambda: criteria.correct_for_classifiers(PAIR, PAIR, PAIR + np.ones((2, 1)) @ [[1, 0]]),
        "second: expected rows that sum to 1",
    ),
    "op is no function": (lambda: gradcheck.check_pullback(3, Z, rng=0), "op: expected a function"),
    "rng of a gradient check is text": (
        lambda: gradcheck.check_pullback(abs, Z, rng="x"), "rng: expected a generator or a seed",
    ),
    "expected gradient is NaN": (
        lambda: unbiased(expected=Z * nan), "expected: expected finite numbers",
    ),
    "expected gradient is masked": (
        lambda: unbiased(expected=np.ma.array(Z)), "expected: expected a plain array",
    ),
    "expected gradient is complex": (
        lambda: unbiased(expected=Z + 1j), "expected: expected real numbers",
    ),
    "draws of a gradient is text": (lambda: unbiased(draws="x"), "draws: expected a whole number"),
    "draws of a gradient is a float": (lambda: unbiased(draws=2.5), "draws: expected a whole"),
    "bias is NaN": (lambda: unbiased(bias=nan), "bias: expected a finite number above 0"),
    "bias is below 0": (lambda: unbiased(bias=-1), "bias: expected a finite number above 0"),
    "rng of an unbiasedness check is text": (
        lambda: unbiased(rng="x"), "rng: expected a generator or a seed",
    ),
    "rng of sample is a module": (
        lambda: MODEL.sample(2, rng=np.random), "rng: expected a generator or a seed",
    ),
    "rng of init is of an older kind": (
        lambda: MODEL.init(np.random.RandomState(0)), "rng: expected a generator such as",
    ),
    "rng of sample is negative": (lambda: MODEL.sample(2, rng=-1), "rng: expected a generator or"),
    "rng of sample is a float": (lambda: MODEL.sample(2, rng=0.5), "rng: expected a generator or"),
    "rng of sample is True": (lambda: MODEL.sample(2, rng=True), "rng: expected a generator or"),
    "rng of generate is text": (
        lambda: MODEL.generate(X, rng="x"), "rng: expected a generator or a seed",
    ),
    "rng of an estimate is a float": (lambda: marginal(rng=1.5), "rng: expected a generator or"),
    "rng of a conditional is text": (lambda: conditional(rng="x"), "rng: expected a generator or"),
    "rng of a CVAE is text": (
        lambda: CONDITIONAL.generate({"b": X["b"]}, rng="x"), "rng: expected a generator or",
    ),
    "one modality has no subsets": (
        lambda: objectives.sample_subsets(1, 1, rng()), "random subsets need at least 2 modalities",
    ),
    # numbers of draws
    "n of sample is negative": (lambda: MODEL.sample(-1, rng=0), "n: expected a whole number"),
    "n of sample is a float": (lambda: MODEL.sample(2.0, rng=0), "n: expected a whole number"),
    "n of sample is True": (lambda: MODEL.sample(True, rng=0), "n: expected a whole number"),
    "K of samples is 0": (
        lambda: MODEL.posterior_sample(X, K=0, rng=0), "K: expected a whole number, at least 1",
    ),
    "K of samples is True": (
        lambda: MODEL.posterior_sample(X, K=True, rng=0), "K: expected a whole number",
    ),
    "K of an estimate is 0": (lambda: marginal(K=0), "K: expected a whole number, at least 1"),
    "K of an estimate is a float": (lambda: marginal(K=1e3), "K: expected a whole number"),
    "K of an estimate is True": (lambda: marginal(K=True), "K: expected a whole number"),
    "K of noise is negative": (
        lambda: MODEL.draw_noise(rng(), 2, -1), "K: expected a whole number",
    ),
    "N of noise is a float": (
        lambda: MODEL.draw_noise(rng(), 2.0, 1), "N: expected a whole number",
    ),
    "prior_samples is 0": (
        lambda: estimators.conditional_by_prior(
            MODEL, MODEL.theta, {"a": X["a"]}, {"b": X["b"]}, K=2, prior_samples=0, rng=0
        ),
        "prior_samples: expected a whole number",
    ),
    "chunk is 0": (lambda: marginal(chunk=0), "chunk: expected a whole number"),
    "chunk is text": (lambda: marginal(chunk="x"), "chunk: expected a whole number"),
    "dtype is float16": (
        lambda: MODEL.init(rng(), np.float16), "dtype: expected float32 or float64",
    ),
    "dtype is text": (lambda: MODEL.init(rng(), "x"), "dtype: expected float32 or float64"),
    "dtype of noise is int": (
        lambda: MODEL.draw_noise(rng(), 2, 1, int), "dtype: expected float32 or float64",
    ),
    # theta, eps, beta
    "beta below 0": (lambda: bound(beta=-1), "beta: expected a finite number, 0 or more"),
    "beta is NaN": (lambda: bound(beta=nan), "beta: expected a finite number, 0 or more"),
    "beta infinite": (lambda: bound(beta=np.float64(inf)), "beta: expected a finite number"),
    "beta is text": (lambda: bound(beta="x"), "beta: expected a finite number"),
    "beta is None": (lambda: bound(beta=None), "beta: expected a finite number"),
    "beta is True": (lambda: bound(beta=True), "beta: expected a finite number"),
    "beta is complex": (lambda: bound(beta=1j), "beta: expected a finite number"),
    "beta is an array": (lambda: bound(beta=np.ones(N)), "beta: expected a finite number"),
    "theta is None": (lambda: bound(theta=None), "theta: found None; `fit` or `load` first"),
    "theta is a list": (lambda: bound(theta=[1.0]), "theta: expected shape"),
    "theta is too short": (lambda: bound(theta=MODEL.theta[1:]), "theta: expected shape"),
    "theta of integers": (
        lambda: bound(theta=MODEL.theta.astype(int)), "theta: expected an array of numbers",
    ),
    "theta of an estimate is complex": (
        lambda: marginal(theta=MODEL.theta.astype(complex)), "theta: expected real numbers",
    ),
    "eps is None": (lambda: bound(eps=None), "eps: expected an array"),
    "eps is a list": (lambda: bound(eps=[1.0]), "eps: expected an array"),
    "eps of another shape": (lambda: bound(eps=np.ones((1, 1, N, 2))), "eps: expected shape"),
    "eps of another dtype": (
        lambda: bound(eps=np.ones((3, 1, N, 2), np.float32)), "eps: expected float64 as theta",
    ),
    # data
    "x is an array": (lambda: MODEL.encode(X["a"]), "x: expected a dict"),
    "x is empty": (lambda: MODEL.encode({}), "x: expected at least one"),
    "x has a stranger": (lambda: MODEL.encode({"c": X["a"]}), "x: unknown modality 'c'"),
    "x is None in it": (lambda: MODEL.encode({"a": None}), "x['a']: expected an array of numbers"),
    "x is ragged": (lambda: MODEL.encode({"a": [[1], [1, 2]]}), "x['a']: expected rows of one"),
    "x of other features": (lambda: MODEL.encode({"a": X["b"]}), "x['a']: expected shape"),
    "x of two lengths": (lambda: MODEL.encode({**X, "b": PAIR}), "x['b']: expected shape"),
    "x has no rows": (lambda: MODEL.encode({"a": X["a"][:0]}), "x: expected at least one example"),
    "x of labels, not one-hot": (
        lambda: MODEL.encode({"b": X["b"] / 2}), "x['b']: expected one-hot",
    ),
    "x is NaN, not masked": (
        lambda: MODEL.encode({"a": X["a"] * nan}), "x['a']: expected finite float64 values",
    ),
    "x lies in numpy.ma": (
        lambda: MODEL.encode({"a": np.ma.masked_invalid(X["a"])}), "x['a']: expected a plain array",
    ),
    "mask of floats": (
        lambda: MODEL.encode(X, mask=np.ones((2, N))), "mask: expected bool of shape",
    ),
    "mask of another shape": (
        lambda: MODEL.encode(X, mask=np.ones((N, 2), bool)), "mask: expected bool of shape",
    ),
    "mask in numpy.ma": (
        lambda: MODEL.encode(X, mask=np.ma.ones((2, N), bool)), "mask: expected a plain array",
    ),
    "mask is a dict": (lambda: MODEL.encode(X, mask={}), "mask: expected bool"),
    "mask leaves nothing": (
        lambda: MODEL.encode(X, mask=np.zeros((2, N), bool)), "mask: example 0 has no modality",
    ),
    "mask of what is absent": (
        lambda: MODEL.encode({"a": X["a"]}, mask=np.ones((2, N), bool)),
        "mask: row 1 says that 'b'",
    ),
    "rows beyond the data": (
        lambda: MODEL.fit(Paired(X, {"a": np.array([9]), "b": np.array([0])})),
        "Paired: rows['a']: expected indices below 4",
    ),
    "rows of floats": (
        lambda: MODEL.fit(Paired(X, {"a": np.array([0.0]), "b": np.array([0])})),
        "rows['a']: expected an array of numbers",
    ),
    "rows of two lengths": (
        lambda: MODEL.fit(Paired(X, {"a": np.array([0]), "b": np.array([0, 1])})),
        "Paired: expected rows of one length",
    ),
    # latents and names
    "z is NaN": (lambda: MODEL.decode(Z * nan), "z: expected finite numbers"),
    "z is infinite": (lambda: MODEL.decode(Z + inf), "z: expected finite numbers"),
    "z is complex": (lambda: MODEL.decode(Z * 1j), "z: expected real numbers"),
    "z of other dimensions": (lambda: MODEL.decode(X["a"]), "z: expected shape (…, 2)"),
    "z is a number": (lambda: MODEL.decode(1.0), "z: expected shape (…, 2)"),
    "z is text": (lambda: MODEL.decode("z"), "z: expected an array of numbers"),
    "z is None": (lambda: MODEL.decode(None), "z: expected an array of numbers"),
    "z is ragged": (lambda: MODEL.decode([[1, 2], [1]]), "z: expected rows of one length"),
    "z of other rows than given": (
        lambda: CONDITIONAL.decode(Z[:2], given={"b": X["b"]}), "z: expected 4 rows as in given",
    ),
    "names unknown": (lambda: MODEL.decode(Z, "c"), "names: unknown modality 'c'"),
    "names is a number": (lambda: MODEL.decode(Z, 3), "names: unknown modality 3"),
    "names has a list": (lambda: MODEL.decode(Z, [["a"]]), "names: unknown modality ['a']"),
    "target unknown": (lambda: MODEL.generate(X, "c", rng=0), "names: unknown modality 'c'"),
    "names of the condition": (
        lambda: CONDITIONAL.decode(Z, "b", given={"b": X["b"]}), "CVAE explains 'a' only, not 'b'",
    ),
    "no parameters yet": (lambda: model().encode(X), "this MVAE has no parameters yet"),
    "a CVAE samples nothing": (lambda: CONDITIONAL.sample(2, rng=0), "CVAE has no p(b) to sample"),
    # estimates
    "given is an array": (lambda: marginal(given=X["a"]), "given: expected a dict"),
    "given of other rows": (
        lambda: marginal(given={"b": PAIR}), "given: expected 4 examples as x, found 2",
    ),
    "given is x": (lambda: conditional(given={"a": X["a"]}), "x, given: expected different"),
    "given is None": (lambda: conditional(given=None), "x, given: expected dicts"),
    "parts repeat": (
        lambda: estimators.marginals(MODEL, MODEL.theta, [X, X], rng=0),
        "x, given: expected different modalities",
    ),
    "parts is empty": (
        lambda: estimators.marginals(MODEL, MODEL.theta, [], rng=0), "parts: expected at least one",
    ),
    "a CVAE has no marginal": (
        lambda: CONDITIONAL.log_marginal(X, rng=0), "CVAE has no p(a, b), only p(a | b)",
    ),
    # criteria
    "classes of labels below 0": (
        lambda: criteria.linear_probe(Z, LABEL - 1, folds=LABEL), "y: expected classes 0 to V − 1",
    ),
    "classes as floats": (
        lambda: criteria.linear_probe(Z, LABEL * 1.0, folds=LABEL),
        "y: expected classes as integers",
    ),
    "classes of another length": (
        lambda: criteria.linear_probe(Z, LABEL[:2], folds=LABEL), "y: expected shape (4,)",
    ),
    "the KL of no example": (
        lambda: criteria.kl_per_dimension(Z[:0], Z[:0]), "mu: expected at least 1 example",
    ),
    "the overlap of no KL": (
        lambda: criteria.latent_overlap(Z[0] * 0, Z[0] ** 2), "first: expected a KL for each",
    ),
    "active units of one example": (
        lambda: criteria.active_units(Z[:1]), "mu: expected at least 2 values, found 1",
    ),
    "classes of no rows": (
        lambda: criteria.linear_probe(Z[:0], LABEL[:0], folds=LABEL[:0]), "y: expected classes",
    ),
    "folds of one fold": (
        lambda: criteria.linear_probe(Z, LABEL, folds=LABEL * 0), "folds: expected at least 2",
    ),
    "folds of another length": (
        lambda: criteria.linear_probe(Z, LABEL, folds=LABEL[:2]), "folds: expected shape (4,)",
    ),
    "tested of other dimensions": (
        lambda: criteria.linear_probe(Z, LABEL, folds=LABEL, tested=X["a"]),
        "tested: expected shape",
    ),
    "probe of NaN": (lambda: criteria.probe(Z * nan, LABEL, classes=2), "z: expected finite"),
    "probe of one axis": (
        lambda: criteria.probe(Z[0], LABEL, classes=2), "z: expected shape (N, D)",
    ),
    "probe of a class beyond": (
        lambda: criteria.probe(Z, LABEL + 1, classes=2), "label: expected classes 0 to 1",
    ),
    "predict of NaN": (lambda: classifier().predict(X["a"] * nan), "x: expected finite numbers"),
    "predict of other features": (lambda: classifier().predict(Z), "x: expected shape (N, 3)"),
    "predict before fit": (lambda: Classifier(Normal(3)).predict(X["a"]), "this Classifier has no"),
    "accuracy of another length": (
        lambda: classifier().accuracy(X["a"], LABEL[:2]), "label: expected shape (4,)",
    ),
    "accuracy of a class beyond": (
        lambda: classifier().accuracy(X["a"], LABEL + 1), "label: expected classes 0 to 1",
    ),
    "Classifier of 0 classes": (
        lambda: Classifier(Normal(3), 0), "classes: expected a whole number, at least 1",
    ),
    "Classifier without a likelihood": (lambda: Classifier(3), "likelihood: expected one such as"),
    "micro_and_macro of two lengths": (
        lambda: criteria.micro_and_macro(LABEL, LABEL[:2]), "y: expected shape (4,), found (2,)",
    ),
    "micro_and_macro of nothing": (
        lambda: criteria.micro_and_macro([], []), "predicted: expected classes as integers",
    ),
    "coherence of one axis": (lambda: criteria.coherence(LABEL), "y: expected shape (M, N)"),
    "coherence of NaN": (lambda: criteria.coherence(Z.T * nan), "y: expected finite numbers"),
    "coherence given another length": (
        lambda: criteria.coherence([LABEL, LABEL], given=LABEL[:2]), "given: expected shape (4,)",
    ),
    "pair_table of a class beyond": (
        lambda: criteria.pair_table(LABEL, LABEL + 1, classes=2), "second: expected classes 0 to 1",
    ),
    "pair_table of 0 classes": (
        lambda: criteria.pair_table(LABEL, LABEL, classes=0), "classes: expected a whole number",
    ),
    "confusion of a class without rows": (
        lambda: criteria.confusion(LABEL, LABEL, classes=3), "label: expected all 3 classes",
    ),
    "confusion of two lengths": (
        lambda: criteria.confusion(LABEL, LABEL[:2], classes=2), "predicted: expected shape (4,)",
    ),
    "a table that is not square": (
        lambda: criteria.correct_for_classifiers(X["a"], PAIR, PAIR),
        "table: expected shape (V, V)",
    ),
    "a table beside other classes": (
        lambda: criteria.correct_for_classifiers(PAIR, PAIR, np.eye(3)),
        "second: expected shape (2, 2)",
    ),
    "corrected coherence of one row": (
        lambda: criteria.corrected_coherence([1], [1], PAIR, PAIR),
        "first: expected at least 2 val",
    ),
    "synergy of two lengths": (
        lambda: criteria.synergy(Z[:, 0], Z[:2, 0]), "single: expected shape (4,), found (2,)",
    ),
    "synergy of one row": (
        lambda: criteria.synergy([1.0], [1.0]), "both: expected at least 2 values",
    ),
    "synergy of NaN": (lambda: criteria.synergy(Z[:, 0], Z[:, 0] * nan), "single: expected finite"),
    "hits beyond n": (lambda: criteria.wilson_interval(3, 2), "hits: expected 0 to n hits of n"),
    "hits are text": (
        lambda: criteria.wilson_interval("x", 2), "hits: expected an array of numbers",
    ),
    "z of an interval below 0": (
        lambda: criteria.wilson_interval(1, 2, z=-1), "z: expected a finite number, 0 or more",
    ),
    "source unknown": (
        lambda: criteria.cross_coherence(MODEL, X, LABEL, "c", "a", classifier(), rng=0),
        "source: expected one of ['a', 'b']",
    ),
    "classifiers of a stranger": (
        lambda: criteria.joint_coherence(MODEL, {"c": classifier()}, n=2, rng=0),
        "classifiers: expected some of ['a', 'b']",
    ),
    # kernels
    "kernels of two dtypes": (
        lambda: numba_cpu.product_of_experts(A, A.astype(np.float32)), "log_var: expected float64",
    ),
    "kernels of another shape": (
        lambda: numba_cpu.product_of_experts(A, A[:1]), "log_var: expected shape (2, 3, 2)",
    ),
    "kernels of no samples": (
        lambda: numba_cpu.importance_weights(A[0, :0]), "log_w: expected at least one sample",
    ),
    "kernels of a list": (lambda: numba_cpu.importance_weights([[1.0]]), "log_w: numba_cpu takes"),
    "kernels with a mask of floats": (
        lambda: numba_cpu.product_of_experts(A, A, np.ones((2, 3))), "mask: expected bool",
    ),
    "a step that counts from 0": (
        lambda: reference.adam_step(*np.ones((4, 2)), step=0, learning_rate=1.0),
        "step: expected a",
    ),
    # oracles
    "an oracle of two lengths": (
        lambda: DiscreteModel(np.log([0.5, 0.5]), [np.zeros((3, 1))]),
        "log_lik[0]: expected 2 rows",
    ),
    "an oracle's subset unknown": (
        lambda: ORACLE.log_prob(ORACLE.sample(rng(), 2)[1], ["c"]),
        "subset ['c']: expected distinct",
    ),
    "an oracle without sigma": (
        lambda: LinearGaussian({"a": PAIR}, {"a": [0, 0]}, {}), "names differ: W ['a']",
    ),
    "an oracle's complex table": (
        lambda: DiscreteModel(np.zeros(1) * 1j, [np.zeros((1, 1))]),
        "log_prior: expected real numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_a_bad_call_gets_one_sentence_that_names_the_argument(kind):
    call, words = ROWS[kind]
    refused(call, words)


# ---- numbers that become NaN ---------------------------------------------------------------------

UNSCALED = X | {"a": X["a"] * 1e6}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.estimate_marginal(UNSCALED, K=4, rng=0), "x: log p of example 0 became nan"),
        (lambda m: m.log_marginal(UNSCALED, K=4, rng=0), "x: log p of example 0 became nan"),
        (lambda m: m.posterior_sample(UNSCALED, rng=0), "x: a draw of z is not finite"),
        (lambda m: m.generate(UNSCALED, rng=0), "x: a draw of z is not finite"),
    ],
)
def test_data_of_another_size_than_the_training_data_are_named(call, words):
    model, _ = trained("MMVAE")
    model.theta = model.theta.astype(np.float32)
    refused(partial(call, model), words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda theta: theta[1:], "theta: expected shape"),
        (lambda theta: theta[None], "theta: expected shape"),
        (lambda theta: theta.astype(int), "theta: expected float32 or float64, found int64"),
        (lambda theta: theta.astype(np.float16), "theta: expected float32 or float64"),
        (lambda theta: theta.astype(">f8"), "theta: expected float64, found >f8"),
        (np.ma.array, "theta: expected a plain array"),
        (lambda theta: theta * nan, "theta: expected finite numbers"),
        (lambda theta: "x", "theta: expected an array of numbers"),
    ],
)
def test_parameters_that_a_model_cannot_have_are_neither_used_nor_saved(change, words, tmp_path):
    model, x = trained("MVAE")
    model.theta = change(model.theta)
    for call in (
        partial(model.encode, x),
        partial(model.sample, 2, rng=0),
        partial(model.estimate_marginal, x, rng=0),
        partial(model.save, tmp_path / "model.npz"),
        lambda: model.parameters,
    ):
        refused(call, words)
    assert not list(tmp_path.iterdir())
