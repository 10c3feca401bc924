"""The benchmark runs, without its peers, and counts what must move."""

import pytest
from rich.console import Console

from mmvae_edu.bench import environment
from mmvae_edu.bench.kernels import SIZES, make_kernel, traffic
from mmvae_edu.bench.steps import bench_steps, step_table


@pytest.mark.slow
def test_a_step_is_timed_beside_its_products():
    (row,) = bench_steps(cases=[("MVAE", 1)], rounds=1, peers=False)
    assert row.milliseconds["ours"] > 0
    assert row.peak["ours"] > 10
    step_table([row]).show(Console(width=120))


@pytest.mark.parametrize("kernel", SIZES)
def test_every_kernel_can_be_called(kernel):
    size = {name: min(n, 32) for name, n in SIZES[kernel].items()}
    for name in "ours", "reference":
        run, wait = make_kernel(name, kernel, size, 1, "cpu")
        run()
        wait()


def test_traffic_counts_each_number_once():
    assert traffic("adam_step", {"size": 10}) == 4 * 70  # four read, three written
    assert traffic("importance_weights", {"N": 3, "K": 5}) == 4 * (15 + 15 + 3)


def test_the_environment_says_what_a_number_depends_on():
    found = environment("cpu", 2)
    assert found["threads"] == 2
    assert {"date", "device", "numpy", "command"} <= set(found)
