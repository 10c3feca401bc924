# %% [markdown]
# # L23  Capstone: bug hunt
#
# The code runs, the loss falls, the gradient check passes. Is it right?
#
# The folder `lessons/bug_hunt` has twelve short files, written like research code. Some contain one
# mistake of a kind found in published code, some none. For each you write a check that exposes the
# mistake, and the repair. This lesson is about how to find such checks.

# %%
import numpy as np

from mmvae_edu.course import holds, keep, outcome, predict
from mmvae_edu.course.hunt import close, files, gradient_agrees
from mmvae_edu.course.planted import BUGS, CHECKS, convenient, generic, planted
from mmvae_edu.mistakes.edits import differentiated
from mmvae_edu.objectives import mixture_elbo
from mmvae_edu.oracles import log_normal, mixture_iwae_continuous
from mmvae_edu.report import plots

# %% [markdown]
# ## Why a gradient check is not enough
#
# A gradient check compares the backward pass with the forward pass. If one person misread the
# equation, both may be wrong in the same way, and agree to the last digit; with automatic
# differentiation they always agree. Two kinds of checks can find such a mistake:
#
# - an **oracle**: another way to the same number, in a model where it is known exactly;
# - an **invariant**: two calls of the *same* code that must agree. What may the answer not depend
#   on? The order of the examples, the others in the batch, what stands under a mask. What must
#   happen at an end point? At $K = 1$ the IWAE bound (S9.2) is the ELBO (S9.1); with the exact
#   posterior every weight is $p(x)$; $\log p(x_1,x_2) - \log p(x_1|x_2) = \log p(x_2)$.
#
# ## One hunt, whole
#
# The mixture's ELBO (S12.1) is a mean over experts, $\frac1M \sum_m E_{q_m} \log w$. Some public
# implementations save work: they cut the batch into $M$ chunks and give each chunk the samples of
# one expert.


# %%
def log_w(z, mu, log_var, x):
    """log p(x, z) - log q(z), x|z ~ N(z, 1), q the mixture.  z (..., N), mu (M, N); (..., N)."""
    log_joint = log_normal(z, 0.0, 0.0) + log_normal(x, z, 0.0)
    axes = mu.shape[:1] + (1,) * (z.ndim - 1) + mu.shape[1:]
    log_q = log_normal(z, mu.reshape(axes), log_var.reshape(axes))
    top = log_q.real.max(axis=0)
    return log_joint - top - np.log(np.exp(log_q - top).mean(axis=0))


@differentiated
def chunked_elbo(mu, log_var, *, x, eps):
    """The mixture's ELBO, one sample an example: (N,).  mu, log_var (M, N), x, eps (N,)."""
    M, N = mu.shape
    rows = np.arange(N)
    expert = rows * M // N
    z = mu[expert, rows] + np.exp(log_var[expert, rows] / 2) * eps
    return log_w(z, mu, log_var, x)


rng = np.random.default_rng(0)
mu, log_var = rng.normal(size=(2, 2, 6))
x, eps = rng.normal(size=(2, 6))
bound, _ = chunked_elbo(mu, log_var, x=x, eps=eps)
print("shape and finite:", bound.shape == (6,) and np.isfinite(bound).all())
print("gradient check:  ", gradient_agrees(chunked_elbo, mu, log_var, x=x, eps=eps))
equal = np.stack([mu[0], mu[0]]), np.stack([log_var[0], log_var[0]])
alone = mu[:1], log_var[:1]
same = close(chunked_elbo(*equal, x=x, eps=eps)[0], chunked_elbo(*alone, x=x, eps=eps)[0])
print("equal experts are one expert:", same)

# %% [markdown]
# Three checks pass, and the third is an invariant. But two *equal* experts are a convenient input.
# Now ask the questions from above. Does an example's bound depend on its place in the batch?

# %%
back = slice(None, None, -1)
turned, _ = chunked_elbo(mu[:, back], log_var[:, back], x=x[back], eps=eps[back])
print("in order: ", np.round(bound, 3))
print("turned:   ", np.round(turned[back], 3))
print("same for every order:", close(turned[back], bound))

# %% [markdown]
# It does, and that is the bug: no sample of the second expert reaches the first half of the batch.
# Averaged over shuffled batches the estimate is right, and so the bug is easily missed; with data
# sorted by class, or in evaluation, it is wrong. **Repair**: every example gets samples of each.


# %%
def stratified_elbo(mu, log_var, *, x, eps):
    """(1/M) sum_m (1/K) sum_k log w(z_mk): (N,).  mu, log_var (M, N), eps (M, K, N)."""
    z = mu[:, None] + np.exp(log_var / 2)[:, None] * eps
    return mixture_elbo(log_w(z, mu, log_var, x))[0]


eps = rng.normal(size=(2, 20_000, 6))
repaired = stratified_elbo(mu, log_var, x=x, eps=eps)
turned = stratified_elbo(mu[:, back], log_var[:, back], x=x[back], eps=eps[..., back])
print("same for every order:", close(turned[back], repaired))
for n in range(3):

    def log_joint(z, n=n):
        return log_normal(z, 0.0, 0.0) + log_normal(x[n], z, 0.0)

    exact = mixture_iwae_continuous(log_joint, mu[:, n], log_var[:, n], 1)
    print(f"example {n}: repaired {repaired[n]:.3f}, quadrature {exact:.3f}")

