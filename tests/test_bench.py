"""The benchmark runs, without its peers, counts what must move, and says what failed."""

import json
import os
import re
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from mmvae_edu.kernels import numba_cpu
from mmvae_edu.kernels.table import TABLE
from rich.console import Console

from mmvae_edu.measure import speed
from mmvae_edu.measure.speed import growth, roof, turns
from mmvae_edu.measure.speed.epoch import PEERS as EPOCH_PEERS
from mmvae_edu.measure.speed.epoch import bench_epoch, epoch_table, make_epoch
from mmvae_edu.measure.speed.evaluation import bench_evaluation, decoder_products, evaluation_table
from mmvae_edu.measure.speed.kernels import bench_kernel, kernel_table, make_kernel, traffic
from mmvae_edu.measure.speed.steps import (  # fmt: skip
    BATCH,
    bench_step,
    mnist_model,
    our_step,
    products_of,
    step_table,
)
from mmvae_edu.measure.speed.turns import (  # fmt: skip
    LEAST,
    MOST,
    Contender,
    Turns,
    Worker,
    interleaved,
    kernel_milliseconds,
    library_threads,
    milliseconds,
    peak_memory,
    time_all,
)


def nothing():
    """What takes no time."""


def shown(table, width=80):
    console = Console(width=width)
    with console.capture() as capture:
        table.show(console)
    return capture.get()


@pytest.mark.slow
def test_a_step_is_timed_beside_its_products():
    row = bench_step("MVAE", 1, rounds=1, peers=False)
    assert row["turns"]["ours"].milliseconds > 0
    assert row["turns"]["ours"].peak > 10
    text = shown(step_table(**row))
    assert "products" in text
    assert "failed" not in text


@pytest.mark.slow
def test_an_epoch_is_timed():
    row = bench_epoch(examples=150, rounds=1, peers=False)
    assert row["turns"]["ours"].milliseconds > 0
    assert "failed" not in shown(epoch_table(**row))


@pytest.mark.slow
@pytest.mark.parametrize("name", EPOCH_PEERS)
def test_the_peers_epoch_runs(name):
    pytest.importorskip("torch")
    assert milliseconds(make_epoch(name, 150, 1)) > 0


@pytest.mark.slow
def test_the_estimator_is_timed_beside_the_products_of_its_decoders():
    row = bench_evaluation(examples=2, K=50, rounds=1)
    text = shown(evaluation_table(**row))
    assert "products" in text
    assert "failed" not in text
    assert all(turn.milliseconds > 0 for turn in row["turns"].values())


@pytest.mark.slow
def test_a_kernel_is_timed_beside_a_copy_of_as_many_bytes():
    rows = bench_kernel("bias_swish", rounds=1, peers=False, scales={"small": 1 / 64})
    text = shown(kernel_table(rows))
    assert "%" in text
    assert "failed" not in text
    assert set(rows[0]["turns"]) == {"ours", "copy", "reference"}
    assert all(turn.peak > 10 for turn in rows[0]["turns"].values())


@pytest.mark.parametrize("kernel", TABLE)
def test_every_kernel_can_be_called(kernel):
    size = {name: min(n, 32) for name, n in TABLE[kernel].sizes.items()}
    for name in "ours", "copy", "reference":
        assert milliseconds(make_kernel(name, kernel, size, 1, "cpu")) >= 0


def test_traffic_counts_each_number_once():
    assert traffic("adam_step", {"size": 10}) == 4 * 70  # four read, three written
    assert traffic("importance_weights", {"N": 3, "K": 5}) == 4 * (15 + 15 + 3)


@pytest.fixture
def counted(monkeypatch):
    """The multiply-adds of each product from here on."""
    counted = []

    def counting(a, b, out=None):
        counted.append(a.shape[0] * a.shape[1] * b.shape[1])
        return np.matmul(a, b, out=out)

    monkeypatch.setattr(numba_cpu.unchecked, "matmul", counting)
    return counted


def test_products_are_those_of_a_step(counted):
    """MVAE's multiply-adds: encoders on one row an example or class, decoders on two samples."""
    model, theta, _ = mnist_model("MVAE")
    products_of(model, theta, 1)()
    rest = 512 * 512 + 512 * 128
    image = BATCH * (2 * 784 * 512 + 3 * rest)  # no gradient by the data
    label = 10 * (2 * 10 * 512 + 3 * rest) + 2 * BATCH * 10 * 128  # each row picks its class
    decoders = 2 * (64 * 512 + 2 * 512 * 512) + 512 * 784 + 512 * 10
    assert sum(counted) == image + label + 3 * BATCH * 2 * decoders


