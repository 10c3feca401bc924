# %% [markdown]
# # L25  What a warp costs, and the roof
#
# L24's kernels are right. What does one cost a GPU, and how fast can it be at most? The cost can be
# counted without a GPU: the recorder knows which thread touches what, and when. The limit needs two
# measured rates besides.

# %%
import json
import math
from pathlib import Path

import numpy as np
from mmvae_edu.kernels.simulator import cuda, edited, record
from mmvae_edu.kernels.versions import VERSIONS

from mmvae_edu import kernels
from mmvae_edu.course import holds, keep, outcome, predict
from mmvae_edu.measure.kernel_versions import counts
from mmvae_edu.report import plots

# %% [markdown]
# ## A warp moves sectors
#
# 32 threads with consecutive numbers are a **warp**. Those of its 32 **lanes** that stand at the
# same instruction run it together, and memory answers them together, in **sectors** of 32 bytes. Of
# float32, 4 bytes each, 32 neighbours fill 4 sectors: the access is **coalesced**. Lanes that read
# far apart fetch a sector each, and use an eighth of it.
#
# A thread adds up a row. Then, with the indices of `x` exchanged, a column.


# %%
@cuda.jit
def row(x, total):
    t = cuda.grid(1)
    for k in range(x.shape[0]):
        total[t] += x[t, k]


predict("25-sectors", "A thread a row: how many sectors does one access of a warp to x touch?")
x, total = np.ones((64, 64), np.float32), np.zeros(64, np.float32)
for kernel in row, edited(row, "column", {"x[t, k]": "x[k, t]"}):
    cost = record(kernel, 2, 32, x, total).total(memory="x")
    sectors = cost.sectors / cost.accesses
    print(
        f"{kernel.__name__}: {sectors:.0f} sectors an access, {cost.used:.1%} of their bytes used"
    )
    if kernel is row:
        outcome("25-sectors", sectors)

# %% [markdown]
# So let threads that are neighbours touch numbers that are. (L24's `log_w[k, n]`, with a thread for
# each $k$, is of the first kind; the library gives neighbouring threads neighbouring columns.) The
# recorder has no cache. In a GPU's the rest of a sector may wait for the next `k`, unless other
# warps push it out.
#
# ## Shared memory has 32 banks
#
# There, numbers of 4 bytes that follow each other lie in different **banks**, number $i$ in bank
# $i \bmod 32$, and a bank serves one number at a time, to all who ask for it. Lanes that ask a bank
# for different numbers wait for each other: a **bank conflict** takes more than one **pass**.
#
# ## Predict, then run
#
# A tile is filled by rows and read by columns. Its rows may be longer than the 32 numbers in use.


