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


# ---- what the rows call --------------------------------------------------------------------------

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


TARGET_AND_GIVEN = {"x": {"a": X["a"]}, "given": {"b": X["b"]}, "K": 2, "rng": 0}


def conditional(**changed):
    return estimators.conditional(MODEL, MODEL.theta, **TARGET_AND_GIVEN | changed)


def by_prior(**changed):
    return estimators.conditional_by_prior(MODEL, MODEL.theta, **TARGET_AND_GIVEN | changed)


# ---- numbers, counts, dtypes and generators, wherever a call takes one ---------------------------


def fit(**option):
    return MODEL.fit(X, progress=False, **option)


NO_NUMBERS = "x", None, True, nan, inf, 1j, np.ones(N), -1
NUMBERS = {
    "beta": lambda value: bound(beta=value),
    "alpha": lambda value: model(JMVAE, alpha=value),
    "weights['a']": lambda value: model(weights={"a": value}),
    "share['a']": lambda value: model(BiVCCA, share={"a": value}),
    "z": lambda value: criteria.wilson_interval(1, 2, z=value),
    "threshold": lambda value: criteria.active_units(Z, threshold=value),
    "temperature": lambda value: criteria.shared_nats(Z, LABEL, temperature=value),
    "learning_rate": lambda value: fit(learning_rate=value),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_of_0_or_more_is_refused(name):
    for value in NO_NUMBERS:
        words = f"{name}: expected a finite number, 0 or more, found {value!r}"
        refused(partial(NUMBERS[name], value), words)


NO_COUNTS = "x", "5", True, np.True_, nan, 2.0
COUNTS = [  # name, least, call
    ("latent", 1, lambda value: model(latent=value)),
    ("subsets", 0, lambda value: model(subsets=value)),
    ("features", 1, Normal),
    ("features", 1, Categorical),
    ("features", 1, Binomial),
    ("n", 1, lambda value: Binomial(2, n=value)),
    ("n", 1, lambda value: likelihoods.binomial_log_prob(A, x=A[0], n=value)),
    ("n", 1, lambda value: MODEL.sample(value, rng=0)),
    ("N", 1, lambda value: MODEL.draw_noise(rng(), value, 1)),
    ("K", 1, lambda value: MODEL.draw_noise(rng(), 2, value)),
    ("K", 1, lambda value: MODEL.posterior_sample(X, K=value, rng=0)),
    ("K", 1, lambda value: marginal(K=value)),
    ("chunk", 1, lambda value: marginal(chunk=value)),
    ("prior_samples", 1, lambda value: by_prior(prior_samples=value)),
    ("classes", 1, lambda value: Classifier(Normal(3), value)),
    ("classes", 1, lambda value: criteria.pair_table(LABEL, LABEL, classes=value)),
    ("hidden", 1, lambda value: Classifier(Normal(3), hidden=(value,))),
    ("steps", 1, lambda value: fit(steps=value)),
    ("batch_size", 1, lambda value: fit(batch_size=value)),
    ("samples", 1, lambda value: fit(samples=value)),
    ("interval", 1, lambda value: fit(interval=value)),
    ("patience", 1, lambda value: fit(validation=X, patience=value)),
    ("anneal", 0, lambda value: fit(anneal=value)),
    ("decay", 0, lambda value: fit(decay=value)),
    ("seed", 0, lambda value: fit(seed=value)),
]


@pytest.mark.parametrize(("name", "least", "call"), COUNTS)
def test_what_is_no_whole_number_is_refused(name, least, call):
    for value in (*NO_COUNTS, least - 1):
        words = f"{name}: expected a whole number, at least {least}, found {value!r}"
        refused(partial(call, value), words)


@pytest.mark.parametrize("value", [np.float16, int, "x", ">f4", None])
def test_what_is_no_float_type_is_refused(value):
    for call in (
        lambda: MODEL.init(rng(), value),
        lambda: MODEL.draw_noise(rng(), 2, 1, value),
        lambda: fit(dtype=value),
    ):
        refused(call, "dtype: expected float32 or float64, found ")


@pytest.mark.parametrize("value", [0, -1.0, True, nan, inf, None, "learned", np.ones(2)])
@pytest.mark.parametrize("kind", [Normal, Laplace])
def test_what_is_no_scale_is_refused(kind, value):
    refused(partial(kind, 2, value), 'scale: expected a positive number or "learnt", found ')


SIZES = 8, "x", (8, 0), (True,), (8.0,), {"a": ((3,), (3,))}
SIZES += dict.fromkeys(TWO, (8,)), dict.fromkeys(TWO, (8, 8))


@pytest.mark.parametrize("hidden", SIZES)
def test_what_is_no_size_of_layers_is_refused(hidden):
    refused(lambda: model(hidden=hidden), "hidden: expected sizes such as (256, 256), or for every")
    refused(lambda: Classifier(Normal(3), hidden=hidden), "hidden: expected")


GENERATORS = {
    "noise": lambda value: laplace.laplace_noise(value, (2,)),
    "subsets": lambda value: objectives.sample_subsets(3, 1, value),
    "a likelihood": lambda value: Normal(2).sample({}, A, value),
    "init": lambda value: MODEL.init(value),
    "draw_noise": lambda value: MODEL.draw_noise(value, 2, 1),
}
GENERATORS_OR_SEEDS = {
    "sample": lambda value: MODEL.sample(2, rng=value),
    "generate": lambda value: MODEL.generate(X, rng=value),
    "an estimate": lambda value: marginal(rng=value),
    "a conditional": lambda value: conditional(rng=value),
    "a CVAE": lambda value: CONDITIONAL.generate({"b": X["b"]}, rng=value),
    "a gradient check": lambda value: gradcheck.check_pullback(abs, Z, rng=value),
    "an unbiasedness check": lambda value: unbiased(rng=value),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_what_is_no_generator_is_refused(name):
    for value in 0, None, "x", np.random.RandomState(0):
        refused(partial(GENERATORS[name], value), "rng: expected a generator such as")


@pytest.mark.parametrize("name", GENERATORS_OR_SEEDS)
def test_what_is_neither_a_generator_nor_a_seed_is_refused(name):
    for value in "x", -1, 0.5, np.random:
        refused(partial(GENERATORS_OR_SEEDS[name], value), "rng: expected a generator or a seed")


# ---- one row for each other kind of bad call -----------------------------------------------------

ROWS = {
    # a constructor's arguments
    "latent of one dimension, whose scale is fixed": (
        lambda: model(LaplaceMMVAE, latent=1), "latent: expected at least 2, found 1",
    ),
    "activation unknown": (lambda: model(activation="gelu"), "activation: expected one of"),
    "activation is a list": (lambda: model(activation=["tanh"]), "activation: expected one of"),
    "initial unknown": (lambda: model(initial="zeros"), "initial: expected one of"),
    "kl unknown": (lambda: model(kl="exact"), "kl: expected one of"),
    "objective unknown": (lambda: model(MMVAE, objective="x"), "objective: expected one of"),
    "objective is a list": (lambda: model(MMVAE, objective=[]), "objective: expected one of"),
    "kernels is a name": (lambda: model(kernels="numba_cpu"), "kernels: expected a module"),
    "weights of a stranger": (lambda: model(weights={"c": 1}), "weights: unknown modality"),
    "weights is a list": (lambda: model(weights=[1, 2]), "weights: expected a dict"),
    "share of a stranger": (lambda: model(BiVCCA, share={"c": 1}), "share: unknown modality"),
    "share is 0": (lambda: model(BiVCCA, share={"a": 0}), "share: expected positive numbers"),
    "condition unknown": (lambda: model(CVAE, condition="c"), "condition: expected some of"),
    "condition is a number": (lambda: model(CVAE, condition=1), "condition: expected some of"),
    "condition is empty": (lambda: model(CVAE, condition=()), "condition: expected some of"),
    "condition leaves nothing": (
        lambda: model(CVAE, condition=["a", "b"]),
        "CVAE: expected 1 modality besides ['a', 'b'], found []",
    ),
    "condition leaves too much": (
        lambda: model(CVAE, TWO | {"c": Normal(3)}, condition="c"),
        "CVAE: expected 1 modality besides ['c'], found ['a', 'b']; MVAE and MMVAE take several",
    ),
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
    "a confusion of counts": (
        lambda: criteria.corrected_coherence(LABEL, LABEL, 9 * PAIR, PAIR),
        "C_first: expected rows that sum to 1",
    ),
    "a confusion with predictions as rows": (
        lambda: criteria.correct_for_classifiers(PAIR, PAIR, PAIR + np.ones((2, 1)) @ [[1, 0]]),
        "second: expected rows that sum to 1",
    ),
    "op is no function": (lambda: gradcheck.check_pullback(3, Z, rng=0), "op: expected a function"),
    "expected gradient is NaN": (
        lambda: unbiased(expected=Z * nan), "expected: expected finite numbers",
    ),
    "expected gradient is masked": (
        lambda: unbiased(expected=np.ma.array(Z)), "expected: expected a plain array",
    ),
    "expected gradient is complex": (
        lambda: unbiased(expected=Z + 1j), "expected: expected real numbers",
    ),
    "bias is NaN": (lambda: unbiased(bias=nan), "bias: expected a finite number above 0"),
    "bias is below 0": (lambda: unbiased(bias=-1), "bias: expected a finite number above 0"),
    "rng of sample is True": (lambda: MODEL.sample(2, rng=True), "rng: expected a generator or"),
    "one modality has no subsets": (
        lambda: objectives.sample_subsets(1, 1, rng()), "random subsets need at least 2 modalities",
    ),
    # theta and eps
    "theta is None": (lambda: bound(theta=None), "theta: found None; `fit` or `load` first"),
    "theta is a list": (lambda: bound(theta=[1.0]), "theta: expected shape"),
    "theta is too short": (lambda: bound(theta=MODEL.theta[1:]), "theta: expected shape"),
    "theta of integers": (
        lambda: bound(theta=MODEL.theta.astype(int)), "theta: expected an array of numbers",
    ),
    "theta of an estimate is None": (lambda: marginal(theta=None), "theta: found None; `fit` or"),
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
    "x lies in numpy.ma": (
        lambda: MODEL.encode({"a": np.ma.masked_invalid(X["a"])}), "x['a']: expected a plain array",
    ),
    "mask in numpy.ma": (
        lambda: MODEL.encode(X, mask=np.ma.ones((2, N), bool)), "mask: expected a plain array",
    ),
    "rows beyond the data": (
        lambda: MODEL.fit(Paired(X, {"a": np.array([9]), "b": np.array([0])})),
        "Paired: rows['a']: expected indices below 4",
    ),
    "rows of floats": (
        lambda: MODEL.fit(Paired(X, {"a": np.array([0.0]), "b": np.array([0])})),
        "rows['a']: expected an array of numbers",
    ),
    "rows of one modality alone": (
        lambda: MODEL.fit(Paired(X, {"a": np.array([0])})), "Paired: expected",
    ),
    "rows of no pair": (
        lambda: MODEL.fit(Paired(X, dict.fromkeys("ab", np.zeros(0, int)))), "Paired: rows['a']",
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
        lambda: CONDITIONAL.log_marginal(X, rng=0),
        "CVAE has no p(a, b), only p(a | b): use conditional",
    ),
    "a CVAE has no estimate by its prior": (
        lambda: estimators.conditional_by_prior(CONDITIONAL, CONDITIONAL.theta, **TARGET_AND_GIVEN),
        "CVAE has no p(",
    ),
    "a CVAE given its target": (
        lambda: CONDITIONAL.log_conditional({"b": X["b"]}, {"a": X["a"]}, rng=0),
        "given: expected ['b'], found ['a']",
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
        lambda: criteria.linear_probe(Z, LABEL, folds=LABEL * 0), 
        "folds: expected at least 2, found fold",
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
    "hits are text": (
        lambda: criteria.wilson_interval("x", 2), "hits: expected an array of numbers",
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
