"""The bug hunt: its files, what grades a check and a fix, and how a learner meets them."""

import re
from textwrap import dedent

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mmvae_edu import cli
from mmvae_edu.claims import CLAIMS, run
from mmvae_edu.claims.hunt.versions import Misjudged, files, load
from mmvae_edu.course.examine import RIGHT, WRONG
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.hunt import gradient_agrees, report, verdict
from mmvae_edu.course.planted import BUGS, CHECKS, generic, planted
from mmvae_edu.course.runner import check
from mmvae_edu.gaussian import gaussian_log_prob, gaussian_sample, neg_kl_std_normal
from mmvae_edu.objectives import effective_sample_size
from mmvae_edu.posteriors import product_of_experts

HUNT = {id: exercise for id, exercise in exercises().items() if id.startswith("L23.")}
NUMBERS = range(1, 13)
CLEAN = {2, 10}
rng = np.random.default_rng(5)
MU, LOG_VAR = rng.normal(size=(2, 3, 4, 2))
EPS = rng.normal(size=(5, 4, 2))
LOG_W = rng.normal(size=(5, 4))
OPS = {  # the files with pullbacks: the function, its arguments and constants
    1: ("sample", (MU[0], LOG_VAR[0]), {"eps": EPS}),
    2: ("log_likelihood", (rng.normal(size=(5, 4, 2)),), {"x": np.full((4, 2), 3.0)}),
    4: ("product_of_experts", (MU, LOG_VAR), {}),
    6: ("objective", tuple(rng.normal(size=(3, 5, 4))), {}),
    8: ("bound", (LOG_W,), {}),
    9: ("log_mixture", (MU[0, None], MU, LOG_VAR), {"present": np.eye(3, 4) + np.eye(3, 4, 1)}),
}
BLAMELESS_BACKWARD = {1, 2, 4, 6, 9}


# ---- the twelve files -------------------------------------------------------------------------


def test_there_are_twelve_short_files_that_give_nothing_away():
    assert [path.name[:2] for path in files()] == [f"{n:02}" for n in NUMBERS]
    for path in files():
        text = path.read_text(encoding="utf-8")
        assert 30 <= len(text.splitlines()) <= 80
        assert not re.search(r"\b(bugs?|clean|wrong|mistakes?|fix|hunt|import mmvae_edu)\b", text)


@pytest.mark.parametrize("number", NUMBERS)
def test_ten_files_are_wrong_and_two_are_clean(number):
    assert HUNT[f"L23.check_{number:02}"].of(load(number)) is (number in CLEAN)
    left = [m for m in HUNT[f"L23.fix_{number:02}"].mutants if m.name == "left_as_it_is"]
    assert len(left) == (number not in CLEAN)


@pytest.mark.parametrize("number", OPS)
def test_a_gradient_check_of_the_files_as_they_stand(number):
    function, args, constants = OPS[number]
    agrees = gradient_agrees(getattr(load(number), function), *args, **constants)
    assert agrees is (number in BLAMELESS_BACKWARD)


def test_what_stands_beside_the_function_in_question_is_right():
    mu, log_var = MU[0], LOG_VAR[0]
    neg_kl, _ = neg_kl_std_normal(mu, log_var)
    assert gradient_agrees(load(1).neg_kl, mu, log_var)
    assert_allclose(load(1).neg_kl(mu, log_var)[0], neg_kl)
    assert_allclose(load(3).kl_to_prior(mu, log_var), -neg_kl)
    assert_allclose(
        load(3).draw((mu, log_var), eps=EPS[0]), gaussian_sample(mu, log_var, eps=EPS[:1])[0][0]
    )
    for m, found in enumerate(zip(*load(4).unimodal(MU, LOG_VAR), strict=True)):
        assert_allclose(found, product_of_experts(MU[m : m + 1], LOG_VAR[m : m + 1])[0])
    assert_allclose(load(6).effective_samples(LOG_W), effective_sample_size(LOG_W))
    assert load(5).table_row("VAE", np.array([-1.0, -3.0])) == f"{'VAE':12} {-2:9.2f} +- 1.00"
    assert load(8).log_line(3, LOG_W).endswith(f"ess {effective_sample_size(LOG_W).mean():6.2f}")
    assert load(12).rows(joint=np.array([-1.0, -3.0])) == [f"{'joint':12} {-2:10.2f}"]


