"""Faults injected at random, counted: `MMVAE_FAULTS=full python -m pytest -m faults`.

Each test prints one line of counts and fails where a fault passed unseen.  Without MMVAE_FAULTS
it injects a few hundred, which takes seconds.  Every kind of fault has a section here.
"""

import io
import os
import random
import struct
import zipfile
from collections import Counter

import numpy as np
import pytest

from mmvae_edu.data.formats import parse_idx
from mmvae_edu.likelihoods import Bernoulli
from mmvae_edu.models import VAE
from mmvae_edu.support import checkpoints, files

pytestmark = pytest.mark.faults
FULL = os.environ.get("MMVAE_FAULTS") == "full"


def inject(faults, say, what):
    """Call each fault, count what follows and print the counts.

    A fault is a function that returns whether all is as without it; what it raises is a sentence,
    that is a ValueError of one line, or a traceback.
    """
    counts = Counter()
    for fault in faults:
        try:
            counts[
                "loaded with the same arrays" if fault() else "loaded with different arrays"
            ] += 1
        except ValueError as problem:
            counts["refused" if str(problem).startswith("x: ") else "tracebacks"] += 1
        except Exception:  # what is counted is that it is no sentence
            counts["tracebacks"] += 1
    kinds = "refused", "loaded with the same arrays", "loaded with different arrays", "tracebacks"
    line = ", ".join(f"{kind} {counts[kind]}" for kind in kinds)
    with say.disabled():
        print(f"\n{what}: tried {counts.total()}, {line}")
    return counts


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
    monkeypatch.setattr(files, "open", lambda *_: io.BytesIO(content), raising=False)
    monkeypatch.setattr(files, "_mode", lambda *_: "regular")
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
