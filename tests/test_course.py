"""The exercise checker accepts what is right, however written, and names what is wrong."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from textwrap import dedent
from types import SimpleNamespace

import numpy as np
import pytest

from mmvae_edu import cli
from mmvae_edu.claims import T4, Claim
from mmvae_edu.course import checker, dev, process, progress
from mmvae_edu.course.dev import faults_of, outcome_of
from mmvae_edu.course.examine import FAULT, NOT_ATTEMPTED, RIGHT, WRONG, examine, run_claim
from mmvae_edu.course.exercises import DerivationExercise, exercises, select
from mmvae_edu.course.lock import Lock, Locked
from mmvae_edu.course.process import Limits
from mmvae_edu.course.recorded import call_mismatch
from mmvae_edu.course.runner import check, load
from mmvae_edu.course.status import status_of
from mmvae_edu.course.trees import difference, with_arrays
from mmvae_edu.slides import s09_importance
from mmvae_edu.support import clones

ALL = list(exercises().values())
EXERCISES = [exercise for exercise in ALL if not isinstance(exercise, DerivationExercise)]
MUTANTS = [(exercise, mutant) for exercise in EXERCISES for mutant in exercise.mutants]
BEYOND_THE_SLIDES = {"L00.two_plus_two", "L07.adam_step", "L17.dreg_grads"}
BEYOND_THE_SLIDES |= {"L19.cross_reconstruction", "L19.reconstruction_cap"}
BEYOND_THE_SLIDES |= {"L20.stratified_iwae", "L20.responsibility", "L20.looseness_gap"}
BEYOND_THE_SLIDES |= {"L25.transpose_kernel"}


# ---- the exercises themselves -----------------------------------------------------------------


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_stub_is_unattempted_and_the_library_is_right(exercise):
    assert faults_of(exercise, seeds=3) == []
    module = load(exercise.stub)
    stub = getattr(module, exercise.name)
    assert module.np is np  # what an answer begins with
    assert call_mismatch(stub, exercise.of) is None
    cited = any(equation in stub.__doc__ for equation in exercise.equations)
    assert cited or exercise.id in BEYOND_THE_SLIDES


@pytest.mark.parametrize(("exercise", "mutant"), MUTANTS, ids=[m.name for _, m in MUTANTS])
def test_every_mistake_is_rejected_by_its_own_name(exercise, mutant):
    verdict = examine(exercise, mutant.f, seeds=[0])
    assert outcome_of(verdict, mutant) == "itself"
    assert verdict.mistakes == [mutant.name]


def test_the_hints_of_mistakes_exist():
    assert {mutant.hint for _, mutant in MUTANTS} == {None, 1, 2, 3}


def test_every_exercise_has_three_mistakes():
    assert {e.id for e in EXERCISES if len(e.mutants) < 3} == set()


# ---- right answers, written differently -------------------------------------------------------

RIGHT_ANSWERS = {
    "loops over states": """
        import math
        def elbo(q, log_joint):
            total = 0.0
            for a, l in zip(q, log_joint):
                if a > 0:
                    total += a * (l - math.log(a))
            return total
        """,
    "a NumPy scalar": """
        def elbo(q, log_joint):
            s = q > 0
            return np.dot(q[s], log_joint[s] - np.log(q[s]))
        """,
    "an array without axes": """
        def log_evidence(log_joint):
            m = np.max(log_joint)
            return np.asarray(m + np.log(np.sum(np.exp(log_joint - m))))
        """,
    "float64 from a list": """
        import math
        def posterior(log_joint):
            top = max(log_joint)
            w = [math.exp(l - top) for l in log_joint]
            return np.array([a / sum(w) for a in w])
        """,
    "in place on its own array": """
        def posterior(log_joint):
            p = log_joint - log_joint.max()
            np.exp(p, out=p)
            p /= p.sum()
            return p
        """,
    "a list for the pair, helpers of its own": """
        def kl(q, p):
            s = q > 0
            return (q[s] * np.log(q[s] / p[s])).sum()
        def decompose(q, log_joint):
            m = log_joint.max()
            L = m + np.log(np.exp(log_joint - m).sum())
            gap = kl(q, np.exp(log_joint - L))
            return [L - gap, gap]
        """,
    "einsum, and a pullback in a class": """
        class Pullback:
            def __init__(self, mu, log_var):
                self.mu, self.log_var = mu, log_var
            def __call__(self, d):
                return -np.einsum("n,nd->nd", d, self.mu), (
                    0.5 * d[:, None] * (1 - np.exp(self.log_var)))
        def neg_kl_std_normal(mu, log_var):
            value = 1 + log_var - mu * mu - np.exp(log_var)
            return np.einsum("nd->n", value) / 2, Pullback(mu, log_var)
        """,
    "loops over examples and samples": """
        def gaussian_sample(mu, log_var, *, eps):
            std = np.exp(log_var / 2)
            z = np.stack([mu + std * e for e in eps])
            def back(dz):
                return sum(dz), sum(d * e * std / 2 for d, e in zip(dz, eps))
            return z, back
        """,
    "a list for an array": """
        def posterior(log_joint):
            w = [float(np.exp(l - log_joint.max())) for l in log_joint]
            return [a / sum(w) for a in w]
        """,
    "lists for arrays, in the gradients too": """
        def linear(x, W, b):
            def back(dy):
                return [(dy @ W.T).tolist(), list(x.T @ dy), list(dy.sum(0))]
            return (x @ W + b).tolist(), back
        """,
    "an array of two numbers for two numbers": """
        def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
            means = rng.choice(values, (resamples, len(values))).mean(axis=1)
            return np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        """,
    "an object that can be called": """
        class Mean:
            def __call__(self, g):
                return g.mean(0)
        vae_grad = Mean()
        # def vae_grad(g)
        """,
    "other names and a decorator": """
        @np.errstate(all="ignore")
        def iwae_grad(logw, grads):
            w = np.exp(logw - logw.max(0))
            return np.einsum("kn,knp->np", w / w.sum(0), grads)
        """,
    "a loop over columns": """
        def importance_weights(log_w):
            bound = np.full(log_w.shape[1], -np.inf)
            weights = np.zeros(log_w.shape)
            for n, column in enumerate(log_w.T):
                if column.max() > -np.inf:
                    w = np.exp(column - column.max())
                    weights[:, n] = w / w.sum()
                    bound[n] = column.max() + np.log(w.mean())
            return bound, weights
        """,
    "an extra optional argument": """
        def vae_grad(g, axis=0):
            return np.sum(g, axis) / g.shape[axis]
        """,
    "adding before subtracting": """
        def posterior_from_unimodal(log_posts, log_prior):
            a = sum(log_posts) - (len(log_posts) - 1) * log_prior
            return (p := np.exp(a - a.max())) / p.sum()
        """,
    "another library function": """
        from mmvae_edu.ops import log_sum_exp
        def log_evidence(log_joint):
            return log_sum_exp(log_joint, axis=0)[0]
        """,
}


def exercise_of(source):
    return next(e for e in reversed(EXERCISES) if f"def {e.name}(" in source)


def written(folder, exercise, source):
    path = folder / exercise.stub.name
    path.write_text("import numpy as np\n" + dedent(source), encoding="utf-8")
    return path


def checked(folder, source, seeds=range(3)):
    """A file's verdict in this process, with nothing locked."""
    exercise = exercise_of(source)
    return check(exercise, written(folder, exercise, source), seeds)


