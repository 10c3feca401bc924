"""Standard output and its surroundings: other encodings, closed pipes, full disks, -OO, Ctrl-C."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmvae_edu import cli
from mmvae_edu.support.spelling import spell_out, spelled

ROOT = Path(__file__).parent.parent
SOURCES = [
    path for name in ("mmvae_edu", "kernels", "lessons") for path in (ROOT / name).rglob("*")
]
LESSON = ROOT / "lessons" / "05_neg_kl.py"
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX")


def run(*arguments, cwd, **surroundings):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=os.environ | surroundings,
        capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip


# ---- encodings --------------------------------------------------------------------------------


def strings(path):
    """All text that a file may print: the strings of a script, the whole of a table."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return text
    constants = (getattr(node, "value", None) for node in ast.walk(ast.parse(text)))
    return "".join(value for value in constants if isinstance(value, str))


def test_every_sign_has_a_spelling():
    texts = {path: strings(path) for path in SOURCES if path.suffix in (".py", ".toml")}
    lost = [
        (path.name, sign) for path, text in texts.items() for sign in text if not sign.isascii()
    ]
    assert len(lost) > 1000
    assert [(name, sign) for name, sign in lost if "?" in spelled(sign)] == []


@pytest.mark.parametrize(
    ("text", "ascii", "cp1252"),
    [
        ("log Σ_m α_m N(z; μ_m)", "log sum_m alpha_m N(z; mu_m)", None),
        ("½ Σw ≥ −∞", "1/2 sum w >= -inf", "½ sum w >= -inf"),
        ("2πσ², ½σ", "2 pi sigma^2, 1/2 sigma", "2 pi sigma², ½ sigma"),
        ("∂L/∂μ = ∂log q", "dL/dmu = dlog q", None),
        ("λβ, Φ, w̃", "lambda beta, Phi, w~", None),
        ("10⁻⁸ eˣ xᵀy", "10^-8 e^x x^T y", None),
        ("a → b … ± é 文", "a -> b ... +/- ? ?", "a -> b … ± é ?"),
    ],
)
def test_signs_are_spelled_out(text, ascii, cp1252):
    spell_out()
    assert text.encode("ascii", "spelled").decode("ascii") == ascii
    assert text.encode("cp1252", "spelled").decode("cp1252") == (cp1252 or ascii)


def test_commands_and_lessons_spell_signs_out(folder):
    (folder / "05_neg_kl.py").write_text("def kl_gauss(*_):\n    raise ValueError('Σ')\n", "utf-8")
    for command in [
        ["-m", "mmvae_edu", "check", "kl_gauss", "--explain"],
        ["-m", "mmvae_edu", "hint", "kl_gauss", "3"],
        [str(LESSON)],
    ]:
        done = run(*command, cwd=folder, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")
        assert done.stdout.isascii()
        assert "1/2" in done.stdout
        assert "?" not in re.sub(r"(?m)^(predict: .*)\?$", r"\1", done.stdout)  # a question's own
        assert done.stderr == ""


# ---- nobody reads, or the disk is full --------------------------------------------------------

COMMANDS = [
    ["status"], ["check", "kl_gauss"], ["check", "kl_gauss", "--json"], ["hint", "kl_gauss"],
    ["solution", "kl_gauss", "--give-up"], ["start", "mine"], ["reset", "kl_gauss"], ["run"],
    ["data", "list"], ["kernels"], ["doctor"], ["reproduce", "digits-label", "--show"],
]  # fmt: skip


def output_to(stream, command, monkeypatch, capsys):
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        code = cli.main(command)
    stream.close()  # as Python does at its end
    return code, capsys.readouterr().err


@posix
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_who_stops_reading_ends_a_command_quietly(command, folder, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    code, error = output_to(open(writer, "w"), command, monkeypatch, capsys)
    assert code == 141
    assert error in (
        "",
        "digits-label: none in mmvae_edu_out/results; these are the package's own\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [["status"], ["kernels"], ["run"]], ids=" ".join)
def test_a_full_disk_is_one_sentence(command, folder, monkeypatch, capsys):
    found = output_to(open("/dev/full", "w"), command, monkeypatch, capsys)
    assert found == (64, "mmvae-edu: standard output: No space left on device\n")


@posix
def test_head_of_a_command_in_a_shell(folder):
    script = f"'{sys.executable}' -m mmvae_edu kernels | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


# ---- options of Python, Ctrl-C, a folder that is closed ---------------------------------------


def test_without_docstrings_commands_say_so_and_models_work(folder):
    said = "mmvae-edu: docstrings state the claims, and python -OO drops them: start it without -OO"
    for options, level in (["-OO"], ""), ([], "2"):
        done = run(*options, "-m", "mmvae_edu", "status", cwd=folder, PYTHONOPTIMIZE=level)
        assert (done.returncode, done.stdout, done.stderr) == (64, "", f"{said}\n")
    done = run("-OO", "-c", "from mmvae_edu import *; print(MVAE.__name__)", cwd=folder)
    assert (done.stdout, done.stderr) == ("MVAE\n", "")


def test_a_learners_assert_holds_whatever_python_is_told(folder):
    (folder / "17_weighted_gradients.py").write_text(
        "def vae_grad(g):\n    assert False\n    return g.mean(0)\n"
    )
    for command in ["-O", "-m", "mmvae_edu"], ["-m", "mmvae_edu"]:
        done = run(*command, "check", "vae_grad", cwd=folder, PYTHONOPTIMIZE="1")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "AssertionError" in done.stdout


@posix
@pytest.mark.parametrize("where", ["parser", "say_whose"])
def test_ctrl_c_before_a_command_begins(where, tmp_path):
    code = (
        "import os, signal, sys, time\nfrom mmvae_edu import cli\n"
        "def pressed():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGINT)\n        time.sleep(5)\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError('numpy') if sys.argv[1] == 'parser' else KeyboardInterrupt\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "setattr(cli, sys.argv[1], pressed)\n"
        "sys.exit(cli.main(['status']))\n"
    )
    done = run("-c", code, where, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "mmvae-edu: interrupted\n")


def test_a_lesson_in_a_folder_that_is_closed(tmp_path):
    (tmp_path / "mmvae_edu_out").write_text("in the way")
    for command in [str(LESSON)], ["-m", "mmvae_edu", "run", "05"]:
        done = run(*command, cwd=tmp_path, PYTHONIOENCODING="utf-8")
        assert done.returncode == 64
        assert "outcome: narrower than the prior" in done.stdout
        assert re.fullmatch(r"\S+: cannot write here .*; run the lesson in .*\n", done.stderr)


# ---- Windows ----------------------------------------------------------------------------------

POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}


def test_importing_needs_no_module_that_only_posix_has():
    for path in SOURCES:
        body = ast.parse(path.read_text("utf-8")).body if path.suffix == ".py" else []
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        named = {alias.name for node in imports for alias in node.names}  # not in a function, try
        named |= {getattr(node, "module", None) for node in imports}
        assert not named & POSIX_ONLY, path.name
