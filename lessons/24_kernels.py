# %% [markdown]
# # L24  From NumPy to a CUDA kernel
#
# A kernel is the program of one thread; thousands run it at once, in no fixed order. Which thread
# takes which element, when may it read what another has written, and why may tests miss mistakes?
#
# No GPU is needed: Numba's simulator runs each thread of a block as a Python thread. It reads its
# variable when numba is imported (in a notebook, restart if that has happened).

# %%
import os

os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

import inspect
import math
import sys
from pathlib import Path

import numpy as np
from mmvae_edu.kernels import numba_cuda, reference
from mmvae_edu.kernels.simulator import edited, record
from numba import cuda

from mmvae_edu import kernels
from mmvae_edu.course import holds, keep, outcome, predict
from mmvae_edu.report import plots

# %% [markdown]
# ## The product of experts, one thread an element
#
# The product of slide 7 (S7.5) is the same formula in every dimension of every example:
# $T = 1 + \sum_m T_m$ and $\mu = \frac1T \sum_m T_m \mu_m$ with $T_m = 1/\sigma_m^2$. No element
# needs another's result, so each gets a thread. Threads come in blocks of one size, and a thread's
# number is `blockIdx.x * blockDim.x + threadIdx.x`, or `cuda.grid(1)` for short.
#
# 21 elements in blocks of 8: three blocks, and the last has three threads too many. They must do
# nothing. Hence the **guard**, `if i < size`.


# %%
@cuda.jit
def product(mu, log_var, mean, joint_log_var):
    i = cuda.grid(1)
    M, size = mu.shape
    if i < size:
        total, weighted = 1.0, 0.0  # the prior
        for m in range(M):
            precision = math.exp(-log_var[m, i])
            total += precision
            weighted += precision * mu[m, i]
        mean[i] = weighted / total
        joint_log_var[i] = -math.log(total)


rng = np.random.default_rng(0)
M, N, D = 3, 7, 3
mu, log_var = rng.normal(size=(2, M, N, D))
expected = np.reshape(reference.product_of_experts(mu, log_var), (2, N * D))
experts, found = (mu.reshape(M, N * D), log_var.reshape(M, N * D)), np.zeros((2, N * D))
product[3, 8](*experts, *found)  # 3 blocks of 8 threads
print(f"against the reference: largest difference {np.abs(found - expected).max():.0e}")

# %% [markdown]
# `record` runs the same kernel, thread by thread in one Python thread, on arrays that note every
# access. It reports faults that a GPU may pass over in silence. (Lines are of the edited copy.)

# %%
for name, changes in {
    "no_guard": {"if i < size": "if True"},
    "guard_admits_size": {"i < size": "i <= size"},
    "local_index": {"cuda.grid(1)": "cuda.threadIdx.x"},
}.items():
    for fault in record(edited(product, name, changes), 3, 8, *experts, *found).faults:
        print(f"{name}: {type(fault).__name__}: {fault}")

# %% [markdown]
# ## Bytes, and CUDA C
#
# Such a kernel mostly waits for memory, so count how often it reads. The library's first version
# goes over the experts twice, first for the least log variance, so that nothing overflows. How much
# more than it must does it move? (The recorder counts each read; a compiler may merge some.)
# Below is its inner loop in Python and in CUDA C: the same loops, with indices computed by hand.
# Neighbouring threads (along `d`) read neighbouring addresses, which the memory serves together.

# %%
v1 = numba_cuda.product_of_experts_v1
arguments = (M, N, D, mu, log_var, np.ones((M, N), bool), *np.zeros((2, N, D)))
for kernel, launch in (product, (3, 8, *experts, *found)), (v1, (2, (4, 8), *arguments)):
    moved = [access for access in record(kernel, *launch).accesses if access.memory.name != "mask"]
    print(f"{kernel.py_func.__name__}: {len(moved)} numbers moved; {(2 * M + 2) * N * D} must be")
python = inspect.getsource(v1.py_func)
text = (Path(kernels.__file__).parent / "product_of_experts.cu").read_text("utf-8")
print(python[python.index("            total, weighted") :])
print(text[text.index("            Real total") : text.index("// ---- v2")].rstrip())