def test_and_those_that_a_step_has(counted, monkeypatch):
    """The trainer's own step multiplies as often, and as much."""
    for system, K in ("MVAE", 1), ("MMVAE", 3):
        model, theta, x = mnist_model(system)
        eps = model.draw_noise(np.random.default_rng(1), BATCH, K)["eps"]
        products_of(model, theta, K)()
        products, counted[:] = sorted(counted), []
        our_step(model, theta, x, eps)()
        assert sorted(counted) == products
        counted.clear()


@pytest.mark.parametrize("rows", [30, 5010])
def test_products_are_those_of_the_decoders(counted, rows):
    model, theta, _ = mnist_model("MVAE")
    decoder_products(model, theta, rows)()
    assert sum(counted) == rows * (2 * (64 * 512 + 2 * 512 * 512) + 512 * 784 + 512 * 10)


# ---- turns ----


def test_a_turn_has_more_of_the_short_runs():
    contender = Contender()
    for run, runs in ((lambda: time.sleep(0.06)), LEAST), (nothing, MOST):
        contender.run = run
        assert len(contender.turn()) == runs


@pytest.fixture
def workers():
    found = {}
    yield found
    for worker in found.values():
        worker.leave()


def test_a_worker_works_again_and_a_new_one_takes_the_place_of_one_that_failed(workers):
    workers |= {"a": Worker(), "b": Worker()}
    first = {name: worker.process.pid for name, worker in workers.items()}
    found = interleaved(workers, make_contender, {"a": ("well",), "b": ("run",)}, 1)
    assert [turn.problem for turn in found.values()] == [None, "ArithmeticError: halfway"]
    found = interleaved(workers, make_contender, {"a": ("well",), "b": ("well",)}, 1)
    assert [turn.problem for turn in found.values()] == [None, None]
    again = {name: worker.process.pid for name, worker in workers.items()}
    assert again["a"] == first["a"]
    assert again["b"] != first["b"]


def test_a_worker_that_is_killed_between_turns_is_one_that_failed(workers):
    workers["a"] = Worker()
    interleaved(workers, make_contender, {"a": ("well",)}, 1)
    workers["a"].process.kill()
    workers["a"].process.join()
    assert workers["a"].turns().problem == "its process ended with code -9"
    (found,) = interleaved(workers, make_contender, {"a": ("well",)}, 1).values()
    assert found.problem is None


def test_growth_says_what_failed_and_is_json():
    found = {n: Turns(2.0 * n, 9.0) for n in (1, 2, 4)} | {8: Turns(problem="no memory")}
    row = {"size": "N", "turns": found}
    assert "8: failed" in shown(growth.growth_table([row]))
    text = json.dumps(row, default=speed.without_nan, allow_nan=False)
    assert json.loads(text)["turns"]["8"] == {
        "milliseconds": None,
        "peak": None,
        "problem": "no memory",
    }
    steady = {1: Turns(2.0), 2: Turns(4.0), 4: Turns(16.0)}
    assert growth.slope(steady) == pytest.approx(2)


OPERATIONS = {  # of a formula, by hand, for the numbers of its largest array
    "adam_step": 3 + 4 + 3 + 3,  # m, v, the denominator, theta
    "bias_activation_vjp": 2,  # a product, and a sum over N
    "binomial_log_prob_vjp": 7,  # −a, exp, 1 +, the quotient, n ·, x −, dlog_p ·
}
NUMBERS = {"adam_step": 7, "bias_activation_vjp": 3, "binomial_log_prob_vjp": 3}  # that must move


@pytest.mark.parametrize("kernel", OPERATIONS)
def test_operations_of_a_formula_are_counted(kernel):
    by_hand = OPERATIONS[kernel] / NUMBERS[kernel] / 4
    assert roof.intensity(kernel) == pytest.approx(by_hand, rel=2e-3)  # but for b(H), dlog_p(N)


def test_the_roof_is_the_lower_of_two():
    turns = {"update": Turns(1000), "product": Turns(1000), "low": Turns(1000), "high": Turns(2000)}
    moved = {"update": 4e9, "product": 4e9, "low": 2e9, "high": 1e9}
    operations = {"update": 0, "product": 20e9, "low": 4e9, "high": 10e9}
    text = shown(roof.roof_table(moved, operations, turns))
    assert "fewer than 5.0 operations a byte" in text
    assert re.search(r"low +2.00 +2.0 +4.0 +50%", text)  # of 4 GB/s · 2 operations a byte
    assert re.search(r"high +10.00 +0.5 +5.0 +25%", text)  # of 20e9 operations a second
    assert "failed" in shown(roof.roof_table(moved, operations, turns | {"low": Turns()}))
    text = shown(roof.roof_table(moved, operations, turns | {"low": Turns(250)}))
    assert re.search(r"low +2.00 +8.0 +16.0 +100%", text)  # which memory has thus been seen to do


