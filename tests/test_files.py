"""Files: one door to write and one to read; nothing is lost, and nothing damaged is believed."""

import ast
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal

import mmvae_edu
from mmvae_edu import cli
from mmvae_edu.course import notebook, overview, progress
from mmvae_edu.course.exercises import exercises
from mmvae_edu.likelihoods import Bernoulli, Normal
from mmvae_edu.measure.tables import executors, store
from mmvae_edu.measure.tables.experiments import jobs
from mmvae_edu.models import MVAE
from mmvae_edu.report import plots, saved_sections
from mmvae_edu.report.page import Paragraph, Section
from mmvae_edu.support import archives, checkpoints, files

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")
PACKAGE = Path(mmvae_edu.__file__).parent
EXERCISE = exercises()["L17.vae_grad"]
(JOB,) = jobs("digits-label", systems=["VAE"], seeds=[0])
RESULT = {
    "id": store.job_id(JOB),
    "job": JOB,
    "numbers": {"log p(x1)": {"mean": -1.5, "error": 0.5, "ess": 9.0}},
    "date": "2026-01-02",
}


def model():
    """A small model with parameters."""
    own = MVAE({"ink": Bernoulli(3), "depth": Normal(2, scale="learnt")}, latent=2, hidden=(4,))
    own.theta = own.init(np.random.default_rng(0))
    return own


# ---- writing ------------------------------------------------------------------------------------


def write_figure(path):
    plots.save(Figure(), path, alt="", caption="", numbers=[["k"]])


WRITERS = {
    "text": lambda path: files.write_text(path, "new"),
    "model": lambda path: model().save(path),
    "checkpoint": lambda path: fit(path),
    "result": lambda path: store.append(path, RESULT),
    "figure": write_figure,
    "record": lambda path: saved_sections.save(path, [Section("t", [Paragraph("p")])]),
    "notebook": lambda path: notebook.write_notebook(overview.find("05").path, path, force=True),
    "exercise": lambda path: progress.reset(path.parent, EXERCISE),
    "progress": lambda path: progress.save(path.parent, {}),
}


def place(writer, folder):
    """The path at which a writer writes in this folder."""
    names = {"notebook": "x.ipynb", "exercise": EXERCISE.stub.name, "progress": progress.FILE}
    return folder / names.get(writer, "x")


def fit(path, **options):
    rng = np.random.default_rng(0)
    x = {"ink": rng.random((20, 3)), "depth": rng.normal(size=(20, 2))}
    own, options = model(), {"steps": 6, "interval": 4, "progress": False} | options
    own.fit(x, checkpoint=path, batch_size=8, **options)
    return own


def make_socket(path):
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


IN_THE_WAY = {
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo if hasattr(os, "mkfifo") else None,
    "socket": make_socket,
    "device": lambda path: path.symlink_to("/dev/null"),
}