# %%
@cuda.jit
def turn(x, y):
    tile = cuda.shared.array((32, 32), np.float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[row, column]
    cuda.syncthreads()
    y[row, column] = tile[column, row]


predict("25-passes", "In rows of 36 numbers, how many passes does it take to read a column?")
x = np.arange(1024, dtype=np.float32).reshape(32, 32)
for length in 32, 33, 34, 36, 40:
    longer = edited(turn, "turn_padded", {"(32, 32)": f"(32, {length})"})
    cost = record(longer, 1, (32, 32), x, np.zeros_like(x)).total(memory="tile", kind="read")
    print(f"rows of {length}: {cost.passes / cost.accesses:.0f} passes")
    if length == 36:
        outcome("25-passes", cost.passes / cost.accesses)

# %% [markdown]
# With rows of length $L$, neighbours in a column are $L$ numbers apart, and so are their banks,
# modulo 32. They use $32 / \gcd(L, 32)$ banks, each for $\gcd(L, 32)$ lanes. So a 33rd number is
# enough.
#
# ## Lanes that wait
#
# If the lanes of a warp disagree in an `if` (**divergence**), the warp runs both sides in turn, and
# some lanes wait. Here every second thread of a tree adds, then every fourth, …


# %%
@cuda.jit
def tree(x, total):
    parts = cuda.shared.array(256, np.float32)
    t, apart = cuda.threadIdx.x, 1
    parts[t] = x[t]
    cuda.syncthreads()
    while apart < cuda.blockDim.x:
        if t % (2 * apart) == 0:
            parts[t] += parts[t + apart]
        cuda.syncthreads()
        apart *= 2
    if t == 0:
        total[0] = parts[0]


seen, busy = record(tree, 1, 256, np.ones(256, np.float32), total), {}
for access in seen.accesses:
    if access.memory.name == "parts" and access.kind == "write" and access.epoch > 0:
        busy.setdefault(access.epoch, []).append(access.thread.x)
print("threads that add:  ", *map(len, busy.values()))
print("warps they keep:   ", *(len({t // 32 for t in threads}) for threads in busy.values()))
print("warps they'd fill: ", *(math.ceil(len(threads) / 32) for threads in busy.values()))

# %% [markdown]
# A warp can add up without shared memory and barriers. In a **shuffle** each lane gets the value of
# another one, here of that whose number differs in one bit; after five all have the sum. All lanes
# that the mask `ALL` names must take part.
#
#     for step in (16, 8, 4, 2, 1):
#         own += cuda.shfl_xor_sync(ALL, own, step)
#
# (Since Volta, 2017, nothing else keeps lanes in step: those that exchange values through memory
# need `cuda.syncwarp()` in between.)
#
# A warp that waits for memory leaves the processor to others: **occupancy** is the share of its
# places for warps that are taken. Registers, shared memory and the size of blocks limit it. By
# **Little's law** a memory is always busy only if bandwidth times latency bytes are on their way:
# of many warps, or of many loads in each.
#
# ## From version to version
#
# Each version of a kernel of the library adds one idea, which its docstring says. Small launches,
# counted: `mmvae-edu kernels --versions` says what each column counts, and
# `--trace importance_weights_v3` shows each line.

# %%
print("  warps  sectors  used  lanes  passes  barriers  shuffles")
for op in VERSIONS:
    for row in counts(op):
        print(f"{op}, {row.version}: {row.idea}")
        print(f"{row.warps:7} {row.sectors:8} {row.used:5.0%} {row.lanes:6.1f}", end="")
        print(f"{row.passes:8} {row.barriers:9} {row.shuffles:9}")

# %% [markdown]
# The last two are the matrix product. The naive one reads two numbers for each multiplication and
# addition. In the tiled one shared memory serves 16 threads with each number read. It touches an
# eighth of the sectors of $a$ and $b$, not a sixteenth: in the naive one lanes share some, too.
#
# ## The roof
#
# Count a kernel's operations $I$ for each byte that must move, its **arithmetic intensity**. With
# a memory of bandwidth $B$ and arithmetic of rate $P$ it does at most
#
# $$\min(P,\; I \cdot B)$$
#
# operations a second, its **roof**. Left of the ridge $P/B$ memory sets it, however clever the
# arithmetic.
#
# Here bytes are those of inputs and outputs. Operations are those of the formula, in
# `kernels.reference`, an $\exp$ as one. $B$ is the highest rate of bytes in the run, of an update
# in place or of a kernel, and $P$ the rate of a large matrix product. `mmvae-edu bench --only roof`
# measures yours in half a minute. Below is a committed run of it.
#
# ## Predict, then run

# %%
file = Path(kernels.__file__).with_name("results") / "cpu-amd-roof.json"
machine, run = json.loads(file.read_text("utf-8")).values()
work, names = run["operations"], [name for name in run["operations"] if name != "update"]
what = f"On {machine['device']} with {machine['threads']} threads"
predict("25-bound", f"{what}, memory sets the roof of how many of {len(names) - 1} kernels?")
second = {name: turns["milliseconds"] / 1000 for name, turns in run["turns"].items()}
B = max(run["bytes"][name] / second[name] for name in second)
P = work["product"] / second["product"]
rows = []
for name in names:
    intensity, rate = work[name] / run["bytes"][name], work[name] / second[name]
    rows.append((intensity, rate / 1e9, rate / min(P, intensity * B), name))
rows.sort()
bound = [row for row in rows if row[0] < P / B]
lowest = min(bound, key=lambda row: row[2])
finding = f"{what} memory sets the roof of {len(bound)} of {len(names) - 1} kernels: fewer than\n"
finding += f"{P / B:.1f} operations a byte, an exp as one. "
finding += f"Farthest below its roof is {lowest[3]}, at {lowest[2]:.0%}"
figure, axis = plots.canvas(9, 5.5)
axis.set_title(finding, loc="left")
ridge = np.array([0.1, P / B, 1000])
axis.plot(ridge, np.minimum(P, ridge * B) / 1e9, color=plots.INK)
axis.text(0.28, B * 0.32 / 1e9, f"{B / 1e9:.0f} GB/s", ha="right")
axis.text(20, P * 1.08 / 1e9, f"{P / 1e9:.0f} · 10⁹ operations a second")
for number, (intensity, rate, _, _) in enumerate(rows, 1):
    kind = int(intensity > P / B)
    axis.plot(intensity, rate, plots.MARKERS[kind], color=plots.COLOURS[kind])
    axis.annotate(number, (intensity, rate), (6, -12), textcoords="offset points")
names = [f"{n:2}  {name}, {reached:.0%}" for n, (*_, reached, name) in enumerate(rows, 1)]
names = ["reached of its roof:", *names]
axis.text(0.55, 0.03, "\n".join(names), transform=axis.transAxes, fontsize=10)
axis.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="10⁹ operations a second")
outcome("25-bound", len(bound))
header = ["operations a byte", "10⁹ operations a second", "of its roof", "kernel"]
keep(figure, "25-roof", alt=finding.replace("\n", " "), numbers=[header, *rows])

# %% [markdown]
# Fusion moves work to the right: what one kernel leaves in registers, the next need not read. So do
# numbers of fewer bytes. A roof is a bound, not a diagnosis: a kernel far below it waits for
# something else. That may be arithmetic: were $\exp$ and $\log$ counted as the 20 or so additions
# and multiplications that they are, the formula of `binomial_log_prob` would lie right of the
# ridge. Or memory is read in short pieces.
#
# ## The claims
#
# Your turn after them: `mmvae-edu check L25`, four kernels whose sectors, passes and lanes count.

# %%
holds(
    "a_warp_draws_neighbours",
    "a_tile_turns_columns_into_rows",
    "a_tree_keeps_its_warps_whole",
    "warps_add_up_by_shuffles",
)

# %% [markdown]
# ## Sources
#
# - NVIDIA, *CUDA C++ Programming Guide*: warps, shuffles, occupancy; *CUDA C++ Best Practices
#   Guide*: coalesced access, bank conflicts, the transpose.
# - Harris (2007), *Optimizing Parallel Reduction in CUDA*: the trees, step by step.
# - Williams, Waterman and Patterson (2009), *Roofline: An Insightful Visual Performance Model for
#   Multicore Architectures*.
