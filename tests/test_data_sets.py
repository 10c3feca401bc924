"""The larger data sets: their formats, their files in the cache, and their pairs."""

import gzip
import http.server
import importlib.util
import math
import shutil
import struct
import threading
from dataclasses import replace
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
from scipy.io import savemat

from mmvae_edu import cli
from mmvae_edu.data import fetch, files, formats, sets
from mmvae_edu.data.attributes import FROM_LABEL, measured
from mmvae_edu.data.files import File, accept, content, state
from mmvae_edu.data.formats import parse_idx, parse_svhn
from mmvae_edu.data.sets import load, pair_by_class
from mmvae_edu.support import clones

TRAIN, TEST = 60, 20  # examples of the small files that stand in for the real ones


def idx(array):
    """The bytes of an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def mat(path, **fields):
    savemat(path, fields)
    return path.read_bytes()


def digits(seed, n):
    rng = np.random.default_rng(seed)
    label = np.concatenate([np.arange(10), rng.integers(10, size=n - 10)]).astype(np.uint8)
    return rng.integers(256, size=(n, 28, 28), dtype=np.uint8), label


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of small files in the real formats, gzipped, and FILES that expect just these."""
    monkeypatch.setenv("MMVAE_EDU_DATA", str(tmp_path / "cache"))
    expected = {}
    for seed, source in enumerate(("mnist", "fashion-mnist")):
        (x, y), (x_test, y_test) = digits(seed, TRAIN), digits(seed + 9, TEST)
        contents = map(idx, (x, y, x_test, y_test))
        expected[source] = _offered(tmp_path / source, files.FILES[source], contents)
    rng = np.random.default_rng(3)
    parts = []
    for n in TRAIN, TEST:
        X = rng.integers(256, size=(32, 32, 3, n), dtype=np.uint8)
        parts.append(mat(tmp_path / "svhn.mat", X=X, y=np.arange(n)[:, None] % 10 + 1))
    expected["svhn"] = _offered(tmp_path / "svhn", files.FILES["svhn"], parts)
    monkeypatch.setattr(files, "FILES", expected)
    monkeypatch.setattr(fetch, "FILES", expected)
    monkeypatch.setattr(sets, "FILES", expected)
    monkeypatch.setattr("mmvae_edu.cli.data.FILES", expected)
    return tmp_path


def _offered(folder, real, contents):
    folder.mkdir()
    small = []
    for file, raw in zip(real, contents, strict=True):
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(raw))
        small.append(replace(file, size=len(raw), sha256=sha256(raw).hexdigest()))
    return tuple(small)


@pytest.fixture
def imported(sources):
    for source in files.FILES:
        fetch.import_from(source, sources / source)
    return sources


# ---- formats ------------------------------------------------------------------------------------


def test_idx_is_read_as_written():
    images, label = digits(0, 12)
    np.testing.assert_array_equal(parse_idx(idx(images), "x"), images)
    np.testing.assert_array_equal(parse_idx(idx(label), "y"), label)


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[:-1], lambda b: b + b"0", lambda b: b[:6], lambda b: b"", lambda b: b"PK" + b],
)
def test_a_spoilt_idx_is_refused(spoil):
    with pytest.raises(ValueError, match="train: "):
        parse_idx(spoil(idx(digits(0, 12)[0])), "train")


def test_svhn_moves_its_axes_and_writes_ten_as_zero(tmp_path):
    X = np.random.default_rng(0).integers(256, size=(32, 32, 3, 4), dtype=np.uint8)
    x, label = parse_svhn(mat(tmp_path / "a.mat", X=X, y=[[1], [10], [9], [5]]), "a.mat")
    np.testing.assert_array_equal(x[2], X[..., 2])
    assert label.tolist() == [1, 0, 9, 5]


@pytest.mark.parametrize("shape", [(1,) * 65, (0, 2**32 - 1, 2**32 - 1, 2**32 - 1)])
def test_a_shape_that_no_array_has_is_refused(shape):
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    with pytest.raises(ValueError, match="train: its header says .*: no array has that shape"):
        parse_idx(header + b"x" * math.prod(shape), "train")


