"""Faults injected at random, counted: `MMVAE_FAULTS=full python -m pytest -m faults`.

Each test prints one line of counts and fails where a fault passed unseen.  Without MMVAE_FAULTS
it injects a part of them, in less than a minute.  Every kind of fault has a section here.
"""

import io
import os
import random
import re
import shlex
import signal
import struct
import subprocess
import time
import zipfile
from collections import Counter
from itertools import count

import numpy as np
import pytest
import test_bad_calls
import test_bad_commands
from scipy.io import savemat
from test_processes import mmvae_edu, posix

from mmvae_edu.course import progress
from mmvae_edu.course.exercises import exercises
from mmvae_edu.data.formats import parse_idx, parse_svhn
from mmvae_edu.likelihoods import Bernoulli
from mmvae_edu.models import VAE
from mmvae_edu.support import archives, checkpoints, files

pytestmark = pytest.mark.faults
FULL = os.environ.get("MMVAE_FAULTS") == "full"


def report(say, what, outcomes, kinds):
    """Count the outcomes, print the count of each kind and return the counts."""
    counts = Counter(outcomes)
    with say.disabled():
        print(f"\n{what}: {counts.total()}, " + ", ".join(f"{k} {counts[k]}" for k in kinds))
    assert set(counts) <= set(kinds)
    return counts


def inject(faults, say, what):
    """Call each fault, count what follows and print the counts.

    A fault is a function that returns whether all is as without it; what it raises is a sentence,
    that is a ValueError of one line, or a traceback.
    """
    kinds = "refused", "loaded with the same arrays", "loaded with different arrays", "tracebacks"
    return report(say, what, (_outcome(fault, *kinds) for fault in faults), kinds)


def _outcome(fault, refused, same, different, traceback):
    try:
        return same if fault() else different
    except ValueError as problem:
        return refused if str(problem).startswith("x: ") else traceback
    except Exception:  # what is counted is that it is no sentence
        return traceback


# ---- files: single bits and bytes of a model and of a checkpoint --------------------------------

IDENTITY = {"system": "VAE"}


def saved_model(path):
    """Save a model of at least 1 MB; returns a function that loads and compares it."""
    model = VAE({"x": Bernoulli(784)}, latent=8, hidden=(192,))
    model.theta = model.init(np.random.default_rng(0))
    model.save(path)
    config = files.as_json(model.config())

    def same():
        loaded = VAE.load("x")
        return same_bits(loaded.theta, model.theta) and config == files.as_json(loaded.config())

    return same


def saved_checkpoint(path):
    """Save a checkpoint of at least 1 MB; returns a function that resumes and compares it."""
    rng = np.random.default_rng(0)
    theta, m, v, best = rng.normal(size=(4, 80_000)).astype(np.float32)
    history = [{"step": 100, "bound": -1.5, "validation": -1.25}]
    state = checkpoints.State(theta, m, v, rng.permutation(300), 120, 30, -1.25, best, 1, -2.5, 30)
    state.history = history
    checkpoints.save(path, state, rng, IDENTITY)
    expected, state_of_rng = vars(state), rng.bit_generator.state

    def same():
        zeros, rng = np.zeros_like(theta), np.random.default_rng(1)
        found = checkpoints.State(zeros, zeros, zeros, np.arange(300))
        checkpoints.resume("x", found, rng, IDENTITY)
        alike = all(same_bits(getattr(found, name), value) for name, value in expected.items())
        return alike and rng.bit_generator.state == state_of_rng

    return same


def same_bits(found, expected):
    if not isinstance(expected, np.ndarray):
        return found == expected
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


def regions(path):
    """Return {region: positions of its bytes} of an .npz file."""
    found = {"zip structures": [], ".npy headers": [], "JSON header": [], "data": []}
    end = 0
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            content = file.read(info)
            name, extra = struct.unpack_from("<HH", path.read_bytes(), info.header_offset + 26)
            start = info.header_offset + 30 + name + extra
            head = start + content.index(b"\n") + 1
            found["zip structures"] += range(end, start)
            found[".npy headers"] += range(start, head)
            end = start + len(content)
            found["JSON header" if info.filename == "header.npy" else "data"] += range(head, end)
    found["zip structures"] += range(end, path.stat().st_size)
    assert sum(map(len, found.values())) == path.stat().st_size
    return found