@POSIX
@pytest.mark.parametrize("kind", IN_THE_WAY)
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_but_regular_files_is_replaced(writer, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = place(writer, tmp_path)
    IN_THE_WAY[kind](path)
    before = os.lstat(path), os.stat(path)
    with pytest.raises(ValueError, match=r"cannot (write here|read it) \(it is (a|no) ") as problem:
        WRITERS[writer](path)
    assert str(path) in str(problem.value)
    assert (os.lstat(path).st_ino, os.stat(path).st_ino) == tuple(s.st_ino for s in before)
    assert os.listdir(tmp_path) == [path.name]


@POSIX
@pytest.mark.parametrize("there", [True, False], ids=["whole", "dangling"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_stays_and_its_target_is_written(writer, there, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    link, path = place(writer, tmp_path / "a"), tmp_path / "b" / "target"
    if there and writer != "checkpoint":
        path.write_text("")
    link.symlink_to(path)
    WRITERS[writer](link)
    assert link.is_symlink()
    assert path.stat().st_size > 0
    assert os.listdir(path.parent) == ["target"]


@POSIX
def test_the_mode_stays_and_a_new_file_has_the_usual_one(tmp_path):
    before = os.umask(0o027)
    try:
        for mode in 0o600, 0o664, 0o640:
            path = tmp_path / str(mode)
            path.touch()
            path.chmod(mode)
            files.write_text(path, "new")
            assert stat.S_IMODE(path.stat().st_mode) == mode
        files.write_text(tmp_path / "new", "new")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_a_write_protected_file_stays(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for other users than root
    with pytest.raises(ValueError, match=r"x: cannot write here \(Permission denied\)"):
        files.write_text(tmp_path / "x", "new")


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    for name in "fsync", "replace":
        real = getattr(os, name)
        watched = partial(lambda name, f, *a: calls.append(name) or f(*a), name, real)
        monkeypatch.setattr(os, name, watched)
    files.write_text(tmp_path / "x", "new")
    assert calls == ["fsync", "replace", "fsync"][: 3 if sys.platform != "win32" else 2]


def test_nobody_can_guess_the_temporary_name_or_have_it_followed(tmp_path, monkeypatch):
    seen = []
    for _ in range(2):
        with files.writing(tmp_path / "x") as file:
            seen.append(Path(file.name).name)
    assert len(set(seen)) == 2
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "0" * 16)
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f".x.{'0' * 16}.part").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="x: cannot write here"):
        files.write_text(tmp_path / "x", "new")
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(writer, tmp_path, monkeypatch):
    path = place(writer, tmp_path)
    if writer != "checkpoint":  # which would be read
        path.write_text("" if writer == "result" else "old")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"cannot write here \(No space left on device\)"):
        WRITERS[writer](path)
    if writer == "result":  # which is appended: a half line is left out later
        path.write_bytes(path.read_bytes()[:-9])
        assert store.read(path) == []
    else:
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@POSIX
def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    code = "import os, signal, sys; from mmvae_edu.support import files\n"
    code += "with files.writing(sys.argv[1]) as file: os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")])
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    others = {f".y{left.name[2:]}", ".x.part", ".x.0123.part", "x.part", ".x.0123456789abcdeg.part"}
    for name in others:
        (tmp_path / name).touch()
    with files.writing(tmp_path / "x") as file:  # another thread's write of the same file
        here = Path(file.name).name
        assert set(os.listdir(tmp_path)) == others | {here}
        files.write_text(tmp_path / "x", "inner")
        assert set(os.listdir(tmp_path)) == others | {here, "x"}
        file.write(b"outer")
    assert set(os.listdir(tmp_path)) == others | {"x"}
    assert (tmp_path / "x").read_text() == "outer"


def test_threads_may_write_one_file(tmp_path):
    def write(text):
        for _ in range(20):
            files.write_text(tmp_path / "x", text)

    threads = [threading.Thread(target=write, args=(c * 10_000,)) for c in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "x").read_text() in {c * 10_000 for c in "abc"}
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("name", ["", None, 3, "a\0b"])
def test_what_is_no_name_is_refused_by_the_arguments_name(name):
    for call in model().save, MVAE.load:
        with pytest.raises(ValueError, match="^path: expected the name of a file, found"):
            call(name)
    if name is not None:
        with pytest.raises(ValueError, match="^checkpoint: expected the name of a file, found"):
            fit(name)


WRITING = """write_text write_bytes savefig savez savez_compressed savetxt tofile copyfile copytree
    touch rename symlink_to hardlink_to mkstemp NamedTemporaryFile truncate""".split()
MODULES = {"shutil": {"copy", "copy2", "move"}, "os": {"replace"}, "np": {"save"}, "json": {"dump"}}
ALLOWED = {  # the place and the call; each writes into what is open already
    ("data/formats.py", "savez"),
    ("support/archives.py", "savez"),
    ("report/plots.py", "savefig"),
    ("measure/tables/store.py", "truncate"),
    ("book/execute.py", "truncate"),
}


