"""Bad command lines, each of another kind: one sentence that names the argument, no traceback."""

import argparse
import os
import re
import shlex
import subprocess
import sys

import pytest

from mmvae_edu import cli

LONG = "x" * 300
ROWS = [  # the kind, the command line, what the sentence has
    # ---- any command
    ("no command", "", "required: COMMAND"),
    ("a mistyped command", "tuor", "COMMAND: invalid choice: 'tuor'"),
    ("an empty command", "''", "COMMAND: invalid choice: ''"),
    ("a command in capitals", "Tour", "COMMAND: invalid choice: 'Tour'"),
    ("a value for an option that takes none", "--version=3", "--version: ignored .* '3'"),
    # ---- tour
    ("an argument where none is taken", "tour x", "mmvae-edu tour: unrecognized arguments: x"),
    ("a mistyped option", "tour --fats", "tour: unrecognized arguments: --fats"),
    ("a value for a switch", "tour --fast=yes", "--fast: ignored explicit argument 'yes'"),
    ("a list without a value", "tour --seed", "--seed: expected at least one argument"),
    ("a word for a number", "tour --seed x", "--seed: expected a whole .* at least 0, found 'x'"),
    ("a negative number", "tour --seed -1", "--seed: expected a whole number.* found '-1'"),
    ("a fraction", "tour --seed 1.5", "--seed: expected a whole number.* found '1.5'"),
    ("an empty number", "tour --seed ''", "--seed: expected a whole number.* found ''"),
    ("the last of several numbers", "tour --seed 1 2 1e3", "--seed: expected .* found '1e3'"),
    ("an abbreviation of two options", "reproduce mnist --s 1", "ambiguous option: --s "),
    ("no such choice", "tour --only all", "--only: invalid choice: 'all' .*claims.*systems"),
    ("an option without its value", "tour --out", "--out: expected one argument"),
    ("an option for a value", "tour --out --fast", "--out: expected one argument"),
    ("a file where a folder goes", "tour --out file", "file: cannot write here"),
    ("a folder inside a file", "tour --out file/new", "file/new: cannot write here"),
    ("a pipe where a folder goes", "tour --out pipe", "pipe: cannot write here"),
    ("a link to itself", "tour --out loop/out", "loop/out: cannot write here .*links"),
    ("a name that is too long", f"tour --out {LONG}", "x: cannot write here .*too long"),
    ("no folder's name", "tour --out ''", "--out: expected the name of a file or folder"),
    ("no name of a model", "train VAE --out ''", "--out: expected the name of a file or folder"),
    ("no name of a checkpoint", "train VAE --checkpoint ''", "--checkpoint: expected the name of"),
    ("no name of a report", "report -o ''", "--out: expected the name of a file or folder"),
    ("no name of a tour", "report --tour ''", "--tour: expected the name of a file or folder"),
    ("no name of a notebook", "notebook 05 -o ''", "--out: expected the name of a file or folder"),
    ("no name for numbers", "bench --out ''", "--out: expected the name of a file or folder"),
    ("no name for results", "reproduce mnist --out ''", "--out: expected the name of a file or"),
    ("no name to import from", "data import mnist --from ''", "--from: expected the name of a"),
    # ---- report
    ("two files for one", "report -o a.html b.html", "report: unrecognized arguments: b.html"),
    ("a folder where a file goes", "report -o folder", "folder: cannot write here"),
    ("a pipe where a file goes", "report -o pipe", "pipe: cannot write here"),
    ("a file in no folder", "report -o file/r.html", "file: cannot write here"),
    ("no folder of a tour", "report --tour nowhere", "--tour nowhere: expected the folder of a"),
    ("a file for the folder of a tour", "report --tour file", "--tour file: expected the folder"),
    # ---- doctor, kernels
    ("an argument of doctor", "doctor numpy", "doctor: unrecognized arguments: numpy"),
    ("a value for --json", "doctor --json=yes", "--json: ignored explicit argument 'yes'"),
    ("an argument of kernels", "kernels cuda", "kernels: unrecognized arguments: cuda"),
    ("no such kernel", "kernels --trace prodct", "--trace: expected one of product_of_experts_v1_"),
    (
        "a kernel nearly",
        "kernels --trace bias_swich",
        "found 'bias_swich'; did you mean bias_swish",
    ),
    ("a kernel without a name", "kernels --trace=", "--trace: expected one of .* found ''$"),
    ("a function of the device", "kernels --trace sum_down", "--trace: .* found 'sum_down'"),
    ("no such architecture", "kernels --static sm_12", "--static: expected one of sm_75, sm_80"),
    ("an architecture without a name", "kernels --static=", "--static: expected one of .* found"),
    ("two tables", "kernels --versions --accuracy", "--accuracy: not allowed with .*--versions"),
    ("a value for --versions", "kernels --versions=2", "--versions: ignored explicit .* '2'"),
    ("a value for --accuracy", "kernels --accuracy=2", "--accuracy: ignored explicit .* '2'"),
    # ---- run, notebook
    ("two lessons", "run 05 06", "run: unrecognized arguments: 06"),
    ("somebody's script", "run mine.py", "mine.py is no lesson of this library"),
    ("a folder for a lesson", "run folder", "no lesson folder; there are"),
    ("no such lesson to measure", "run 99 --table", "no lesson 99; there are"),
    ("no such lesson to step through", "run 99 --step --ask", "no lesson 99; there are"),
    ("no such lesson, fast", "run --fast L99", "no lesson L99; there are"),
    ("no lesson", "notebook", "required: LESSON"),
    ("no such lesson, by force", "notebook 99 --fast --force", "no lesson 99; there are"),
    ("another suffix", "notebook 05 -o x.py", "x.py: a notebook's name ends in .ipynb"),
    ("a suffix alone", "notebook 05 --out .ipynb", ".ipynb: a notebook's name ends in .ipynb"),
    ("a notebook that exists", "notebook 05 -o kept.ipynb", "kept.ipynb exists .*--force"),
    ("a notebook in no folder", "notebook 05 -o file/x.ipynb", "file: cannot write here"),
    ("a notebook's name too long", f"notebook 05 -o {LONG}.ipynb", "x.ipynb: .*too long"),
    ("an argument of book", "book 05", "mmvae-edu book: unrecognized arguments: 05"),
    ("a book in a file's place", "book -o file", "file: cannot write here"),
    ("a book without a name", "book -o ''", "--out: expected the name of a file or folder"),
    # ---- start, status
    ("a file for exercises", "start file", "file: cannot write here"),
    ("exercises in a file", "start file/new", "file/new: cannot write here"),
    ("a pipe for exercises", "start pipe", "pipe: cannot write here"),
    ("a link to itself for exercises", "start loop", "loop: cannot write here"),
    ("exercises in exercises", "start mine/new", "mine/new would be inside"),
    ("two folders", "start a b", "start: unrecognized arguments: b"),
    ("no folder's name for exercises", "start ''", "DIR: expected the name of a file or folder"),
    ("no exercises here", "-C empty status", "no exercises here; `mmvae-edu start` makes them"),
    ("several folders of exercises", "-C two status --json", "several folders .*/a, .*/b"),
    ("an argument of status", "status L05", "status: unrecognized arguments: L05"),
    # ---- check, watch
    ("nothing like an exercise", "check -v 123456", "no exercise 123456 "),
    ("an empty exercise", "check ''", "no exercise '' "),
    ("the second of two exercises", "check kl_gauss nix", "no exercise nix"),
    ("a file that is not there", "check /nowhere/05_neg_kl.py", "/nowhere/05_neg_kl.py: there is"),
    ("a file of another folder", "check other/05_neg_kl.py", "other/05_neg_kl.py is not in"),
    ("a file of no exercise", "check 05_kl.py", "no exercise 05_kl.py"),
    ("exercises where none are", "-C empty check kl_gauss", "no exercises here"),
    ("a file where no exercises are", "-C empty check 05_neg_kl.py", "no exercises here"),
    ("a word for a seed", "check --seed a --json --explain", "--seed: expected .* found 'a'"),
    ("an unknown short option", "check -x", "check: unrecognized arguments: -x"),
    ("nothing to watch", "watch nix --verbose", "no exercise nix"),
    ("no option of watch", "watch --json", "watch: unrecognized arguments: --json"),
    # ---- hint, solution, reset
    ("no exercise", "hint", "required: ID"),
    ("a lesson for an exercise", "hint L05", "L05 is several exercises: L05.neg_kl_std_normal"),
    ("no such hint", "hint kl_gauss 4", "number: invalid choice: '4' .*1.*2.*3"),
    ("a word for a hint", "hint kl_gauss all", "number: invalid choice: 'all'"),
    ("two hints", "hint kl_gauss 1 2", "hint: unrecognized arguments: 2"),
    ("no exercise to solve", "solution --give-up", "required: ID"),
    ("several solutions", "solution 5 --give-up", "5 is several exercises"),
    ("neither one nor all", "reset", "one of the arguments ID --all is required"),
    ("one and all", "reset kl_gauss --all", "--all: not allowed with argument ID"),
    ("an id of another lesson", "reset L05.two_plus_two", "did you mean L00.two_plus_two"),
    ("nothing to reset", "-C empty reset --all", "no exercises here"),
    # ---- derive
    (
        "no derivation of this name",
        "derive nowhere.derive",
        "nowhere.derive: there is no such file",
    ),
    ("a folder for a derivation", "derive folder", "folder: .*"),
    ("two derivations", "derive a --json b", "unrecognized arguments: b"),
    ("an explanation of what", "derive a --explain=1", "--explain: ignored explicit argument '1'"),
    # ---- dev-check, gradcheck
    ("no seed", "dev-check --seeds 0", "--seeds: expected a whole number, at least 1, found '0'"),
    ("an argument of dev-check", "dev-check L05", "dev-check: unrecognized arguments: L05"),
    ("a file without a function", "gradcheck mine.py", "mine.py: expected FILE:FUNCTION"),
    ("an empty function", "gradcheck mine.py:", "mine.py:: expected FILE:FUNCTION"),
    ("an empty file", "gradcheck :f", ":f: expected FILE:FUNCTION"),
    ("no such file", "gradcheck nowhere.py:f", "nowhere.py: there is no such file"),
    ("no such function", "gradcheck mine.py:g", "mine.py defines no function g; there are f"),
    ("no inputs", "gradcheck mine.py:f", "no inputs for f: .*mine.py must define example"),
    ("no known terms", "gradcheck mine.py:f --terms", "the terms of f are not known"),
    ("a seed of a word", "gradcheck mine.py:f --seed x", "--seed: expected .* found 'x'"),
    # ---- train
    ("no system", "train", "required: SYSTEM"),
    ("no such system", "train GAN", "SYSTEM: invalid choice: 'GAN'"),
    ("a system in small letters", "train mvae", "SYSTEM: invalid choice: 'mvae'"),
    ("no step", "train VAE --steps 0", "--steps: expected a whole number, at least 1, found '0'"),
    ("no sample", "train VAE --samples 0", "--samples: expected a whole number, at least 1"),
    ("a seed below 0", "train VAE --seed -3", "--seed: expected a whole number, at least 0"),
    ("no such device", "train VAE --device tpu", "--device: invalid choice: 'tpu'"),
    ("no such dtype", "train VAE --dtype int", "--dtype: invalid choice: 'int'"),
    ("a folder for a model", "train VAE --out folder", "folder: .*a folder"),
    ("a pipe for a model", "train VAE --out pipe", "pipe: cannot write here"),
    ("one file for two", "train VAE --out a --checkpoint ./a", "--out a: that is the checkpoint"),
    ("a damaged checkpoint", "train VAE --steps 1 --checkpoint file", "file: not written by mmvae"),
    ("a folder for a checkpoint", "train VAE --steps 1 --checkpoint folder", "folder: .*a folder"),
    # ---- bench
    ("no such part", "bench --only all", "--only: invalid choice: 'all'"),
    ("no thread", "bench --threads 0", "--threads: expected a whole number, at least 1"),
    ("a folder for numbers", "bench --out folder", "folder: cannot write here"),
    ("a switch's value", "bench --gpu=0", "--gpu: ignored explicit argument '0'"),
    # ---- data
    ("no verb", "data", "required: VERB"),
    ("no such verb", "data get", "VERB: invalid choice: 'get'"),
    ("an argument of a verb", "data list mnist", "mmvae-edu data list: unrecognized .*: mnist"),
    ("an argument of check", "data check mnist", "data check: unrecognized arguments: mnist"),
    ("no data set", "data fetch", "required: NAME"),
    ("no such data set", "data fetch cifar", "no data set 'cifar'; there are"),
    ("no folder to import from", "data import mnist", "required: --from"),
    ("a folder that is not there", "data import mnist --from nowhere", "nowhere"),
    ("a file to import from", "data import mnist --from file", "file"),
    # ---- reproduce
    ("no experiment", "reproduce", "required: NAME"),
    ("no such experiment", "reproduce cifar", "NAME: invalid choice: 'cifar'"),
    ("no system of it", "reproduce mnist --systems GAN", "mnist has no system 'GAN'; it has"),
    ("a system not shown", "reproduce mnist --show --systems GAN", "has no system 'GAN'; it has"),
    ("a seed not measured", "reproduce digits-label --show --seeds 99", "yet of these --seeds"),
    ("no epoch", "reproduce mnist --epochs 0", "--epochs: expected a whole number, at least 1"),
    ("no seed of it", "reproduce mnist --seeds -1", "--seeds: expected a whole number"),
    ("no worker", "reproduce mnist --workers 0", "--workers: expected a whole number, at least 1"),
    ("a word for threads", "reproduce mnist --threads x", "--threads: expected a whole number"),
    ("another device", "reproduce mnist --device gpu", "--device: invalid choice: 'gpu'"),
    ("no address", "reproduce mnist --scheduler ''", "--scheduler: expected an address"),
    ("a file for results", "reproduce mnist --out file", "file/work: cannot write here"),
    ("no such format", "reproduce mnist --show --format word", "--format: invalid choice: 'word'"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("place"))


def fill(place):
    """Make exercises in a folder, and what is in the way of the command lines."""
    for name in "folder", "empty", "other":
        (place / name).mkdir()
    for folder in place / "mine", place / "two" / "a", place / "two" / "b":
        folder.parent.mkdir(exist_ok=True)
        assert cli.main(["start", str(folder)]) == 0
    for name in "file", "kept.ipynb", "other/05_neg_kl.py":
        (place / name).write_text("x")
    (place / "mine.py").write_text("def f(x):\n    return x\n")
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "pipe")
    return place


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.name != "__pycache__")


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
@pytest.mark.parametrize(("line", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_bad_command_line(line, words, place, monkeypatch, capsys):
    arguments, before = shlex.split(line), files(place)
    monkeypatch.chdir(place)
    if arguments[:1] == ["-C"]:
        monkeypatch.chdir(arguments[1])
        del arguments[:2]
    try:
        code = cli.main(arguments)
    except SystemExit as end:
        code = end.code
    if code not in (1, 64):
        pytest.fail(f"exit code {code}")
    *usage, sentence = capsys.readouterr().err.splitlines()
    assert re.search(words, sentence), sentence
    assert usage == [] or usage[0].startswith("usage: mmvae-edu")
    assert all(text.startswith(" ") for text in usage[1:])
    assert files(place) == before


def test_the_kinds_differ_and_leave_no_command_or_option_out():
    kinds = [kind for kind, _, _ in ROWS]
    assert len(set(kinds)) == len(kinds) >= 100
    used = {word.partition("=")[0] for _, line, _ in ROWS for word in shlex.split(line)}
    assert set(words_of(cli.parser())) <= used


def words_of(parser):
    """Yield a spelling of each command, verb and option that a parser knows."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices
            for command in action.choices.values():
                yield from words_of(command)
        elif action.option_strings and action.dest not in ("help", "version"):
            yield max(action.option_strings, key=len)


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("line", ["tuor", "hint", "train VAE --steps x", "check nix", "-c"])
def test_a_bad_command_line_in_a_process(line, tmp_path):
    command = [sys.executable, "-m", "mmvae_edu", *shlex.split(line)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (64, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mmvae-edu")
