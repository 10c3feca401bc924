"""Lesson 25's exercises: the sentence on an answer whose values are right and whose cost is not.

The answers stand in `students/answers`, where `test_student_answers` checks all of them.
"""

import re

import numpy as np
import pytest
from mmvae_edu.kernels.simulator import OtherMethod, edited, examples_of_warps
from test_student_answers import answers

from mmvae_edu.claims import warps

CLAIMS = {
    "sample_kernel": warps.a_warp_draws_neighbours,
    "transpose_kernel": warps.a_tile_turns_columns_into_rows,
    "row_sum_kernel": warps.a_tree_keeps_its_warps_whole,
    "distance_kernel": warps.warps_add_up_by_shuffles,
}
SENTENCES = {
    "sample_kernel, a piece a thread":
        r"line \d+ reads 29 sectors of mu a warp access, where 3.6 hold its bytes",
    "sample_kernel, four at once":
        r"line \d+ reads 15 sectors of mu a warp access, where 3.6 hold its bytes",
    "sample_kernel, the mean is overwritten": r"line \d+ writes mu\[0\], but line \d+ reads what "
        r"mu held before the launch: an array is an input or an output, not both",
    "sample_kernel, a thread of each block works": r"thread 0 of block 0 writes 291 elements of z, "
        r"where its share is 10",
    "transpose_kernel, no padding":
        r"line \d+ reads tile in 18 passes of shared memory a warp access, where 1 would do",
    "transpose_kernel, no tile":
        r"line \d+ writes 12 sectors of y a warp access, where 1.5 hold its bytes",
    "row_sum_kernel, interleaved": r"32 threads in 2 warps run line \d+ together, where 1 would "
        r"hold them",
    "row_sum_kernel, strided places":
        r"line \d+ reads s in 1\.\d+ passes of shared memory a warp access, where 1 would do",
    "row_sum_kernel, thread 0 adds": r"thread 0 of block 0 reads 63 numbers that others left in "
        r"shared memory, where a tree over 64 threads needs at most 8",
    "row_sum_kernel, every thread adds in every step": r"the threads of block 0 put 384 sums into "
        r"shared memory, where a tree has 63",
    "row_sum_kernel, an atomic for all":
        r"line \d+ updates whole in 28 passes of shared memory a warp access, where 1 would do",
    "distance_kernel, a tree for all": r"no value goes from lane to lane by a shuffle",
    "distance_kernel, shuffles at the end only": r"warp 1 of block 0 leaves 32 numbers in shared "
        r"memory, where one holds its sum",
    "distance_kernel, half a warp leaves a number": r"warp 1 of block 0 leaves 2 numbers in shared "
        r"memory, where one holds its sum",
    "distance_kernel, a shuffle for each other lane": r"thread 0 of block 0 takes part in 31 "
        r"shuffles, where 5 add up what 32 lanes have",
}  # fmt: skip


def said_of(kernel, name):
    """Return what the claim says of a kernel in place of the library's; "" if it holds."""
    try:
        lhs, rhs = CLAIMS[name](kernel, np.random.default_rng(0))
    except OtherMethod as fault:
        return str(fault)
    np.testing.assert_array_equal(lhs, rhs)
    return ""


@pytest.mark.parametrize("name", SENTENCES)
def test_a_costly_answer_gets_one_sentence(name, tmp_path):
    (source,) = (p.values[3] for p in answers("wrong") if p.id == f"L25.{name}")
    path, scope = tmp_path / "answer.py", {}
    path.write_text(source, "utf-8")
    exec(compile(source, path, "exec"), scope)
    kernel, _, _ = name.partition(", ")
    assert re.fullmatch(SENTENCES[name], said_of(scope[kernel], kernel))


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("transpose_kernel", "(TILE, PADDED), np.float32", "(TILE, PADDED), np.float64", ""),
        ("row_sum_kernel", "array(THREADS, np.float32", "array(THREADS, np.float64", ""),
        ("transpose_kernel", "(TILE, PADDED), np.float32", "(TILE, TILE), np.float64",
         "line 17 reads tile in 18 passes of shared memory a warp access, where 2 would do"),
    ],
)  # fmt: skip
def test_a_warp_takes_two_passes_for_numbers_of_8_bytes(name, old, new, sentence):
    kernel = edited(getattr(examples_of_warps, name), "in_float64", {old: new})
    assert said_of(kernel, name) == sentence