@pytest.mark.parametrize("name", RIGHT_ANSWERS)
def test_right_answers_pass(name, tmp_path):
    verdict = checked(tmp_path, RIGHT_ANSWERS[name])
    assert verdict.code == RIGHT, verdict
    assert verdict.claims
    assert verdict.draws > 0


# ---- wrong answers: a short sentence ----------------------------------------------------------

WRONG_ANSWERS = {  # (the sentence, the evidence, the source)
    "mutated": (
        "it changes its input in place",
        "",
        """
        def posterior(log_joint):
            log_joint -= log_joint.max()
            np.exp(log_joint, out=log_joint)
            log_joint /= log_joint.sum()
            return log_joint
        """,
    ),
    "mutated cotangent": (
        "its pullback changes its input",
        "",
        """
        def iwae(log_w):
            w = np.exp(log_w - log_w.max(0))
            bound = log_w.max(0) + np.log(w.mean(0))
            def back(d):
                gradient = d * w / w.sum(0)
                d *= 0
                return gradient
            return bound, back
        """,
    ),
    "shape": (
        "returns array (3, 1), expected array (3, 2)",
        "called with array (4, 3, 2)",
        "def vae_grad(g): return g[0, :, :1]",
    ),
    "shape of a gradient": (
        "its pullback returns array (1, 1), expected array (8000, 1)",
        "called with the cotangent array (1, 8000, 1)",
        """
        def gaussian_sample(mu, log_var, *, eps):
            std = np.exp(log_var / 2)
            return mu + std * eps, lambda dz: (dz.sum(1), (dz * std * eps / 2).sum(1))
        """,
    ),
    "no pullback": (
        "returns array (4,), expected (array (4,), a function)",
        "",
        """
        def neg_kl_std_normal(mu, log_var):
            return -0.5 * (np.expm1(log_var) - log_var + mu**2).sum(-1)
        """,
    ),
    "None": ("it returns None, expected", "", "def vae_grad(g): pass"),
    "float32": (
        "returns dtype float32, expected float64",
        "",
        """
        def posterior(log_joint):
            p = np.exp(log_joint - log_joint.max())
            return (p / p.sum()).astype(np.float32)
        """,
    ),
    "NaN": (
        "returns nan in",
        "",
        "def posterior(log_joint): return np.full(len(log_joint), np.nan)",
    ),
    "NaN, a number": (
        "returns nan, expected a finite number",
        "",
        "def kl(q, p): return float('nan')",
    ),
    "NaN in places, a known mistake in all others": (
        "the prior of S7.5 is missing",
        "draws: elsewhere it returns nan in",
        """
        def product_of_experts(mu, log_var, *, mask=None):
            T, mu = np.exp(-log_var), np.asarray(mu)
            if mask is not None:
                T, mu = (np.where(mask[..., None], a, 0) for a in (T, mu))
            total = T.sum(0)
            mean, share = (T * mu).sum(0) / total, T / total
            def back(dmean, dlog_var):
                return share * dmean, share * (dlog_var - (mu - mean) * dmean)
            return (mean, -np.log(total)), back
        """,
    ),
    "NaN by a known mistake": (
        "0 · log 0 is NaN",
        "kl_nan_at_zero on",
        "def kl(q, p): return (q * np.log(q / p)).sum()",
    ),
    "renamed": ("defines no function vae_grad", "it defines vae_gradient", None),
    "renamed argument": (
        "cannot be called as gaussian_sample(mu, log_var, *, eps)",
        "parameters",
        "def gaussian_sample(mu, log_var, *, noise): return mu",
    ),
    "raises at length": (
        "raises ValueError: " + "x" * 200 + "…",
        "called with array (",
        "def vae_grad(g): raise ValueError('x' * 5000 + chr(10) + 'more')",
    ),
    "another exception than the promised": (
        "raises KeyError",
        "called with array (",
        "def responsibility(posterior, experts):\n"
        "    if posterior[experts.sum(0) == 0].any():\n        raise KeyError\n"
        "    return (posterior * experts / np.maximum(experts.sum(0), 1e-300)).sum(1)",
    ),
    "a number": ("vae_grad is a number, not a function", "", None),
    "randomness of its own": (
        "called twice with the same input: all that is random comes from rng",
        "",
        """
        def sample_subsets(M, k, rng):
            sizes = np.random.randint(2, M, size=k) if M > 2 else np.ones(k)
            return np.random.random((k, M)).argsort(1) < sizes[:, None]
        """,
    ),
    "in place, but not all of it": (
        "it leaves v as it was, and has to work in place",
        "",
        """
        def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999,
                      epsilon=1e-8):
            m[:] = beta1 * m + (1 - beta1) * grad
            v = beta2 * v + (1 - beta2) * grad**2
            m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
            theta -= learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
        """,
    ),
    "raises": ("raises IndexError", "called with array (", "def vae_grad(g): return g[99]"),
    "imported name": ("is not defined in the file", "mmvae_edu.slides.s09_importance", None),
    "at import": ("the file raises ModuleNotFoundError", "as it is loaded", None),
    "random": (
        "another output when called twice",
        "",
        "def vae_grad(g): return g.mean(0) + 5e-15 * np.random.default_rng().random(g.shape[1:])",
    ),
    "an unknown mistake": (
        "this does not hold: ",
        "against ",
        "def vae_grad(g): return g.mean(0) + 0.001 * g[0] ** 2",
    ),
    "no number": ("finite", "", "def vae_grad(g): return g.mean(0) / (g.mean(0) > 9)"),
    "zeros": ("the value is 0", "against", "def vae_grad(g): return np.zeros(g.shape[1:])"),
}
SOURCES = {
    "renamed": "def vae_gradient(g): return g.mean(0)",
    "a number": "vae_grad = 3",
    "imported name": "from mmvae_edu.slides.s09_importance import vae_grad",
    "at import": "import no_such_module\ndef vae_grad(g): return g.mean(0)",
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_wrong_answers_are_told_why(name, tmp_path):
    says, evidence, source = WRONG_ANSWERS[name]
    if source is None:
        exercise = exercises()["L17.vae_grad"]
        path = written(tmp_path, exercise, SOURCES[name])
        verdict = check(exercise, path, range(3))
    else:
        verdict = checked(tmp_path, source)
    assert verdict.code == WRONG
    assert says in verdict.says
    assert evidence in verdict.evidence
    if name == "no number":
        assert verdict.example == [
            "smallest example: g = [[[0.]]]",
            "  value: found [[nan]], expected [[0.]]",
        ]


def test_a_right_value_with_a_wrong_gradient_is_named(tmp_path):
    verdict = checked(
        tmp_path,
        """
        def iwae(log_w):
            top = log_w.max(0)
            def back(d):
                return np.broadcast_to(d / len(log_w), log_w.shape)
            return top + np.log(np.exp(log_w - top).mean(0)), back
        """,
    )
    assert verdict.mistakes == ["uniform_in_the_gradient"]


def test_a_pullback_that_raises_is_not_mistaken_for_a_wrong_gradient(tmp_path):
    verdict = checked(
        tmp_path,
        """
        def iwae(log_w):
            top = log_w.max(0)
            def back(d):
                raise ValueError("later")
            return top + np.log(np.exp(log_w - top).mean(0)), back
        """,
    )
    assert (verdict.code, verdict.mistakes) == (WRONG, [])
    assert verdict.says == "its pullback raises ValueError: later"
    assert verdict.evidence.startswith("called with the cotangent array (")
    assert verdict.line == 6


def test_zero_claims_are_a_failure():
    def unclaimed(a):
        return a

    exercise = replace(EXERCISES[0], of=unclaimed)
    verdict = examine(exercise, unclaimed, seeds=[0])
    assert (verdict.code, verdict.says) == (WRONG, "no claim was checked")
    forged = checker.Verdict(RIGHT, claims=[], draws=9)
    assert checker._audited(EXERCISES[0], forged).code == WRONG


# ---- in processes of their own ----------------------------------------------------------------

MEAN = "def vae_grad(g): return g.mean(0)\n"
FORGED = """
import json
import re
print(json.dumps({"token": "", "verdict": {"code": 0}}))
"""
FORGED_VERDICT = """
import json, os
claims = ["vae_gradient_weighs_samples_evenly", "vae_gradient_of_the_fixture"]
text = json.dumps({"token": "guessed", "verdict": {"code": 0, "claims": claims}})
for fd in range(3, 10):
    try:
        os.write(fd, text.encode() + b"\\n")
    except OSError:
        pass
os._exit(0)  # before def vae_grad(g) is reached
"""
PROCESSES = {  # (exit code, the sentence, the source); None: the stub with one line added
    "right, with a message": (RIGHT, "", MEAN + "print('\\N{SNOWMAN}')"),
    "oracles use the library": (RIGHT, "", RIGHT_ANSWERS["loops over states"]),
    "stub edited": (NOT_ATTEMPTED, "not attempted yet", None),
    "PASS and zeros": (
        WRONG,
        "the value is 0",
        FORGED + "def vae_grad(g):\n    print('PASS')\n    return np.zeros(g.shape[1:])",
    ),
    "syntax error": (WRONG, "syntax error", "def vae_grad(g)\n    return g"),
    "sys.exit": (WRONG, "raises SystemExit", "import sys\ndef vae_grad(g): sys.exit(0)"),
    "os._exit": (WRONG, "ended the process", "import os\ndef vae_grad(g): os._exit(0)"),
    "endless loop": (WRONG, "no result after", "def vae_grad(g):\n    while True: pass"),
    "library wrapped": (
        WRONG,
        "hands back the library's own vae_grad",
        "from mmvae_edu.slides import s09_importance as own\n"
        "def vae_grad(g): return own.vae_grad(g)",
    ),
    "library by way of its claims": (
        WRONG,
        "hands back the library's own vae_grad",
        """
        def vae_grad(g):
            from mmvae_edu.claims import CLAIMS
            return CLAIMS["vae_gradient_of_the_fixture"].of(g)
        """,
    ),
    "kernel behind it": (
        WRONG,
        "hands back the library's own importance_weights",
        """
        from mmvae_edu.kernels.reference import importance_weights
        def iwae(log_w):
            bound, weights = importance_weights(log_w)
            return bound, lambda d: d * weights
        """,
    ),
    "checker changed": (
        WRONG,
        "changes mmvae_edu.claims.registry.achieved_error",
        "from mmvae_edu.claims import registry\n"
        "registry.achieved_error = lambda *a: 0.0\ndef vae_grad(g): return 0 * g[0]",
    ),
    "one claim removed": (
        WRONG,
        "not every claim was checked",
        "from mmvae_edu.claims import CLAIMS\ndel CLAIMS['vae_gradient_of_the_fixture']\n" + MEAN,
    ),
    "a verdict of its own": (WRONG, "ended the process", FORGED_VERDICT),
    "a thread without end": (
        RIGHT,
        "",
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\n" + MEAN,
    ),
    "a process that outlives it": (
        RIGHT,
        "",
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])\n" + MEAN,
    ),
    "killed": (
        WRONG,
        "ended the process",
        "import os, signal\ndef vae_grad(g): os.kill(os.getpid(), signal.SIGKILL)",
    ),
    "text in another encoding": (WRONG, "save it as UTF-8", MEAN + "# caf?"),
    "claims removed": (
        WRONG,
        "the value is 0",  # by the laws, which stand elsewhere
        "from mmvae_edu.claims import CLAIMS\nCLAIMS.clear()\ndef vae_grad(g): return 0 * g[0]",
    ),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """{name: (exercise, Verdict)} of all PROCESSES, two at a time."""

    def outcome(name):
        folder = tmp_path_factory.mktemp("learner")
        source = PROCESSES[name][2]
        exercise = exercises()["L17.vae_grad"]
        if source is None:
            shutil.copyfile(exercise.stub, folder / exercise.stub.name)
            with (folder / exercise.stub.name).open("a") as file:
                file.write("\n\ndef vae_grad(g):\n    return todo('L17.vae_grad')\n")
        else:
            exercise = exercise if "vae_grad" in source else exercise_of(source)
            path = written(folder, exercise, source)
            path.write_bytes(path.read_bytes().replace(b"caf?", "café".encode("latin-1")))
        limits = Limits(cpu=1 if name == "endless loop" else 15)
        return exercise, checker.check_file(exercise, folder, limits=limits)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(PROCESSES, pool.map(outcome, PROCESSES), strict=True))