@pytest.mark.parametrize("saved", [saved_model, saved_checkpoint])
def test_no_changed_bit_or_byte_of_a_file_changes_what_is_loaded(
    saved, tmp_path, capsys, monkeypatch
):
    same = saved(tmp_path / "x.npz")
    content, rng = bytearray((tmp_path / "x.npz").read_bytes()), random.Random(0)
    assert len(content) >= 1_000_000
    monkeypatch.setattr(archives, "open", lambda *_: io.BytesIO(content), raising=False)
    monkeypatch.setattr(files, "mode", lambda *_: "regular")
    assert same()

    def change(region):
        def fault():
            at = rng.choice(region)
            changed = rng.choice([1 << rng.randrange(8), rng.randrange(1, 256)])
            content[at] ^= changed
            try:
                return same()
            finally:
                content[at] ^= changed

        return fault

    for name, region in regions(tmp_path / "x.npz").items():
        tries = [change(region)] * (5000 if FULL else 100)
        counts = inject(tries, capsys, f"{saved.__name__}, {name}")
        assert counts["loaded with different arrays"] == counts["tracebacks"] == 0
        assert name == "zip structures" or counts["refused"] == len(tries)


# ---- files: IDX ---------------------------------------------------------------------------------


def test_no_idx_file_is_more_than_a_sentence(capsys):
    """They have no checksum of their own; the cache's, which is checked before, knows them."""
    rng = random.Random(0)
    images = np.random.default_rng(0).integers(256, size=(10, 28, 28), dtype=np.uint8)
    whole = struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes()

    def fault():
        content = bytearray(whole)
        kind = rng.randrange(5)
        if kind == 0:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[3] = rng.choice([0, 1, 2, 3, 4, 32, 64, 65, 255])
        elif kind == 2:
            content[4:16] = rng.randbytes(12)
        elif kind == 3:
            del content[rng.randrange(len(content)) :]
        else:  # lengths of 0 and of 2³² − 1
            lengths = [rng.choice([0, 1, 28, 2**31, 2**32 - 1]) for _ in range(rng.randrange(70))]
            content[3:] = struct.pack(f">B{len(lengths)}I", len(lengths), *lengths)
        return np.array_equal(parse_idx(bytes(content), "x"), images)

    counts = inject([fault] * (80_000 if FULL else 2000), capsys, "IDX")
    assert counts["tracebacks"] == 0
    assert counts["refused"] > counts.total() / 2


# ---- files: .mat --------------------------------------------------------------------------------


def test_no_mat_file_is_more_than_a_sentence(capsys):
    """They have no checksum either, and may crash SciPy's parser, but not the process that asks."""
    rng, file = random.Random(0), io.BytesIO()
    X = np.random.default_rng(0).integers(256, size=(32, 32, 3, 4), dtype=np.uint8)
    savemat(file, {"X": X, "y": [[1], [10], [9], [5]]})
    whole = file.getvalue()
    heads = [*range(128, 188), *range(whole.index(b"y\0") - 40, len(whole))]  # of X, and all of y

    def fault():
        content = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            at = rng.choice([rng.choice(heads), rng.randrange(len(content))])
            content[at] = rng.randrange(256)
        if rng.random() < 0.1:
            del content[rng.randrange(len(content)) :]
        images, label = parse_svhn(bytes(content), "x")
        return np.array_equal(images, np.moveaxis(X, 3, 0)) and label.tolist() == [1, 0, 9, 5]

    counts = inject([fault] * (500 if FULL else 8), capsys, ".mat")
    assert counts["tracebacks"] == 0


# ---- killed commands ----------------------------------------------------------------------------

EDIT = b"\n\ndef kl_gauss(*_):\n    return 0\n"  # a learner's, of each file
VARIES = re.compile(rb'"seconds": [\d.]+|\d{4}-\d\d-\d\d')  # from run to run
STARTING = re.compile("Fatal Python error: init_|_get_module_details")  # before a line of ours runs
SIGNALS = "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"


def nothing(folder):
    folder.mkdir()


def some_exercises(folder):
    """Make a folder of exercises that lacks most files."""
    (folder / "mine").mkdir(parents=True)
    for stub in sorted({exercise.stub for exercise in exercises().values()})[::3]:
        (folder / "mine" / stub.name).write_bytes(stub.read_bytes() + EDIT)


def all_exercises(folder):
    some_exercises(folder)
    for name in progress.start(folder / "mine"):
        with (folder / "mine" / name).open("ab") as file:
            file.write(EDIT)