def test_training_weighs_modalities_by_their_size():
    def log_lik(m, z):
        return z.sum(axis=-1) ** (m + 1)

    x, eps = [np.zeros((4, 2)), np.zeros((4, 6))], EPS
    found = load(7).training_objective(x, MU[0], LOG_VAR[0], log_lik, eps=eps)
    z, _ = gaussian_sample(MU[0], LOG_VAR[0], eps=eps)
    log_q = gaussian_log_prob(z, MU[0], LOG_VAR[0])[0]
    ratio = gaussian_log_prob(z, np.zeros((4, 2)), np.zeros((4, 2)))[0] - log_q
    assert_allclose(found, (3 * log_lik(0, z) + log_lik(1, z) + ratio).mean(axis=0))


def test_versions_are_exact_edits_and_never_shared():
    with pytest.raises(ValueError, match="stands there 0 times"):
        load(1, ["no such text", ""])
    load(1).sample = None
    assert callable(load(1).sample)
    assert load(1).sample.__code__.co_filename == str(files()[0])
    assert repr(load(2)) == "<module 'a version of 02_count_likelihood.py'>"


# ---- grading ----------------------------------------------------------------------------------


def checked(tmp_path, id, source):
    exercise = HUNT[id]
    path = tmp_path / exercise.stub.name
    start = "import numpy as np\nfrom mmvae_edu.course.hunt import verdict, gradient_agrees\n"
    path.write_text(start + dedent(source), encoding="utf-8")
    return check(exercise, path, range(3))


BODIES = {  # of a check of file 01, right and differently written
    "asserts and returns nothing": """
        @verdict
        def check_01(file):
            rng = np.random.default_rng(3)
            mu, log_var, eps = rng.normal(size=(3, 2, 5))
            z, _ = file.sample(mu, log_var, eps=eps[None])
            np.testing.assert_allclose((z[0] - mu) / np.sqrt(np.exp(log_var)), eps)
            assert gradient_agrees(file.sample, mu, log_var, eps=eps[None])
        """,
    "returns NumPy's bool": """
        def check_01(file):
            rng = np.random.default_rng(3)
            mu, log_var, eps = rng.normal(size=(3, 2, 5))
            z, pullback = file.sample(mu, log_var, eps=eps[None])
            step = np.exp(0.5 * log_var) * eps
            half = 2 * pullback(1 + 0 * z)[1]
            return np.all([np.isclose(z[0], mu + step), np.isclose(half, step)])
        """,
    "by statistics": """
        @verdict
        def check_01(file):
            rng = np.random.default_rng(3)
            mu, log_var = np.zeros((2, 2)), np.array([[1.0, -1.0], [0.5, -0.5]])
            z, _ = file.sample(mu, log_var, eps=rng.normal(size=(20_000, 2, 2)))
            covariance = np.cov(z.reshape(20_000, 4).T)
            assert np.allclose(covariance, np.diag(np.exp(log_var).ravel()), atol=0.15)
            assert gradient_agrees(file.sample, mu, log_var, eps=rng.normal(size=(2, 2, 2)))
        """,
}


@pytest.mark.parametrize("name", BODIES)
def test_right_checks_pass_however_written(name, tmp_path):
    result = checked(tmp_path, "L23.check_01", BODIES[name])
    assert result.code == RIGHT, result


def test_a_check_of_a_clean_file_must_pass_it_and_fail_what_is_planted(tmp_path):
    source = """
        def check_10(file):
            rng = np.random.default_rng(3)
            mu, log_var = rng.normal(size=(2, 2, 1, 1))
            eps = rng.normal(size=(2, 3, 1, 1))
            def normal(z, mu, log_var):
                return np.exp(-(z - mu) ** 2 / 2 / np.exp(log_var)) / np.sqrt(
                    2 * np.pi * np.exp(log_var))
            total = 0
            for m in range(2):
                z = mu[m] + np.exp(log_var[m] / 2) * eps[m]
                w = 2 * normal(z, 0, 0) / sum(normal(z, mu[j], log_var[j]) for j in range(2))
                total += np.log(w.mean()) / 2
            found = file.mixture_bound(mu, log_var, LOG_PRIOR, eps=eps)
            return np.allclose(found, total)

        def LOG_PRIOR(z):
            return -0.5 * (z**2 + np.log(2 * np.pi))[..., 0]
        """
    assert checked(tmp_path, "L23.check_10", source).code == RIGHT
    strict = source.replace("np.allclose(found, total)", "bool(found[0] == total + 1e-9)")
    assert (
        checked(tmp_path, "L23.check_10", strict).says == "it fails everything, right versions too"
    )