# %% [markdown]
# The check stays, as a test. A good test fails on the old code and passes on the new; yours are
# graded so.
#
# ## Predict, then run: which check catches what?
#
# `mmvae_edu/course/planted.py` holds a small system, a product of experts (S7.5) under an
# importance-weighted bound (S9.2), ten bugs to plant in it, and eight checks. All backward passes
# are derived automatically from the forward pass, but for one bug.
#
# Each is done twice: with generic inputs and with convenient ones, that is one example, one sample,
# experts at $N(0, 1)$, nothing missing.

# %%
predict("23-gradient", "How many of the ten does the gradient check catch, on generic inputs?")
predict("23-one", "Is there one check that catches all ten?", "yes", "no")
predict("23-convenient", "How many of the ten do all checks together catch on convenient inputs?")
caught = {}
for make in generic, convenient:
    inputs = make(np.random.default_rng(0))
    assert all(check(inputs, planted()) for check in CHECKS.values())  # the system without a bug
    caught[make.__name__] = np.array(
        [[not check(inputs, planted(bug)) for check in CHECKS.values()] for bug in BUGS]
    )
    for bug, row in zip(BUGS, caught[make.__name__], strict=True):
        names = ", ".join(np.array(list(CHECKS))[row]) or "nothing"
        print(f"{make.__name__:10} | {bug:30} caught by {names}")

# %%
one_each = caught["generic"].sum(axis=0)
found = {name: int(matrix.any(axis=1).sum()) for name, matrix in caught.items()}
finding = f"No check catches more than {one_each.max()} of {len(BUGS)} bugs, the gradient check "
finding += f"{one_each[0]}; together {found['generic']} on generic inputs, "
finding += f"{found['convenient']} on convenient ones"
figure, panels = plots.canvas(10, 5, 1, 2, sharey=True)
for axis, (name, matrix) in zip(panels, caught.items(), strict=True):
    rows, columns = np.nonzero(matrix)
    axis.plot(columns, rows, "s", color=plots.COLOURS[0], markersize=13)
    rows, columns = np.nonzero(~matrix)
    axis.plot(columns, rows, ".", color="#BBBBBB", markersize=4)
    axis.set(title=f"{name} inputs", xlim=(-0.5, len(CHECKS) - 0.5))
    axis.set_xticks(range(len(CHECKS)), CHECKS, rotation=45, ha="right")
panels[0].set_yticks(range(len(BUGS)), BUGS)
panels[0].set_ylim(len(BUGS) - 0.5, -0.5)
figure.suptitle(finding, x=0.01, ha="left", fontsize=11)
numbers = [["inputs", "bug", *CHECKS]]
for name, matrix in caught.items():
    numbers += [[name, bug, *row.astype(int)] for bug, row in zip(BUGS, matrix, strict=True)]
outcome("23-gradient", one_each[0])
outcome("23-one", "yes" if one_each.max() == len(BUGS) else "no")
outcome("23-convenient", found["convenient"])
keep(figure, "23-checks", alt=finding, numbers=numbers)

# %% [markdown]
# Read a row, and ask why the other checks cannot see the bug:
#
# - *Noise scaled by the variance*: with the exact posterior every weight is $p(x)$ **wherever** the
#   samples lie. That check tests densities; the sampler needs one of its own.
# - *Mean of the logs*: equal weights have one mean of every kind, and at $K = 1$ there is one
#   weight. Only unequal weights tell means apart.
# - *Batch averaged inside the log*: an average does not depend on the order of the examples. It
#   does depend on which other examples are in the batch.
#
# What a check can find depends on its inputs too. Zero means, unit variances, one example, one
# sample, square shapes and nothing missing hide bugs. Take all sizes different, all numbers
# unequal, and two checks that fail for different reasons.
#
# ## Your hunt

# %%
for path in files():
    print(path)

# %% [markdown]
# Read each file's docstrings: they are the promise. `mmvae-edu start` puts `23_bug_hunt.py` into
# your folder, with two functions for each file:
#
# - `check_NN(file)` is given versions of the file, right and wrong, and must tell them apart by
#   what they compute. Other right ways to write it must pass.
# - `fix_NN(..., file)` is the function as it should be, tested against an oracle that you do not
#   see. If the file is clean, hand its own answer back.
#
# `python 23_bug_hunt.py` there says what your checks make of the twelve files. In
# `mmvae_edu.oracles`, `LinearGaussian` knows $\log p(x)$ of any modalities, every posterior,
# experts without the prior and any ELBO; `DiscreteModel` knows every sum.
#
# ## The claims
#
# The claims of this lesson are about checks: each of the hunt's own passes several right versions
# of a file and fails several wrong ones. Below are those of the first three files.

# %%
holds(
    "more_samples_do_not_move_the_vae_bound",
    "mixture_elbo_is_the_elbo_of_the_mixture",
    "with_the_posterior_every_weight_is_the_evidence",
    "check_01_tells_right_from_wrong",
    "check_02_tells_right_from_wrong",
    "check_03_tells_right_from_wrong",
)

# %% [markdown]
# Your turn: `mmvae-edu check L23`.

# %% [markdown]
# ## Sources
#
# - The twelve files were written for this course, with mistakes of kinds found in public code of
#   the systems of L11 to L22.
# - Sutter, Daunhawer and Vogt (2021), *Generalized Multimodal ELBO*: its released code is one that
#   gives each chunk of the batch one expert's samples.