# %% [markdown]
# ## The block reduction
#
# The bound (S9.2), $\log \frac1K \sum_k w_k$, needs all samples of an example. A block takes an
# example. Each thread sums every `blockDim.x`-th weight, and leaves its part in *shared memory*,
# which the block's threads all see. Then a tree adds the parts: the first half of the threads add
# the other half's, then half of these, until one is left.
#
# A part is a pair $(a, s)$ that stands for $s\,e^a$, so that two add up at any scale of $\log w$:
# $(a, s) + (b, t) = (a, s + t\,e^{b-a})$ where $a \ge b$. A thread without a sample brings
# $(-\infty, 0)$, which adds nothing.
#
# `cuda.syncthreads()` is the **barrier**: no thread passes before all have come. It stands between
# writing a part and another's reading it, and where *all* threads reach it: outside of the `if`.

# %%
THREADS = 8  # the size of shared memory is fixed when the kernel is compiled
add = numba_cuda.add  # of two parts, a function of the device


@cuda.jit
def bound_of_block(log_w, bound):
    tops = cuda.shared.array(THREADS, np.float64)
    totals = cuda.shared.array(THREADS, np.float64)
    t, n, K = cuda.threadIdx.x, cuda.blockIdx.x, log_w.shape[0]
    top, total = -math.inf, 0.0
    for k in range(t, K, cuda.blockDim.x):
        top, total = add(top, total, log_w[k, n], 1.0)
    tops[t], totals[t] = top, total
    cuda.syncthreads()
    half = cuda.blockDim.x // 2  # the number of threads is a power of 2 here
    while half > 0:
        if t < half:
            top, total = add(top, total, tops[t + half], totals[t + half])
            tops[t], totals[t] = top, total
        cuda.syncthreads()
        half //= 2
    if t == 0:
        bound[n] = top + math.log(total) - math.log(K)


log_w = np.array([-6237.1, 2.0, 700.0]) + rng.normal(0, 3, size=(11, 3))
bound, (exact, _) = np.zeros(3), reference.importance_weights(log_w)
bound_of_block[3, THREADS](log_w, bound)
print(f"against the reference: relative difference {np.abs(bound / exact - 1).max():.0e}")

# %% [markdown]
# ## Predict, then run
#
# Eight threads have each written their part of `tops`.

# %%
predict("24-steps", "After how many steps is the sum in place 0?")
seen = record(bound_of_block, 3, THREADS, log_w, bound).accesses
shared = [a for a in seen if a.block == (0, 0, 0) and a.memory.name == "tops"]
epochs = sorted({a.epoch for a in shared})
busy = [len({a.thread for a in shared if a.epoch == epoch}) for epoch in epochs]
finding = f"{THREADS} parts become one in {len(epochs) - 1} steps: "
finding += f"{', then '.join(map(str, busy[1:]))} of {busy[0]} threads work, the others wait"
figure, axes = plots.canvas(9, 3.2, 1, len(epochs), sharey=True, title=finding)
for axis, epoch in zip(axes, epochs, strict=True):
    for kind, marker, colour, size in (("read", "o", 0, 90), ("write", "s", 1, 30)):
        points = [(a.at, a.thread.x) for a in shared if (a.epoch, a.kind) == (epoch, kind)]
        label = f"{kind}s" if epoch == epochs[-1] else None
        style = {"marker": marker, "s": size, "color": plots.COLOURS[colour], "label": label}
        axis.scatter(*np.reshape(points, (-1, 2)).T, **style)
    axis.set(title=f"{epoch} barriers passed", xlabel="place in tops", xlim=(-0.7, THREADS - 0.3))
    axis.set(xticks=range(THREADS), yticks=range(THREADS), ylim=(THREADS - 0.3, -0.7))
axes[0].set_ylabel("thread")
figure.legend(frameon=False, loc="outside lower center", ncols=2)
rows = [[a.epoch, a.thread.x, a.at, a.kind] for a in shared]
outcome("24-steps", len(epochs) - 1)
keep(figure, "24-tree", alt=finding, numbers=[["epoch", "thread", "place", "access"], *rows])