def test_no_other_place_opens_a_file_for_writing():
    found = set()
    for root in PACKAGE, PACKAGE.parent / "kernels", PACKAGE.parent / "lessons":
        for path in {*root.rglob("*.py")} - {PACKAGE / "support" / "files.py"}:
            calls = filter(writes, ast.walk(ast.parse(path.read_text("utf-8"))))
            names = {ast.unparse(call.func).rpartition(".")[2] for call in calls}
            found |= {(path.relative_to(root).as_posix(), name) for name in names}
    assert found == ALLOWED


def writes(node):
    """Tell whether a node of the syntax tree is a call that opens, moves or writes a file."""
    if not isinstance(node, ast.Call):
        return False
    *room, name = ast.unparse(node.func).split(".")
    if room == ["files"]:
        return False
    if name in MODULES.get(".".join(room), ()):
        return True
    if (room, name) == (["os"], "open"):
        return ast.unparse(node.args[0]) != "os.devnull"
    if name == "open":
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        texts += [k.value.value for k in node.keywords if k.arg == "mode"]
        return any(isinstance(text, str) and set("wax+") & set(text) for text in texts)
    return name in WRITING


# ---- reading: damage ----------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A model's file."""
    model().save(tmp_path / "m.npz")
    return tmp_path / "m.npz"


def zipped(members, method=zipfile.ZIP_STORED):
    """A zip file of (name, content) pairs."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return stream.getvalue()


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {info.filename: file.read(info) for info in file.infolist()}


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), **options)
    return stream.getvalue()


def with_members(**changed):
    """Damage: these members have other contents; None removes one."""

    def damage(content):
        found = members(content)
        found |= {f"{name}.npy": c(found) if callable(c) else c for name, c in changed.items()}
        return zipped((name, c) for name, c in found.items() if c is not None)

    return damage


def theta_of(found):
    return np.lib.format.read_array(io.BytesIO(found["theta.npy"]))


def edited(old, new):
    """Damage: other text in theta.npy's header, which keeps its length."""

    def damage(found):
        head, data = found["theta.npy"][:128], found["theta.npy"][128:]
        changed, times = re.subn(old, new, head)
        assert times == 1
        return changed.rstrip(b" \n").ljust(127) + b"\n" + data

    return with_members(theta=damage)


def twice(content):
    found = members(content)
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped([*found.items(), ("theta.npy", found["theta.npy"])])


def flag(content, offset, value):
    """Damage: other bits in a field of both headers of theta.npy."""
    content = bytearray(content)
    at = content.find(b"PK\1\2", content.find(b"PK\1\2") + 1)
    content[at + offset] |= value
    return bytes(content)


def utf32(text):
    return text.encode("utf-32-le")