KILLED = {  # command line: kills, kills if FULL, what is there before
    "train VAE --steps 200 --checkpoint c.npz --out m.npz": (2, 26, nothing),
    "tour --fast --out out": (0, 4, nothing),
    "reproduce digits-label --systems VAE --seeds 0 --epochs 1 --out out": (0, 16, nothing),
    "start mine": (2, 18, some_exercises),
    "reset --all": (2, 18, all_exercises),
    "check L05": (2, 20, all_exercises),
}


def run(line, folder, seconds=None, sent="", to=os.kill):
    """Run a command, send it a signal after some seconds; returns (code, errors, was it sent)."""
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "start_new_session": True}
    with mmvae_edu(*shlex.split(line), **options) as process:
        try:
            _, errors = process.communicate(timeout=seconds)
            return process.returncode, errors.decode(), False
        except subprocess.TimeoutExpired:
            to(process.pid, getattr(signal, sent))
            _, errors = process.communicate(timeout=60)
            return process.returncode, errors.decode(), True


def results(folder):
    """Return {name: content} of all files but backups and claims, which are free to differ."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    found = [path for path in found if ".bak" not in path.name and path.suffix != ".claim"]
    return {str(path.relative_to(folder)): VARIES.sub(b"", path.read_bytes()) for path in found}


def learners(folder):
    """Return the contents of the files that have the learner's edit."""
    contents = {path.read_bytes() for path in folder.rglob("*.py*")}
    return {content for content in contents if content.endswith(EDIT)}


def broken_twice(line, folder, rng, seconds, unbroken):
    """Kill a command twice, it or its group, and complete it; returns (kills, outcome)."""
    own, kills, problems = learners(folder), 0, []
    for last in False, False, True:
        sent = rng.uniform(0, seconds), rng.choice(SIGNALS), rng.choice([os.kill, os.killpg])
        code, errors, killed = run(line, folder, *(() if last else sent))
        kills += killed
        if "Traceback" in errors and not STARTING.search(errors):
            problems.append("tracebacks")
            print(errors)
        problems += ["a learner's file lost"] * (not own <= learners(folder))
    found = results(folder)
    problems += ["leftovers"] * any(name.endswith(".part") for name in found)
    problems += ["another end"] * ((code, found) != unbroken)
    return kills, [*problems, "ended as unbroken"][0]


@posix
@pytest.mark.parametrize("line", KILLED)
def test_a_killed_command_ends_as_an_unbroken_one_once_it_is_called_again(line, tmp_path, capsys):
    few, many, prepare = KILLED[line]
    if not (wanted := many if FULL else few):
        pytest.skip("takes minutes: MMVAE_FAULTS=full")
    outcomes, rng, start = [], random.Random(line), time.monotonic()
    prepare(tmp_path / "unbroken")
    code, *_ = run(line, tmp_path / "unbroken")
    seconds, expected = time.monotonic() - start, (code, results(tmp_path / "unbroken"))
    rounds = count()
    while len(outcomes) < wanted:
        prepare(folder := tmp_path / str(next(rounds)))
        kills, outcome = broken_twice(line, folder, rng, seconds, expected)
        outcomes += [outcome] * kills
    kinds = "ended as unbroken", "another end", "a learner's file lost", "leftovers", "tracebacks"
    counts = report(capsys, f"killed {line}", outcomes, kinds)
    assert counts["ended as unbroken"] == len(outcomes)


# ---- tables of bad input ------------------------------------------------------------------------


def counted(say, what, test, rows):
    """Call the test of a table for its rows, each of another kind; print what came of them."""
    kinds = "a sentence that names the argument", "another sentence", "silent", "tracebacks"
    outcomes = [_answer(test, row, *kinds) for row in rows[:: 1 if FULL else 10]]
    assert report(say, what, outcomes, kinds)[kinds[0]] == len(outcomes)


def _answer(test, row, sentence, another, silent, traceback):
    try:
        test(*row)
        return sentence
    except AssertionError:
        return another
    except pytest.fail.Exception:
        return silent
    except Exception:  # what is counted is that it is no sentence
        return traceback


@posix
def test_the_bad_command_lines(tmp_path, monkeypatch, capsys):
    place = test_bad_commands.fill(tmp_path)
    rows = [(line, words, place, monkeypatch, capsys) for _, line, words in test_bad_commands.ROWS]
    counted(capsys, "bad command lines", test_bad_commands.test_a_bad_command_line, rows)


def test_the_bad_calls(capsys):
    test = test_bad_calls.test_a_bad_call_gets_one_sentence_that_names_the_argument
    counted(capsys, "bad calls", test, [(kind,) for kind in test_bad_calls.ROWS])