# %% [markdown]
# ## Predict, then run
#
# In no panel does one thread write a place that another one touches. Now take the barrier out of
# the tree, or move it into the `if`, and run each ten times in the simulator.

# %%
predict("24-simulator", "With the barrier in the if, in how many of ten runs is the bound wrong?")
barrier = "        cuda.syncthreads()\n        half //= 2"
edits = {"barrier_missing": "        half //= 2", "barrier_in_the_if": f"    {barrier}"}
for name, instead in edits.items():
    wrong, misses = edited(bound_of_block, name, {barrier: instead}), 0
    for _ in range(10):
        wrong[3, THREADS](log_w, bound)
        misses += not np.allclose(bound, exact, rtol=1e-12)
    print(f"{name}: the simulator is wrong in {misses} of 10 runs")
    for fault in record(wrong, 3, THREADS, log_w, bound).faults:
        print(f"  the recorder: {type(fault).__name__}: {fault}")
outcome("24-simulator", misses)

# %% [markdown]
# A test of values sees one of many orders in which threads may run. The recorder asks what *may*
# happen. Do two threads touch one element between two barriers, and one of them writes? That is a
# **race**, whatever the values are. Do all threads of a block come to every barrier?
#
# ## Step through it
#
# `breakpoint()` stops in a kernel, in the simulator and under `record`; let only one thread reach
# it. Here a hook prints in the debugger's place, so that the lesson runs by itself.


# %%
def look():
    here = sys._getframe(1).f_locals
    print(f"  half {here['half']}: top {here['top']:.3f}, total {here['total']:.3f}")


hook, sys.breakpointhook = sys.breakpointhook, look  # without this line the debugger opens
stop = "        if t == 0 and n == 1:\n            breakpoint()\n"
edited(bound_of_block, "stepped", {barrier: f"{stop}{barrier}"})[3, THREADS](log_w, bound)
sys.breakpointhook = hook

# %% [markdown]
# ## The library's kernels
#
# In the simulator, at sizes that are no multiple of a block; and on a GPU where there is one.

# %%
logits, counts = rng.normal(size=(5, N, D)), rng.integers(0, 17, size=(N, D)).astype(float)
calls = {
    "product_of_experts": (mu, log_var, rng.random((M, N)) < 0.7),
    "importance_weights": (log_w,),
    "binomial_log_prob": (logits, counts, 16),
}
for name, given in calls.items():
    both = [getattr(module, name)(*given) for module in (numba_cuda, reference)]
    got, want = (np.concatenate([np.ravel(a) for a in result]) for result in both)
    print(f"{name}: relative error {np.max(np.abs(got - want) / np.maximum(1, np.abs(want))):.0e}")
gpu = kernels.available()["cuda_c"]
if isinstance(gpu, str):
    print(f"GPU: not run. {gpu}")
else:
    both = gpu.product_of_experts(*gpu.device.xp.asarray([mu, log_var], dtype=np.float32))
    error = np.abs(np.stack([a.get().ravel() for a in both]) - expected).max()
    print(f"GPU, product_of_experts in float32: difference {error:.0e} of 2e-05")

# %% [markdown]
# ## The claims
#
# Your turn after them: `mmvae-edu check L24`. Five kernels, each checked under the recorder.

# %%
holds(
    "every_element_has_its_thread",
    "a_thread_multiplies_its_experts",
    "a_block_shares_its_weights",
    "a_tree_finds_the_maximum",
    "idle_threads_do_not_win",
    "a_block_computes_the_iwae_bound",
)

# %% [markdown]
# ## Sources
#
# - NVIDIA, *CUDA C++ Programming Guide*: threads, blocks, shared memory, barriers.
# - Harris (2007), *Optimizing Parallel Reduction in CUDA*: the tree.
# - Lam, Pitrou and Seibert (2015), *Numba: A LLVM-based Python JIT Compiler*; the simulator is in
#   its documentation.
