"""Every equation has a claim that holds, and every claim and mutant shows that it can fail."""

import re
import time
from functools import wraps
from inspect import signature

import numpy as np
import pytest
from mmvae_edu.kernels.reference import adam_step
from mmvae_edu.kernels.simulator.examples_of_warps import transpose_kernel

from mmvae_edu.claims import CLAIMS, POWER, T4, mutants_of, registry, run, s00_first_check
from mmvae_edu.claims.examples import EXAMPLES
from mmvae_edu.claims.inputs import VALUES
from mmvae_edu.models import IWAE, MMVAE
from mmvae_edu.objectives import stratified_iwae
from mmvae_edu.slides import s11_mixture
from mmvae_edu.slides.equations import load_equations
from mmvae_edu.slides.s09_importance import dreg_grads

EXPECTED = [equation.id for equation in load_equations()]
BEYOND_THE_SLIDES = {s00_first_check.two_plus_two, adam_step, stratified_iwae, dreg_grads}
BEYOND_THE_SLIDES |= {s11_mixture.cross_reconstruction, s11_mixture.reconstruction_cap}
BEYOND_THE_SLIDES |= {IWAE.doubly_reparameterised, MMVAE.doubly_reparameterised, transpose_kernel}
OF = dict.fromkeys([claim.of for claim in CLAIMS.values()] + list(registry.FUNCTIONS))
PAIRS = [(f, mutant) for f in OF for mutant in mutants_of(f)]


def rejects(claim, mutant):
    """Does the claim fail on the mutant, with power to spare where it draws at random?"""
    result = run(claim, mutant.f)
    return result.error >= POWER if claim.tol is T4 else not result.passed


@pytest.fixture(scope="module")
def confusion():
    """{claim's name: the mutants of its function that it rejects}."""
    with np.errstate(all="ignore"):
        return {
            name: {m.name for m in mutants_of(claim.of) if rejects(claim, m)}
            for name, claim in CLAIMS.items()
        }


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_holds(name):
    for seed in 0, 1, 2:
        result = run(CLAIMS[name], seed=seed)
        assert result.passed, f"seed {seed}: error {result.error:.1e} {result.note}"


def arguments(f, args, constants):
    return signature(f).bind(*args, **constants).arguments.items()


@pytest.mark.parametrize("name", [name for name in CLAIMS if CLAIMS[name].of in EXAMPLES | VALUES])
def test_a_claim_gives_arrays_where_every_example_does(name):
    of, arrays, others, wrong = CLAIMS[name].of, set(), {"kernels"}, {}
    for draw in (EXAMPLES | VALUES)[of]:
        for argument, value in arguments(of, *draw(np.random.default_rng(0))):
            (arrays if isinstance(value, np.ndarray) else others).add(argument)

    @wraps(of)
    def seen(*args, **constants):
        for argument, value in arguments(of, args, constants):
            if argument in arrays - others and not isinstance(value, np.ndarray | None):
                wrong[argument] = value
        return of(*args, **constants)

    run(CLAIMS[name], seen)
    assert wrong == {}  # an answer may index an array as its docstring lets it


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_is_failed_by_a_mutant(name, confusion):
    assert confusion[name], f"no mutant of {CLAIMS[name].of.__qualname__} fails this claim"


@pytest.mark.parametrize(("f", "mutant"), PAIRS, ids=[mutant.name for _, mutant in PAIRS])
def test_mutant_fails_a_claim(f, mutant, confusion):
    claims = [name for name, claim in CLAIMS.items() if claim.of is f]
    assert any(mutant.name in confusion[name] for name in claims), f"of {f.__qualname__}: {claims}"


@pytest.mark.parametrize("equation", EXPECTED)
def test_equation_has_a_claim(equation):
    assert [name for name, claim in CLAIMS.items() if equation in claim.equations]


def test_equations_are_those_of_the_ledger():
    cited = {equation for claim in CLAIMS.values() for equation in claim.equations}
    assert cited <= {equation.id for equation in load_equations()}
    assert len(EXPECTED) == 47


def test_a_claim_that_stands_alone_has_a_subject():
    opening = r"(With|Integrated|Averaged|Of|At|Under|Where|On)\b[^;:]*?,? it (is|holds|covers)\b"
    pronouns = re.compile(rf"Its?\b|{opening}")
    assert [name for name, claim in CLAIMS.items() if pronouns.match(claim.statement)] == []


def test_every_claim_and_mutant_speaks():
    for claim in CLAIMS.values():
        assert claim.statement.endswith("."), claim.name
        assert claim.oracle, claim.name
        assert claim.equations or claim.of in BEYOND_THE_SLIDES, claim.name
    for f in OF:
        mutants = mutants_of(f)
        assert all(mutant.says for mutant in mutants)
        assert len({mutant.name for mutant in mutants}) == len(mutants), f.__qualname__


def test_all_claims_run_within_seconds():
    start = time.process_time()
    for claim in CLAIMS.values():
        run(claim)
    assert time.process_time() - start < 20  # some 3 s


# The verdict itself


def test_a_wrong_shape_or_nan_is_no_pass():
    assert registry.achieved_error(np.zeros(3), np.zeros(4), registry.T0) == np.inf
    assert registry.achieved_error(np.array([np.nan]), np.zeros(1), registry.T0) == np.inf
    assert registry.achieved_error(np.full((9, 1), np.nan), np.zeros(1), T4) == np.inf


def test_error_is_relative_above_one_and_absolute_below():
    assert registry.achieved_error(np.array([2e-3]), np.array([1e-3]), registry.T0) == 1e-3
    assert np.isclose(
        registry.achieved_error(np.array([220.0]), np.array([200.0]), registry.T0), 0.1
    )


def test_a_z_score_counts_standard_errors():
    draws = np.array([1.0, 2.0, 3.0, 4.0, 5.0])[:, None]
    standard_error = np.sqrt(2.5 / 5)
    assert np.isclose(registry.achieved_error(draws, 2.0, T4), 1 / standard_error)
    assert registry.achieved_error(np.ones((5, 1)), 1.0, T4) == 0
    assert registry.achieved_error(np.ones((5, 1)), 1.1, T4) == np.inf


def test_an_exception_is_a_failure_with_its_text():
    def raises(*args, **constants):
        raise KeyError("z")

    for claim in list(CLAIMS.values())[:5]:
        result = run(claim, raises)
        assert not result.passed
        assert "KeyError" in result.note