@pytest.mark.slow
def test_the_roof_is_measured(monkeypatch):
    monkeypatch.setattr(roof, "TABLE", {"bias_swish": TABLE["bias_swish"]})
    text = shown(roof.roof_table(**roof.bench_roof(rounds=1, scale=1 / 64)))
    assert "bias_swish" in text
    assert "failed" not in text


# ---- on a GPU, whose part is played ----


class PlayedGpu:
    """What the benchmark asks of CuPy: a clock that every run moves by 2 ms, and 1000 MB free."""

    def __init__(self):
        self.now, self.free, self.stamps = 0.0, 1000 * 2**20, []
        self.cuda = SimpleNamespace(
            Event=lambda: SimpleNamespace(record=self.stamp, synchronize=nothing),
            get_elapsed_time=lambda start, end: self.stamps[-1] - self.stamps[-2],
            Device=lambda: SimpleNamespace(synchronize=nothing),
            runtime=SimpleNamespace(memGetInfo=lambda: (self.free, 2**40)),
        )

    def stamp(self):
        self.stamps.append(self.now)

    def get_default_memory_pool(self):
        return SimpleNamespace(free_all_blocks=nothing)

    def zeros(self, size, dtype):
        return SimpleNamespace(max=self.run)

    def run(self, *_):
        self.now += 2


@pytest.fixture
def played(monkeypatch):
    gpu = PlayedGpu()
    monkeypatch.setattr(turns, "namespace", lambda device: gpu)
    turns._flush.cache_clear()
    yield gpu
    turns._flush.cache_clear()


def test_a_kernel_is_timed_by_events_without_what_empties_the_cache(played):
    assert kernel_milliseconds(played.run) == 2
    assert played.now == 4


@pytest.mark.usefixtures("played")
def test_a_step_is_timed_in_a_series():
    steps = []
    assert turns.step_milliseconds(lambda: steps.append(time.sleep(0.004))) >= 4
    assert len(steps) > 1


def test_contenders_on_a_gpu_take_turns_here_and_say_what_failed(played):
    def make(behaviour):
        played.free -= 3 * 2**20
        if behaviour == "set up":
            raise ValueError("no compiler\nand a traceback")
        runs = []

        def run():
            runs.append(played.run())
            if behaviour == "later" and len(runs) > 4:
                raise ArithmeticError("halfway")

        return run

    case = {behaviour: (behaviour,) for behaviour in ("well", "set up", "later")}
    options = {"threads": 1, "device": "cuda", "gpu_clock": kernel_milliseconds}
    first, *others = time_all(make, [case], 2, **options)[0].values()
    assert first == Turns(2.0, 3.0)
    assert [turn.problem for turn in others] == [
        "ValueError: no compiler",
        "ArithmeticError: halfway",
    ]


# ---- contenders that fail ----


def make_contender(behaviour):
    if behaviour == "set up":
        raise ValueError("no compiler\nand a traceback")

    def run():
        if behaviour == "run":
            raise ArithmeticError("halfway")
        if behaviour == "die":
            os._exit(3)

    return run


def test_a_contender_that_fails_says_why_and_the_others_go_on():
    behaviours = ["well", "set up", "run", "die"]
    (found,) = time_all(make_contender, [{b: (b,) for b in behaviours}], 1, threads=1)
    assert [turn.problem for turn in found.values()] == [
        None,
        "ValueError: no compiler",
        "ArithmeticError: halfway",
        "its process ended with code 3",
    ]
    assert found["well"].milliseconds >= 0
    console = Console(width=80)
    with console.capture() as capture:
        speed.show(console, growth.Table("", [], []), [{"turns": found}], "here")
    assert "here, set up: ValueError: no compiler" in capture.get()


def make_thread_count():
    assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "3"
    return nothing


def test_contenders_get_the_threads_asked_for(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    (found,) = time_all(make_thread_count, [{"ours": ()}], 1, threads=3)
    assert found["ours"].problem is None
    with library_threads(2):
        assert os.environ["NUMBA_NUM_THREADS"] == "2"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "NUMBA_NUM_THREADS" not in os.environ


# ---- what is written ----


def test_the_environment_says_what_a_number_depends_on():
    found = speed.environment("cpu", 2)
    assert found["threads"] == 2
    assert {"date", "device", "numpy", "command"} <= set(found)


def test_a_system_that_does_not_say_its_peak_has_none_in_the_table(monkeypatch):
    assert peak_memory() > 10
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    text = shown(step_table("MVAE", 1, {"ours": Turns(2.0, peak_memory())}))
    assert text.splitlines()[-1].split() == ["ours", "2.0", "1.00×", "-"]


def test_results_are_written_whole_as_json(tmp_path):
    path = tmp_path / "bench.json"
    speed.bench(Console(width=80, quiet=True), parts=(), out=path)
    assert json.loads(path.read_text())["environment"]["threads"] == 2
    assert [each.name for each in tmp_path.iterdir()] == ["bench.json"]