def test_a_mat_file_that_crashes_its_parser_is_refused(monkeypatch):
    crash = clones.python("import os; os.abort()")
    monkeypatch.setattr(formats, "python", lambda code: crash)
    with pytest.raises(ValueError, match="a.mat: not a whole .mat file"):
        parse_svhn(b"", "a.mat")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"X": np.zeros((32, 32, 3, 4), np.uint8)}, "no field y"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.ones((3, 1))}, "3 labels"),
        ({"X": np.zeros((32, 32, 3, 1), np.uint8), "y": np.zeros((1, 1))}, "labels other than"),
        ({"X": np.zeros((32, 32, 3, 1)), "y": np.ones((1, 1))}, "X of type float64"),
    ],
)
def test_a_wrong_mat_file_is_refused(tmp_path, fields, says):
    with pytest.raises(ValueError, match=says):
        parse_svhn(mat(tmp_path / "a.mat", **fields), "a.mat")
    with pytest.raises(ValueError, match="not a whole .mat file"):
        parse_svhn(b"MATLAB 5.0", "a.mat")


# ---- the cache ----------------------------------------------------------------------------------


def test_import_verifies_and_the_second_call_has_nothing_to_do(sources):
    assert len(fetch.import_from("mnist", sources / "mnist")) == 4
    assert fetch.import_from("mnist", sources / "mnist") == []
    first = files.FILES["mnist"][0]
    assert content(first)[:3] == b"\0\0\x08"
    first.path.write_bytes(first.path.read_bytes()[:-1])
    assert state(first) == "damaged"
    with pytest.raises(ValueError, match="damaged or altered"):
        content(first)
    assert fetch.import_from("mnist", sources / "mnist") == [first.path]
    tampered = bytearray(first.path.read_bytes())
    tampered[-1] ^= 1
    first.path.write_bytes(tampered)
    assert (state(first), state(first, thorough=True)) == ("there", "damaged")


def test_another_sets_files_are_named(sources):
    with pytest.raises(ValueError, match="it is mnist's train-images"):
        fetch.import_from("fashion-mnist", sources / "mnist")
    with pytest.raises(ValueError, match="no train_32x32.mat or"):
        fetch.import_from("svhn", sources / "mnist")
    with pytest.raises(ValueError, match="no such folder"):
        fetch.import_from("svhn", sources / "nowhere")
    with pytest.raises(ValueError, match="gz: is a file: name its folder"):
        fetch.import_from("mnist", next((sources / "mnist").glob("*.gz")))
    assert not list((sources / "cache").rglob("*.part"))


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b[:40] + b"x" + b[41:]])
def test_a_damaged_gzip_leaves_nothing(sources, spoil):
    file = files.FILES["mnist"][0]
    path = sources / "mnist" / f"{file.name}.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match="truncated|altered"):
        accept(path, file)
    assert list((sources / "cache").rglob("*")) == [file.path.parent]