DEEP = npy(np.array("[" * 100_000))
DAMAGE = {
    "empty": lambda content: b"",
    "text": lambda content: b"hello",
    "cut": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "junk behind": lambda content: content + b"junk",
    "junk before": lambda content: b"junk" + content,
    "a comment": lambda content: content[:-2] + b"\4\0junk",
    "a second theta": twice,
    "another array": with_members(extra=npy(np.zeros(3))),
    "another file": with_members(**{"../../evil": b"x"}),
    "no theta": with_members(theta=None),
    "no header": with_members(header=None),
    "deflated": lambda content: zipped(members(content).items(), zipfile.ZIP_DEFLATED),
    "bzip2": lambda content: zipped(members(content).items(), zipfile.ZIP_BZIP2),
    "lzma": lambda content: zipped(members(content).items(), zipfile.ZIP_LZMA),
    "unknown compression": lambda content: flag(content, 10, 77),
    "encrypted": lambda content: flag(content, 8, 1),
    "a flipped bit": lambda content: content[:-300] + bytes([content[-300] ^ 1]) + content[-299:],
    "pickle": with_members(theta=npy(np.array([{}]), allow_pickle=True)),
    "big-endian": with_members(theta=lambda f: npy(theta_of(f).astype(">f4"))),
    "another dtype": with_members(theta=lambda f: npy(theta_of(f).astype(np.float16))),
    "another shape": with_members(theta=lambda f: npy(theta_of(f)[None])),
    "other numbers": with_members(theta=lambda f: npy(theta_of(f) + 1)),
    "not finite": with_members(theta=lambda f: npy(theta_of(f) * np.nan)),
    "a huge shape": edited(rb"\(\d+,\)", b"(999999999999,)"),
    "a structured type": edited(b"<f4", b"x,f"),
    "Python 2's header": edited(rb",\)", b"L,)"),
    "code in the header": edited(rb",\)", b"+0,)"),
    "npy of version 2": with_members(theta=lambda f: npy(theta_of(f), version=(2, 0))),
    "a short member": with_members(theta=lambda f: f["theta.npy"][:-4]),
    "a long member": with_members(theta=lambda f: f["theta.npy"] + bytes(8)),
    "no npy": with_members(theta=b"x"),
    "a header of bytes": with_members(header=npy(np.array(b"{}"))),
    "a header that is a list": with_members(header=npy(np.array("[1]"))),
    "a deep header": with_members(header=DEEP),
    "another header": with_members(
        header=lambda f: f["header.npy"].replace(*map(utf32, ("sw", "SW")))
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.filterwarnings("ignore:.*Stored array in format 2.0")
def test_a_damaged_file_is_refused_in_a_sentence(damage, saved):
    content = DAMAGE[damage](saved.read_bytes())
    assert content != saved.read_bytes()
    saved.write_bytes(content)
    with pytest.raises(
        ValueError, match="m.npz: not written by mmvae_edu, or not to its end"
    ) as problem:
        MVAE.load(saved)
    assert str(problem.value).count("\n") == 0


def test_what_a_file_declares_takes_no_memory(saved):
    saved.write_bytes(DAMAGE["a huge shape"](saved.read_bytes()))
    tracemalloc.start()
    with pytest.raises(ValueError, match="not written by mmvae_edu"):
        MVAE.load(saved)
    assert tracemalloc.get_traced_memory()[1] < 10 * saved.stat().st_size + 100_000
    tracemalloc.stop()


def test_a_file_from_before_loads_with_a_warning(saved):
    """Files had no SHA-256, and the configuration of models fewer keys."""
    header, arrays = archives.read_arrays(saved, "model")
    del header["config"]["initial"]
    np.savez(saved, header=np.array(json.dumps(header)), **arrays)
    with pytest.warns(UserWarning, match="m.npz: .* unverified; saving it again adds one"):
        loaded = MVAE.load(saved)
    assert_array_equal(loaded.theta, model().theta)
    loaded.save(saved)
    assert_array_equal(MVAE.load(saved).theta, model().theta)


@pytest.mark.parametrize("read", [MVAE.load, lambda path: fit(path)], ids=["model", "checkpoint"])
def test_what_cannot_be_read_says_why_and_advises_no_deletion(read, saved, monkeypatch):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(archives, "open", closed, raising=False)
        with pytest.raises(ValueError, match=r"m.npz: cannot read it \(Permission denied\)$"):
            read(saved)
    saved.unlink()
    saved.mkdir()
    with pytest.raises(ValueError, match=r"m.npz: cannot .* \(it is a folder\)$"):
        read(saved)


def test_parameters_that_are_not_finite_are_not_saved(tmp_path):
    for value in np.nan, np.inf:
        own = model()
        own.theta[3] = value
        with pytest.raises(ValueError, match="theta: expected finite numbers"):
            own.save(tmp_path / "m.npz")
    assert os.listdir(tmp_path) == []


# ---- reading: headers that are whole, and wrong -------------------------------------------------


def changed(tree, path, value):
    """Set an entry of nested dicts and lists; GONE removes it."""
    *rooms, last = path
    for name in rooms:
        tree = tree[name]
    if value is GONE:
        del tree[last]
    else:
        tree[last] = value


GONE = object()
INK = ("config", "modalities", "ink")
HEADERS = [
    (("kind",), "checkpoint"),
    (("system",), "MMVAE"),
    (("system",), GONE),
    (("system",), ["MVAE"]),
    (("config",), GONE),
    (("config",), []),
    (("config", "modalities"), GONE),
    (("config", "modalities"), {}),
    (("config", "modalities"), ["ink"]),
    (INK, "Binomial"),
    ((*INK, "likelihood"), GONE),
    ((*INK, "likelihood"), "Poisson"),
    ((*INK, "likelihood"), "log_sum_exp"),
    ((*INK, "likelihood"), "__class__"),
    ((*INK, "likelihood"), ["Binomial"]),
    ((*INK, "features"), 4),
    ((*INK, "features"), 3.0),
    ((*INK, "features"), True),
    ((*INK, "features"), "3"),
    ((*INK, "features"), 10**30),
    ((*INK, "n"), 0),
    ((*INK, "n"), None),
    ((*INK, "scale"), 1.0),
    (("config", "modalities", "depth", "scale"), -1.0),
    (("config", "modalities", "depth", "scale"), float("nan")),
    (("config", "latent"), 0),
    (("config", "latent"), 2.0),
    (("config", "latent"), "2"),
    (("config", "latent"), 10**30),
    (("config", "hidden"), 4),
    (("config", "hidden"), [5]),
    (("config", "hidden"), ["4"]),
    (("config", "hidden"), {"ink": [[4], [4]]}),
    (("config", "activation"), "sin"),
    (("config", "activation"), None),
    (("config", "initial"), {}),
    (("config", "weights"), {"ink": -1.0}),
    (("config", "weights"), {"sound": 1.0}),
    (("config", "weights"), {"ink": "1"}),
    (("config", "weights"), [1.0, 1.0]),
    (("config", "subsets"), -1),
    (("config", "subsets"), 0.5),
    (("config", "kl"), "exact"),
    (("config", "kernels"), "numba_cpu"),
    (("config", "__init__"), 3),
]


@pytest.mark.parametrize(("where", "value"), HEADERS)
def test_every_entry_of_a_models_header_is_checked(where, value, saved):
    header, arrays = archives.read_arrays(saved, "model")
    changed(header, where, value)
    archives.write_arrays(saved, header, arrays)  # with a SHA-256 that is right
    with pytest.raises(
        ValueError, match="m.npz: (not written by mmvae_edu|expected a )"
    ) as problem:
        MVAE.load(saved)
    assert "\n" not in str(problem.value)


@pytest.fixture
def trained(tmp_path):
    """A checkpoint in the middle of an epoch, with best parameters."""
    fit(tmp_path / "run.npz", validation=VALIDATION, steps=7)
    return tmp_path / "run.npz"


VALIDATION = {"ink": np.zeros((4, 3)), "depth": np.ones((4, 2))}
CHECKPOINTS = [
    *(((name,), GONE) for name in ("identity", "rng", *checkpoints.NUMBERS)),
    *(
        ((name,), value)
        for name in ("step", "position", "stale", "count")
        for value in (-1, "5", 2.5)
    ),
    (("identity",), []),
    (("identity", "seed"), GONE),
    (("position",), 20),
    (("step",), 3),
    (("best_bound",), float("nan")),
    (("best_bound",), float("-inf")),
    (("best_bound",), "0"),
    (("history",), {}),
    (("history",), [3]),
    (("history", 0, "step"), 0),
    (("history", 0, "step"), "4"),
    (("history", 0, "step"), 10**6),
    (("history", 0, "bound"), GONE),
    (("history", 0, "bound"), float("nan")),
    (("history", 0, "bound"), [1.0]),
    (("history", 0, "validation"), None),
    (("rng",), []),
    (("rng", "bit_generator"), "MT19937"),
    (("rng", "state", "state"), -1),
    (("rng", "state", "state"), 1.5),
    (("rng", "state"), 3),
    *((("arrays", name), GONE) for name in checkpoints.ARRAYS),
    *((("arrays", name), np.zeros(3, np.float32)) for name in checkpoints.ARRAYS),
    (("arrays", "theta"), np.zeros(model().tree.size)),
    (("arrays", "order"), np.zeros(20, int)),
    (("arrays", "order"), np.arange(1, 21)),
    (("arrays", "order"), np.arange(20.0)),
    (("arrays", "total"), np.float32(0)),
    (("arrays", "__class__"), np.zeros(3)),
]


@pytest.mark.parametrize(("where", "value"), CHECKPOINTS)
def test_every_entry_of_a_checkpoint_is_checked(where, value, trained):
    header, arrays = archives.read_arrays(trained, "checkpoint")
    header["arrays"] = arrays
    changed(header, where, value)
    archives.write_arrays(trained, header, header.pop("arrays"))
    words = "run.npz: (not written by mmvae_edu|a checkpoint of another training)"
    with pytest.raises(ValueError, match=words) as problem:
        fit(trained, validation=VALIDATION, steps=9)
    assert "\n" not in str(problem.value)


# ---- processes that write at once ---------------------------------------------------------------


@POSIX
def test_progress_of_processes_that_record_at_once_is_all_kept(tmp_path):
    progress.start(tmp_path / "mine")
    code = "import sys; from pathlib import Path; from mmvae_edu.course import progress\n"
    code += "from mmvae_edu.course.exercises import exercises\n"
    code += "for exercise in list(exercises().values())[int(sys.argv[2]) :: 3]:\n"
    code += "    progress.record_hints(Path(sys.argv[1]), exercise, [2])"
    command = [sys.executable, "-c", code, str(tmp_path / "mine")]
    running = [subprocess.Popen([*command, str(n)]) for n in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    kept = progress.load(tmp_path / "mine")
    assert {id: row.hints for id, row in kept.items()} == dict.fromkeys(exercises(), [2])


@POSIX
def test_results_of_threads_that_append_at_once_are_all_kept(tmp_path):
    many = jobs("digits-label", systems=["VAE"], seeds=range(40))

    def work(some):
        for job in some:
            store.append(tmp_path / "x.jsonl", RESULT | {"job": job, "id": store.job_id(job)})

    threads = [threading.Thread(target=work, args=(many[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.missing(tmp_path / "x.jsonl", many) == []


def pretended(ran):
    """An executor that only notes the jobs."""

    def executor(some, work):
        for job in some:
            ran.append(job["seed"])
            yield job, RESULT | {"job": job, "id": store.job_id(job)}

    return executor


@POSIX
def test_two_runs_share_the_jobs(tmp_path):
    """Each takes what the other does not run; one that has nothing left waits for the other."""
    many = jobs("digits-label", systems=["VAE"], seeds=range(4))
    ran, path = [], tmp_path / "digits-label.jsonl"
    first = executors.shared(many, pretended(ran), tmp_path, tmp_path)
    next(first)
    second = executors.shared(many, pretended(ran), tmp_path, tmp_path)
    assert [job["seed"] for job, _ in (next(second), next(second))] == [1, 2]
    assert [job["seed"] for job, _ in (*first, *second)] == [3]
    assert ran == [0, 1, 2, 3]
    assert len(store.read(path)) == 4
    assert not list(tmp_path.glob("*.claim"))


@POSIX
def test_the_job_of_a_dead_run_is_taken_over(tmp_path, capfd):
    (job,) = many = jobs("digits-label", systems=["VAE"], seeds=[0])
    code = "import json, sys, time; from mmvae_edu.measure.tables import store\n"
    code += "claim = store.claim(sys.argv[1], json.loads(sys.argv[2])); print(flush=True)\n"
    code += "time.sleep(600)"
    command = [sys.executable, "-c", code, str(tmp_path), json.dumps(job)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert store.claim(tmp_path, job) is None
        threading.Timer(0.5, other.kill).start()
        ran = []
        assert len(list(executors.shared(many, pretended(ran), tmp_path, tmp_path))) == 1
    assert ran == [0]
    assert "waiting for another process, which runs 1 of the jobs" in capfd.readouterr().err


ODD = {
    "no numbers": RESULT | {"numbers": {}},
    "no date": {key: value for key, value in RESULT.items() if key != "date"},
    "a date that is none": RESULT | {"date": 3},
    "the id of another job": RESULT | {"id": "0123456789ab"},
    "an id that is a list": RESULT | {"id": ["0123456789ab"]},
    "another job": RESULT | {"job": JOB | {"seed": 7}},
    "a mean in words": RESULT | {"numbers": {"x": {"mean": "NaN", "error": 0.1}}},
    "a mean that is none": RESULT | {"numbers": {"x": {"mean": float("nan"), "error": 0.1}}},
    "an error in words": RESULT | {"numbers": {"x": {"mean": 0.1, "error": "0.1"}}},
    "no error": RESULT | {"numbers": {"x": {"mean": 0.1}}},
    "a part that is none": RESULT | {"numbers": {"x": {"mean": 0.1, "error": 0.1, "part": []}}},
    "numbers in a list": RESULT | {"numbers": [1.0]},
    "a list": [RESULT],
}


@pytest.mark.parametrize(
    "line", [*map(json.dumps, ODD.values()), "[" * 100_000], ids=[*ODD, "deep"]
)
def test_an_odd_row_of_results_is_one_sentence(line, tmp_path, capsys):
    store.append(tmp_path / "digits-label.jsonl", RESULT)
    with (tmp_path / "digits-label.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert cli.main(["reproduce", "digits-label", "--show", "--out", str(tmp_path)]) == 64
    error = capsys.readouterr().err
    assert error.endswith("jsonl: line 2 is not a result; delete it, and its job runs again\n")
    assert error.count("\n") == 1


def test_a_reason_that_all_jobs_share_is_said_once(tmp_path, capsys, monkeypatch):
    def no_data(job, *_):
        raise executors.JobFails("train-images is missing: `mmvae-edu data fetch mnist`")

    monkeypatch.setattr(executors, "in_a_process", no_data)
    command = ["reproduce", "mnist", "--seeds", "0", "1", "--out", str(tmp_path)]
    assert cli.main(command) == 1
    first, last = capsys.readouterr().err.splitlines()
    assert "seed 0: train-images is missing: `mmvae-edu data fetch mnist`" in first
    assert last.endswith("jobs failed, for nothing but what is said above")


# ---- the learner's folder -----------------------------------------------------------------------


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A folder of exercises in which nobody can write."""
    monkeypatch.chdir(tmp_path)
    progress.start(tmp_path / "mine")
    (tmp_path / "mine" / EXERCISE.stub.name).write_text("def vae_grad(g): return g.mean(0)\n")

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "_temporary", refused)
    return tmp_path / "mine"


def test_a_closed_folder_still_gets_its_verdict_and_its_hint(closed, capsys):
    assert cli.main(["check", "vae_grad"]) == 0
    out, error = capsys.readouterr()
    assert out.startswith("RIGHT  L17.vae_grad")
    unrecorded = (
        "progress was not recorded: .*progress.json: cannot write here .Permission denied.\n"
    )
    assert re.fullmatch(unrecorded, error)
    assert cli.main(["hint", "vae_grad", "1"]) == 0
    assert re.fullmatch(unrecorded, capsys.readouterr().err)
    assert cli.main(["status"]) == 0


@pytest.mark.parametrize("command", ["reset vae_grad", "reset --all", "start other"])
def test_a_closed_folder_is_said_with_the_files_name(command, closed, capsys):
    content = {path.name: path.read_bytes() for path in closed.iterdir()}
    assert cli.main(command.split()) == 64
    error = capsys.readouterr().err
    assert re.fullmatch(r"mmvae-edu: .*\.\w+: cannot write here \(Permission denied\)\n", error)
    assert {path.name: path.read_bytes() for path in closed.iterdir()} == content


@pytest.mark.parametrize("command", ["status", "check vae_grad", "hint vae_grad", "reset --all"])
def test_progress_that_cannot_be_read_is_said_with_its_name(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress.start(tmp_path / "mine")
    real = Path.read_bytes

    def closed(path):
        if path.name == progress.FILE:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", closed)
    assert cli.main(command.split()) == (2 if command.startswith("check") else 64)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("mmvae_edu_progress.json: cannot read it (Permission denied)")