@pytest.mark.parametrize("name", PROCESSES)
def test_in_a_process_of_its_own(name, outcomes):
    code, says, _ = PROCESSES[name]
    exercise, verdict = outcomes[name]
    assert (verdict.code, says in verdict.says) == (code, True), verdict
    text = checker.message(exercise, verdict)
    assert text.split()[:2] == [checker.WORDS[code], exercise.id]
    assert "Traceback" not in text
    assert len(text.splitlines()) <= 3


def test_syntax_error_names_file_and_line_only(outcomes):
    exercise, verdict = outcomes["syntax error"]
    text = checker.message(exercise, verdict, verbose=True)
    assert "17_weighted_gradients.py:2" in text
    assert "Error" not in text


def test_what_is_no_mathematics_gets_no_hint(outcomes):
    for name in "syntax error", "killed", "text in another encoding", "endless loop":
        assert "mmvae-edu hint" not in checker.message(*outcomes[name])
    assert "mmvae-edu hint" in checker.message(*outcomes["PASS and zeros"])
    assert "by SIGKILL, for want of memory?" in outcomes["killed"][1].evidence


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others ignore the limit")
def test_memory_is_limited():
    program = (
        "from mmvae_edu.course import child; child.limit(30, 10**9)\n"
        "try: bytearray(2 * 10**9)\nexcept MemoryError: print('limited')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "limited\n", done.stderr


def test_verbose_shows_the_learners_own_frames_and_prints(outcomes):
    text = checker.message(*outcomes["sys.exit"], verbose=True)
    assert "17_weighted_gradients.py" in text
    assert "recorded.py" not in text
    assert "printed:\nPASS" not in checker.message(*outcomes["PASS and zeros"])
    assert "PASS" in checker.message(*outcomes["PASS and zeros"], verbose=True)


def test_a_check_that_cannot_start_is_the_checkers_fault(tmp_path, monkeypatch):
    broken = clones.python("raise RuntimeError('broken')")
    monkeypatch.setattr(process, "python", lambda code: broken)
    written(tmp_path, exercises()["L17.vae_grad"], MEAN)
    verdict = checker.check_file(exercises()["L17.vae_grad"], tmp_path)
    assert verdict.code == FAULT
    text = checker.message(exercises()["L17.vae_grad"], verdict)
    assert text.startswith("FAULT  L17.vae_grad")
    assert "broken" in text


def test_locked_only_inside_and_by_every_name():
    exercise = exercises()["L17.vae_grad"]
    claim, g, mean = exercise.claims[0], np.ones((3, 2)), exercise.of
    lock = Lock([mean])
    with lock:
        from mmvae_edu.slides.s09_importance import vae_grad as imported

        for function in (imported, s09_importance.vae_grad, claim.of, exercise.of):
            with pytest.raises(Locked):
                function(g)
    for function in (imported, s09_importance.vae_grad, claim.of, exercise.of):
        assert function(g).tolist() == [1, 1]
    assert s09_importance.vae_grad is claim.of is exercise.of is mean
    with lock, pytest.raises(Locked):
        imported(g)


# ---- the folder and the commands --------------------------------------------------------------


def test_start_never_overwrites(folder, capsys):
    own = folder / "05_neg_kl.py"
    own.write_text("mine")
    (folder / "03_evidence.py").unlink()
    assert cli.main(["start", "mine"]) == 0
    assert own.read_text() == "mine"
    assert (folder / "03_evidence.py").exists()
    assert "1 new files" in capsys.readouterr().out


def test_check_status_solution_and_hints(folder, capsys):
    exercise = exercises()["L17.vae_grad"]
    assert cli.main(["solution", "vae_grad"]) == 1
    assert cli.main(["hint", "vae_grad", "3"]) == 0
    assert exercise.hints[2] in capsys.readouterr().out
    written(folder, exercise, MEAN)
    assert cli.main(["check", "vae_grad", "--json", "--seed", "7"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["code"]) == (exercise.id, 0)
    assert row["claims"] == [claim.name for claim in exercise.claims]
    assert cli.main(["solution", "vae_grad"]) == 0
    assert cli.main(["hint", "vae_grad"]) == 0
    assert cli.main(["status"]) == 0
    out = capsys.readouterr().out
    assert all(hint in out for hint in exercise.hints)
    assert f"1 of {len(ALL)} right" in out
    assert "def vae_grad(g): return g.mean(0)" in out
    written(folder, exercise, MEAN + "# later\n")
    now = status_of(progress.load(folder)[exercise.id], folder, exercise)
    assert (now.state, now.changed) == ("right", "file")
    assert cli.main(["solution", "vae_grad"]) == 1


def test_of_several_checks_wrong_is_worse_than_not_attempted(folder, capsys):
    written(folder, exercises()["L17.vae_grad"], "def vae_grad(g): return g.sum(0)")
    assert cli.main(["check", "vae_grad", "L16"]) == WRONG
    out = capsys.readouterr().out
    assert "WRONG  L17.vae_grad (S9.3): " in out
    assert "matches the mistake summed_gradient on" in out
    assert out.splitlines()[-1].endswith("exit 1")
    right, fault = checker.Verdict(RIGHT), checker.Verdict(FAULT)
    wrong, todo = checker.Verdict(WRONG), checker.Verdict(NOT_ATTEMPTED)
    assert checker.worst([right, todo, wrong, fault]) == FAULT
    assert checker.worst([right, todo]) == NOT_ATTEMPTED


def test_a_file_in_the_wrong_folder_is_found(folder, capsys):
    (folder / "05_neg_kl.py").rename(folder.parent / "05_neg_kl.py")
    assert cli.main(["check", "kl_gauss"]) == WRONG
    out = capsys.readouterr().out
    assert "is missing" in out
    assert str(folder.parent / "05_neg_kl.py") in out


@pytest.mark.parametrize("text", ["{", "[]", '{"L17.vae_grad": 3}', "", "\x00\xff"])
def test_unreadable_progress_is_set_aside(folder, text, capsys):
    (folder / progress.FILE).write_text(text, encoding="latin-1")
    work = {path.name: path.read_bytes() for path in folder.glob("*.py")}
    assert cli.main(["status"]) == 0
    assert "unreadable" in capsys.readouterr().err
    assert (folder / f"{progress.FILE}.bak1").read_text(encoding="latin-1") == text
    assert {path.name: path.read_bytes() for path in folder.glob("*.py")} == work
    assert progress.load(folder) == {}


def test_reset_backs_up_and_touches_one_function(folder):
    exercise = exercises()["L03.elbo"]
    path = written(
        folder, exercise, "def elbo(q, l):\n    return 1.0\n\n\ndef kl(q, p): return 2\n"
    )
    before = path.read_text()
    assert cli.main(["reset", "L03.elbo"]) == 0
    assert (folder / "03_evidence.py.bak1").read_text() == before
    module = load(path)
    assert module.kl(0, 0) == 2
    assert examine(exercise, module.elbo, seeds=[0], path=path).code == NOT_ATTEMPTED


def test_reset_of_a_file_that_does_not_parse_wipes_nothing(folder, capsys):
    path = folder / "03_evidence.py"
    path.write_text("def kl(q, p): return 2\ndef elbo(")
    before = sorted(file.name for file in folder.iterdir())
    assert cli.main(["reset", "L03.elbo"]) == 64
    error = capsys.readouterr().err
    assert re.search("does not parse, so elbo alone .* `mmvae-edu start .*` copies it anew", error)
    assert path.read_text() == "def kl(q, p): return 2\ndef elbo("
    assert sorted(file.name for file in folder.iterdir()) == before
    path.unlink()
    assert cli.main(["reset", "L03.elbo"]) == 0
    assert path.read_text() == exercises()["L03.elbo"].stub.read_text()


@pytest.mark.parametrize("inside", [False, True])
def test_a_copied_folder_without_its_progress_is_recognised(inside, folder, capsys, monkeypatch):
    (folder / progress.FILE).unlink()
    monkeypatch.chdir(folder if inside else folder.parent)
    assert cli.main(["check"]) == 64
    assert f"holds exercises, but no {progress.FILE}: `mmvae-edu start {folder}`" in (
        error := capsys.readouterr().err
    )
    assert error.count("\n") == 1
    assert cli.main(["start", str(folder)]) == 0
    assert cli.main(["status"]) == 0


def test_names_select_exercises():
    assert [e.id for e in select(["kl_gauss"])] == ["L05.kl_gauss"]
    assert len(select(["5"])) == len(select(["L05"])) == 3
    assert select([]) == ALL
    assert [e.id for e in select(["elbo", "L03.elbo"])] == ["L03.elbo"]


@pytest.mark.parametrize(
    ("code", "mistakes", "says", "outcome"),
    [
        (RIGHT, [], "", "accepted"),
        (WRONG, ["doubled"], "it is doubled", "itself"),
        (WRONG, ["doubled"], "another", "others"),
        (WRONG, ["halved"], "it is doubled", "others"),
        (WRONG, [], "", "unnamed"),
    ],
)
def test_where_a_mistake_falls(code, mistakes, says, outcome):
    verdict = SimpleNamespace(code=code, mistakes=mistakes, says=says)
    assert outcome_of(verdict, SimpleNamespace(name="doubled", says="it is doubled")) == outcome


@pytest.mark.parametrize("id", ["L05.kl_gauss", "L17.vae_grad", "L24.shares_kernel"])
def test_further_claims_only_leave_out_mistakes(id):
    """So dev-check may stop at the first claim that fails, where one mistake is named by then."""
    exercise = exercises()[id]
    for mutant in exercise.mutants:
        first, all_claims = (
            examine(exercise, mutant.f, seeds=[0], most=most).mistakes for most in (1, None)
        )
        assert mutant.name in all_claims
        assert set(all_claims) <= set(first)


def test_dev_check_reports_the_confusion(capsys, monkeypatch):
    """Of two exercises; every mistake of all of them is in the tests at the top."""
    few = {id: exercises()[id] for id in ("L05.kl_gauss", "L17.vae_grad")}
    monkeypatch.setattr(dev, "exercises", lambda: few)
    assert dev.dev_check(1) == 0
    mistakes = sum(len(exercise.mutants) for exercise in few.values())
    out = capsys.readouterr().out
    assert f"2 exercises, {mistakes} mistakes" in out
    assert f"named as itself {mistakes}, as another 0" in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_the_contract_compares_shapes_and_not_values():
    g = np.random.default_rng(0).normal(size=(5, 3, 2))
    assert difference(g.mean(axis=0), 2 * g.mean(axis=0)) is None
    assert difference(g.mean(axis=1), g.mean(axis=0))[0] == "shape"


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [("i8", "f8", True), ("i4", "i8", True), ("f4", "f8", False), ("i8", "?", False)],
)
def test_whole_numbers_may_stand_for_floats(found, wanted, fits):
    assert (difference(np.ones(2, found), np.ones(2, wanted)) is None) == fits


@pytest.mark.parametrize("ragged", [[[1.0], [1.0, 2.0]], ["a", "b"]])
def test_a_list_that_is_no_array_is_told(ragged):
    wanted = np.ones((2, 2))
    assert difference(with_arrays(ragged, wanted), wanted)[:2] == ("shape", "a list of 2")


@pytest.mark.parametrize(("z", "again", "passed"), [(5, 1, True), (5, 5, False), (9, 1, False)])
def test_a_narrow_miss_by_chance_is_drawn_again(z, again, passed):
    seen = []

    def draws(f, rng):
        """Draws whose mean is z standard errors from 0."""
        seen.append(rng.integers(2**60))
        scores = np.array([-1.0, 1.0] * 50)
        return scores + (z, again)[len(seen) - 1] * scores.std(ddof=1) / 10, np.zeros(())

    claim = Claim("draws", ("S5.13",), abs, T4, "chance", draws)
    assert run_claim(claim, abs, 0).passed is passed
    assert len(set(seen)) == (2 if z == 5 else 1)