def test_a_disk_that_fills_leaves_nothing(sources, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    (sources / "mnist" / "another").mkdir()
    first = f"{files.FILES['mnist'][0].name}.gz"
    shutil.copy(sources / "mnist" / first, sources / "mnist" / "another")
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(ValueError, match="No space left on device") as error:
        fetch.import_from("mnist", sources / "mnist")
    assert str(error.value).count("No space") == 1  # the second candidate is not tried
    assert list((sources / "cache").rglob("*")) == [sources / "cache" / "mnist"]


def test_import_keeps_what_it_finds_and_names_all_that_is_not_there(sources):
    images, label, *rest = files.FILES["mnist"]
    (sources / "mnist" / f"{images.name}.gz").unlink()
    (sources / "mnist" / f"{label.name}.gz").write_bytes(b"another page")
    with pytest.raises(ValueError, match=f"no {images.name} or") as error:
        fetch.import_from("mnist", sources / "mnist")
    assert f"is not mnist's {label.name}: truncated or altered" in str(error.value)
    for file in images, label:
        assert f"get it from {file.urls[0].format(file.name)}" in str(error.value)
    assert [state(file) for file in files.FILES["mnist"]] == [
        "missing",
        "missing",
        "there",
        "there",
    ]
    mode = rest[0].path.stat().st_mode
    (sources / "plain").touch()
    assert mode == (sources / "plain").stat().st_mode  # others may read a shared cache


def test_import_knows_files_with_a_dot_in_their_name(sources):
    for path in (sources / "mnist").iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(fetch.import_from("mnist", sources / "mnist")) == 4


def test_a_pair_takes_what_is_there_of_either(sources, capsys):
    folder = str(sources / "fashion-mnist")
    assert cli.main(["data", "import", "mnist-fashion", "--from", folder]) == 64
    output = capsys.readouterr()
    assert output.out == "fashion-mnist: 4 new files, verified\n"
    assert output.err.count("it is fashion-mnist's") == output.err.count("\n") == 4


def test_a_cache_that_cannot_be_read_is_said_file_by_file(imported, monkeypatch, capsys):
    def closed(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.Path, "stat", closed)
    assert cli.main(["data", "check"]) == 1
    assert capsys.readouterr().out.count("closed ") == 10


def test_the_cache_may_be_below_the_home_folder(monkeypatch):
    monkeypatch.setenv("MMVAE_EDU_DATA", "~/data")
    assert files.cache() == files.Path.home() / "data"


def test_a_source_that_cannot_be_read_is_named(sources, monkeypatch):
    def closed(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.gzip, "open", closed)
    path = sources / "mnist" / f"{files.FILES['mnist'][0].name}.gz"
    with pytest.raises(ValueError, match=f"{path}: cannot read it: Permission denied"):
        accept(path, files.FILES["mnist"][0])


@pytest.fixture
def server(sources):
    """An address that offers the folder, and a list of what it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if not self.path.startswith("/breaks"):
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")

        def log_message(self, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(sources))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetch_downloads_what_is_missing_from_the_first_address_that_works(
    sources, server, monkeypatch
):
    pytest.importorskip("pooch")
    base, asked = server
    urls = f"{base}/gone/{{}}.gz", f"{base}/mnist/{{}}.gz"
    small = tuple(replace(file, urls=urls) for file in files.FILES["mnist"])
    monkeypatch.setitem(files.FILES, "mnist", small)
    assert len(fetch.fetch("mnist", progress=False)) == 4
    small[1].path.unlink()
    asked.clear()
    assert fetch.fetch("mnist", progress=True) == [small[1].path]
    assert {path.rpartition("/")[2] for path in asked} == {f"{small[1].name}.gz"}


def test_a_failed_fetch_says_what_to_do(sources, server, monkeypatch):
    pytest.importorskip("pooch")
    urls = (
        f"{server[0]}/gone/{{}}.gz",
        "http://127.0.0.1:9/{}",
        f"{server[0]}/fashion-mnist/{{}}.gz",
        f"{server[0]}/breaks/{{}}.gz",
    )
    small = (replace(files.FILES["mnist"][0], urls=urls),)
    monkeypatch.setitem(files.FILES, "mnist", small)
    with pytest.raises(
        ValueError,
        match="answers 404.*no answer.*it is fashion.*broke in the middle.*data import mnist",
    ):
        fetch.fetch("mnist", progress=False)
    assert list((sources / "cache").rglob("*")) == [small[0].path.parent]


def test_a_download_says_once_what_no_other_address_can_mend(sources, server, monkeypatch):
    pytest.importorskip("pooch")
    urls = (f"{server[0]}/mnist/{{}}.gz",) * 2
    small = tuple(replace(file, urls=urls) for file in files.FILES["mnist"])
    monkeypatch.setitem(files.FILES, "mnist", small)
    (sources / "cache").write_text("a file where the folder should be")
    with pytest.raises(
        ValueError, match=r"mnist: cannot write here \(Not a directory\); mend that"
    ):
        fetch.fetch("mnist", progress=False)
    assert server[1] == []
    monkeypatch.setattr(importlib.util, "find_spec", {}.get)
    with pytest.raises(ValueError, match=r"^a download needs pooch: `pip install [^;]*$"):
        fetch.fetch("mnist", progress=False)


# ---- the sets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sets.SETS)
def test_every_set_has_whole_splits(imported, name):
    data = load(name, validation=30, pairs=2)
    for split in data.train, data.validation, data.test:
        n = len(split.label)
        assert n > 0
        for modality, x in split.x.items():
            rows = slice(None) if split.rows is None else split.rows[modality]
            assert len(x[rows]) == n
            assert (x.dtype, x.min() >= 0, x.max() <= 1) == (np.float32, True, True)
    assert all(len(x) for x in load(name, validation=0).train.x.values())


def test_pairs_share_their_class_and_every_image_its_turn(imported):
    data = load("mnist-svhn", validation=30, pairs=3)
    for split, repeats in (data.train, 3), (data.test, 1):
        shown = []
        for source, n in ("mnist", split), ("svhn", split):
            own = sets._views(source, 30, np.float32)[0 if repeats == 3 else 2]
            np.testing.assert_array_equal(own[0], split.x[source])
            np.testing.assert_array_equal(own[1][n.rows[source]], split.label)
            shown.append(np.bincount(n.rows[source]))
        assert set(shown[0][shown[0] > 0]) == {repeats}


def test_pairing_is_limited_and_ignores_a_class_of_one_side():
    rng = np.random.default_rng(0)
    first, second = pair_by_class(
        np.array([0, 0, 0, 1, 1, 2]), np.array([1, 0, 0, 0, 0]), 2, rng, limit=2
    )
    assert sorted(first.tolist()) == [0, 0, 1, 1, 3, 3]
    assert sorted(second.tolist()) == [0, 0, 1, 1, 2, 2]


def test_binary_draws_are_fixed_outside_training(imported):
    one, two = load("binary-mnist", validation=30), load("binary-mnist", validation=30)
    grey = load("mnist", validation=30)
    np.testing.assert_array_equal(one.test.x["image"], two.test.x["image"])
    assert set(np.unique(one.test.x["image"])) == {0.0, 1.0}
    np.testing.assert_array_equal(one.train.x["image"], grey.train.x["image"])
    x = grey.test.x["image"].astype(np.float64)
    z = (one.test.x["image"].sum() - x.sum()) / np.sqrt((x * (1 - x)).sum())
    assert abs(z) < 4


def test_attributes_are_what_their_page_says(imported):
    data = load("mnist-attributes", validation=30)
    assert len(data.train.x) == 19
    for name, members in FROM_LABEL.items():
        np.testing.assert_array_equal(data.test.x[name][:, 0], np.isin(data.test.label, members))
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 3, 20] = image[0, 4, 20] = 1  # two pixels, one above the other, top right
    found = {name: float(value[0]) for name, value in measured(image.reshape(1, 784)).items()}
    assert found["ink"] == pytest.approx(2 / 784)
    assert (found["tall"], found["wide"], found["slanted"]) == pytest.approx((0.25, 0, 0), abs=1e-4)
    assert [found[name] for name in ("top", "left", "corner", "centre", "symmetric")] == [
        1,
        0,
        1,
        0,
        0,
    ]
    assert (found["edges"], found["lines"], found["peak"]) == pytest.approx((2, 1, 0.5))
    for name in found:
        share = data.train.x[name].mean()
        assert 0.3 < share <= 0.5, name


def test_attributes_together_are_the_same_in_the_same_order(imported):
    each = load("mnist-attributes", validation=30)
    both = load("mnist-attributes", validation=30, together=True)
    for one, other in zip((each.train, each.test), (both.train, both.test), strict=True):
        image, *attributes = one.x
        assert list(other.x) == [image, "attributes"]
        np.testing.assert_array_equal(other.x[image], one.x[image])
        for column, name in zip(other.x["attributes"].T, attributes, strict=True):
            np.testing.assert_array_equal(column, one.x[name][:, 0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "cifar"}, "no data set 'cifar'"),
        ({"name": "mnist", "pairs": 0}, "at least 1, found 0"),
        ({"name": "mnist", "validation": 99}, "0 to 59 rows, found 99"),
        ({"name": "mnist", "validation": 0.1}, "0 to 59 rows, found 0.1"),
    ],
)
def test_unknown_names_and_counts(imported, arguments, says):
    with pytest.raises(ValueError, match=says):
        load(**arguments)


def test_images_and_labels_of_different_counts(imported, monkeypatch):
    first = files.FILES["mnist"][1]
    raw = idx(np.zeros(TRAIN - 1, np.uint8))
    first.path.write_bytes(raw)
    changed = File(first.folder, first.name, len(raw), sha256(raw).hexdigest(), ())
    monkeypatch.setitem(
        files.FILES, "mnist", (files.FILES["mnist"][0], changed, *files.FILES["mnist"][2:])
    )
    with pytest.raises(ValueError, match="60 images and 59 labels"):
        load("mnist", validation=0)


# ---- the command --------------------------------------------------------------------------------


def test_the_verbs(sources, capsys):
    assert cli.main(["data", "import", "mnist", "--from", str(sources / "mnist")]) == 0
    assert cli.main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert "mnist: 4 new files" in out
    assert "mnist-svhn        4 of 6 files" in out
    assert cli.main(["data", "check"]) == 0
    files.FILES["mnist"][2].path.write_bytes(b"")
    assert cli.main(["data", "check"]) == 1
    assert cli.main(["data", "fetch", "cifar"]) == 64
    with pytest.raises(ValueError, match="data fetch mnist"):
        load("mnist")
    assert "damaged" in capsys.readouterr().out