PARTIAL = """
    def check_01(file):
        rng = np.random.default_rng(3)
        mu, log_var = rng.normal(size=(2, 2, 5))
        eps = rng.normal(size=(3, 2, 5))
        z, _ = file.sample(mu, log_var, eps=eps)
        return np.allclose(z, mu + np.exp(log_var / 2) * eps)
    """


def test_an_incomplete_check_is_told_what_slipped_through(tmp_path):
    result = checked(tmp_path, "L23.check_01", PARTIAL)
    assert (result.code, result.mistakes) == (WRONG, [])
    assert (
        "passes 1 of 3 wrong versions; one: the gradient by log_var is doubled" in result.evidence
    )


def test_too_strict_a_check_is_told_so(tmp_path):
    source = PARTIAL.replace("np.allclose(z, mu +", "np.array_equal(z, mu +")
    claim = CLAIMS["check_01_tells_right_from_wrong"]

    def fails_one_right_version(file):
        return claim.of(file) and "sqrt" not in "".join(file.sample.__code__.co_names)

    assert "fails 1 of 2 right versions" in run(claim, fails_one_right_version).note
    assert checked(tmp_path, "L23.check_01", source).code == WRONG


def test_a_missed_file_is_told_last():
    def misses_it(file):
        right = CLAIMS["check_01_tells_right_from_wrong"].of(file)
        return right or file.sample.__code__.co_code == load(1).sample.__code__.co_code

    note = run(CLAIMS["check_01_tells_right_from_wrong"], misses_it).note
    assert note == f"{Misjudged.__name__}: passes 1 of 3 wrong versions; one: the file as it stands"


def test_a_bad_file_handed_back_is_no_repair_and_a_clean_one_is(tmp_path):
    for number, code in (1, WRONG), (2, RIGHT):
        exercise = HUNT[f"L23.fix_{number:02}"]
        parameters, call, function = {
            1: ("mu, log_var, *, eps, file", "mu, log_var, eps=eps", "sample"),
            2: ("logits, *, x, n, file", "logits, x=x, n=n", "log_likelihood"),
        }[number]
        source = f"def {exercise.name}({parameters}):\n    return file.{function}({call})\n"
        result = checked(tmp_path, exercise.id, source)
        assert result.code == code
        assert ("not clean" in result.says) is (code == WRONG)


def test_a_verdict_speaks_by_assert_or_by_value():
    def asserts(file):
        assert file > 0

    assert verdict(asserts)(1) is True
    assert verdict(asserts)(-1) is False
    assert verdict(np.isfinite)(np.inf) is False


# ---- a learner's way ---------------------------------------------------------------------------


def test_the_hunt_in_a_folder_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["start", "mine"]) == 0
    path = tmp_path / "mine" / "23_bug_hunt.py"
    text = path.read_text(encoding="utf-8")
    stub = text[text.index("@verdict\ndef check_01") : text.index("def fix_01")]
    own = dedent(BODIES["asserts and returns nothing"]).strip() + "\n\n\n"
    start = "import numpy as np\nfrom mmvae_edu.course.hunt import gradient_agrees\n"
    path.write_text(start + text.replace(stub, own), encoding="utf-8")
    assert cli.main(["check", "L23.check_01"]) == RIGHT
    capsys.readouterr()
    namespace = {"__name__": "mine"}
    exec(path.read_text(encoding="utf-8"), namespace)

    def check_02(file):
        raise KeyError("x")

    report(namespace | {"check_02": check_02})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["fails", "raises", "no"]
    assert [line.split()[-1] for line in lines] == [str(path) for path in files()]


# ---- the planted bugs of the lesson ------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_planted_bugs(seed):
    inputs = generic(np.random.default_rng(seed))
    assert all(check(inputs, planted()) for check in CHECKS.values())
    caught = {b: {n for n, c in CHECKS.items() if not c(inputs, planted(b))} for b in BUGS}
    assert all(caught.values())
    assert [b for b, names in caught.items() if "gradient check" in names] == [*BUGS][:1]
    assert caught["mean of the logs"] == {"K weights, one by one"}
