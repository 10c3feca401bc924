"""The laws of exercises: the library keeps them, and whole kinds of mistakes break them."""

import copy
from inspect import Parameter, signature

import numpy as np
import pytest

from mmvae_edu.claims import CLAIMS, run
from mmvae_edu.claims.examples import EXAMPLES
from mmvae_edu.claims.inputs import VALUES, forms_of, rows_of
from mmvae_edu.claims.laws import MASKS
from mmvae_edu.course.dev import unvaried
from mmvae_edu.course.examine import WRONG, examine
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.runner import load
from mmvae_edu.criteria import coherence

WITH_ROWS = [exercise for exercise in exercises().values() if rows_of(exercise.of)]
LAWS = [law for e in WITH_ROWS for law in e.claims if law.name not in CLAIMS]


@pytest.mark.parametrize("law", LAWS, ids=[law.name for law in LAWS])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_library_keeps_the_law(law):
    for seed in range(3):
        result = run(law, seed=seed)
        assert result.passed, f"{law.statement} error {result.error:.1e} {result.note}"


# ---- kinds of mistakes, made in every exercise in which they can be made ------------------------


def logs_of(of, axes=""):
    """List the arguments that are logarithms of any size, with these last axes."""
    forms = forms_of(of, rows_of(of)[-1]).items()
    return [name for name, form in forms if str(form).endswith(f"{axes} log_weight")]


def underflow(of, inputs):
    return {name: np.log(np.exp(inputs[name])) for name in logs_of(of)}


def underflow_below_one_maximum(of, inputs):
    tops = {name: inputs[name].max() for name in logs_of(of)}
    return {name: np.log(np.exp(inputs[name] - top)) + top for name, top in tops.items()}


def leak(of, inputs):
    """Make all of an array NaN where some of it is not finite."""
    floats = {name: a for name, a in inputs.items() if np.asarray(a).dtype.kind == "f"}
    return {name: a * (a.sum() * 0 + 1) for name, a in floats.items() if name not in MASKS}


def a_generator_of_its_own(of, inputs):
    return {"rng": np.random.default_rng(0)}


def a_copied_generator(of, inputs):
    return {"rng": copy.deepcopy(inputs["rng"])}


def without(option):
    def default(of, inputs):
        return {option: signature(of).parameters[option].default}

    return default


def options_of(of):
    parameters = signature(of).parameters.values()
    names = [p.name for p in parameters if p.default is not Parameter.empty]
    return [name for name in names if name != "kernels"]


def by_inputs(of, change):
    """Change some of the inputs of `of` by name."""

    def wrong(*args, **constants):
        given = dict(zip(signature(of).parameters, args, strict=False))
        changes = change(of, given | constants)
        args = [changes.pop(name, a) for name, a in given.items()]
        return of(*args, **constants | changes)

    return wrong


def remembering(of):
    """The first gradient of a call is that of all cotangents."""

    def wrong(*args, **constants):
        value, pullback = of(*args, **constants)
        gradients = []

        def wrong_pullback(*cotangents):
            gradients.append(pullback(*cotangents))
            return copy.deepcopy(gradients[0])

        return value, wrong_pullback

    return wrong


def with_one_buffer(of):
    """The pullback of the last call is that of all."""
    last = {}

    def wrong(*args, **constants):
        value, last["pullback"] = of(*args, **constants)
        return value, lambda *cotangents: last["pullback"](*cotangents)

    return wrong


def kinds():
    for exercise in WITH_ROWS:
        of, parameters = exercise.of, signature(exercise.of).parameters
        changes = [without(name) for name in options_of(of)]
        changes += [underflow] if logs_of(of) else []
        changes += [underflow_below_one_maximum] if logs_of(of, "N") else []
        changes += [a_generator_of_its_own, a_copied_generator] if "rng" in parameters else []
        changes += [leak] if any(name in parameters for name in ("mask", "log_alpha")) else []
        yield from ((exercise, change.__name__, by_inputs(of, change)) for change in changes)
        makers = [remembering, with_one_buffer] if of in EXAMPLES else []
        yield from ((exercise, maker.__name__, maker(of)) for maker in makers)


KINDS = list(kinds())


@pytest.mark.parametrize(
    ("exercise", "kind", "wrong"), KINDS, ids=[f"{e.name}, {kind}" for e, kind, _ in KINDS]
)
def test_no_exercise_accepts_the_kind(exercise, kind, wrong):
    with np.errstate(all="ignore"):
        assert examine(exercise, wrong, seeds=range(3)).code == WRONG


# ---- what no row varies -------------------------------------------------------------------------


def test_an_option_that_no_row_varies_is_a_fault(monkeypatch):
    exercise = exercises()["L18.coherence"]
    stub = load(exercise.stub).coherence
    assert unvaried(exercise, stub) == []
    without_given, with_given = VALUES[coherence]
    monkeypatch.setitem(VALUES, coherence, [without_given])
    assert unvaried(exercise, stub) == ["claims/inputs.py does not vary given"]
    monkeypatch.setitem(VALUES, coherence, [with_given])
    assert unvaried(exercise, stub) == ["claims/inputs.py does not vary given"]
    monkeypatch.setitem(VALUES, coherence, [])
    assert unvaried(exercise, stub) == ["it has no row in claims/inputs.py"]


def test_an_axis_that_no_row_has_is_a_fault():
    def stub():
        """y (M, N, L) -> a number"""

    faults = unvaried(exercises()["L18.coherence"], stub)
    assert faults == ["claims/inputs.py does not vary the axis L"]
