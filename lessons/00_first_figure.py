# %% [markdown]
# # L00  First figure
#
# Does the installation work, and what is the course about? Here are one latent variable $z$ with
# three states, one observed symbol $x$, and three numbers: $\log p(x)$ and two lower bounds of it.
#
# Everything here is a finite sum. Such a model serves as an **oracle**: the right answer is known
# exactly, and formulas, samples and gradients are compared with it.

# %%
import sys

import numpy as np

from mmvae_edu.claims import CLAIMS, mutants_of, run
from mmvae_edu.course import holds, keep
from mmvae_edu.data import verify
from mmvae_edu.oracles import DiscreteModel, iwae_exact
from mmvae_edu.report import plots
from mmvae_edu.slides.s05_evidence import elbo

print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}")
print(f"float64 tells 1 from 1 + {np.finfo(np.float64).eps:.1e}")
print(f"the embedded digits are intact: {len(verify()):,} bytes, SHA-256 as recorded")

# %% [markdown]
# ## A model, and a guess
#
# The model: a prior $p(z)$ and a table $p(x|z)$. The guess: some $q(z|x)$ of which states explain
# the symbol that was seen. Here the guess is poor on purpose.

# %%
prior = np.array([0.5, 0.3, 0.2])
likelihood = np.array([[0.4, 0.6], [0.8, 0.2], [0.95, 0.05]])  # a row for each z, a column for x
model = DiscreteModel(np.log(prior), [np.log(likelihood)])
x = [1]
q = np.array([0.4, 0.3, 0.3])
print("p(z|x)", model.posterior(x).round(3).tolist())
print("q(z|x)", q.tolist())

# %% [markdown]
# ## Three numbers
#
# The evidence: how probable the model finds what was seen.
#
# $$L = \log p(x) = \log \sum_z p(x, z)$$  (S5.1)
#
# The ELBO, which a VAE maximises:
#
# $$L^v = \sum_z q(z|x) \log \frac{p(x, z)}{q(z|x)}$$  (S5.7)
#
# The bound of an IWAE, which averages $K$ weights inside the logarithm:
#
# $$L_K = \mathbb{E}_{z_1, \dots, z_K \sim q} \log \frac1K \sum_{k=1}^K
# \frac{p(x, z_k)}{q(z_k|x)}$$  (S9.2)
#
# Both follow from one inequality. Let $q > 0$ wherever $p(x,z) > 0$. Then the weight
# $w = p(x,z)/q(z|x)$ has mean $\sum_z p(x,z) = p(x)$ under $q$, and so has the mean of $K$ weights.
# The logarithm is concave, so $\mathbb{E} \log \bar w \le \log \mathbb{E} \bar w = \log p(x)$
# (Jensen's inequality). $L^v$ is $L_1$. Averaging more weights first never loses more: L16 proves
# $L_K \le L_{K+1}$ by leaving out one weight at a time. A smaller variance alone would not prove
# it: of two laws with one mean, that with the smaller variance may have the lower mean logarithm.
#
# ## Predict, then run
#
# Order the three by size. With $K = 8$, is more or less than half of the ELBO's gap closed?

# %%
log_joint = model.log_joint(x)
weights = np.exp(log_joint) / q
names = ["log p(x)", "IWAE, K = 8", "ELBO"]
values = [model.log_evidence(x), iwae_exact(q, weights, 8), elbo(q, log_joint)]
for name, value in zip(names, values, strict=True):
    print(f"{name:12} {value:+.4f} nats")

closed = (values[1] - values[2]) / (values[0] - values[2])
finding = f"Eight samples in the logarithm close {closed:.0%} of the ELBO's gap"
figure, axis = plots.canvas(7.2, 3.2, title=finding)
bars = axis.barh(names, values, color=plots.COLOURS[:3], hatch=["", "//", ".."], edgecolor="white")
axis.bar_label(bars, fmt="%.3f", padding=4)
axis.axvline(values[0], color=plots.INK, linestyle="--", linewidth=1)
axis.set(xlabel="nats (to the right is higher; dashed: log p(x))", xlim=(1.15 * values[2], 0))
axis.invert_yaxis()
numbers = [["quantity", "nats"], *zip(names, values, strict=True)]
keep(figure, "00-bounds", alt=finding, numbers=numbers)

# %% [markdown]
# ## What a claim is
#
# A **claim** is a statement with a check that can fail. The check is a function of the
# implementation under test. It computes two sides and compares their difference with a fixed
# tolerance. One side uses the implementation; the other is usually an oracle that shares no code
# with it. There are exceptions. A claim named `<op>_gradient` takes the derivative of the library's
# own op, so other claims must check the op's value. An inequality needs no second computation, nor
# does an invariant, such as that the order of the modalities does not matter. The tolerances:
#
# - T0: a finite identity, $10^{-12}$; T1: an integral or 50-digit arithmetic, $10^{-10}$;
# - T2: a gradient against differences, $10^{-7}$; T2': against a complex step, $10^{-13}$;
# - T3: a gradient against another library's, $10^{-10}$;
# - T4: a Monte Carlo mean, at most 4 standard errors off.
#
# A check that no wrong program can fail proves nothing. So the course keeps **mutants**: wrong
# implementations, each with words for its mistake. Every mutant must fail some claim. Here one
# claim is checked on the library's `elbo` and then on its mutants.

# %%
claim = CLAIMS["elbo_averages_the_log_ratio"]
print(claim.statement)
print(f"  {'holds' if run(claim).passed else 'FAILS'}  the library: {run(claim).numbers}")
for mutant in mutants_of(claim.of):
    result = run(claim, mutant.f)
    print(f"  {'holds' if result.passed else 'FAILS'}  {mutant.says}: {result.numbers}")

# %% [markdown]
# ## How to run a lesson in a debugger
#
# A lesson is a plain script, and the library is plain Python: a debugger can step into every line.
#
# - VS Code: open the file and choose *Run Cell* or *Debug Cell* above a `# %%`; or set a
#   breakpoint in the margin and start *Python Debugger: Debug Python File*.
# - PyCharm, Spyder: set a breakpoint in the margin, then *Debug*. Spyder runs single cells too.
# - A terminal: write `breakpoint()` on the line above `values = ...` and run the file. It stops
#   there, in pdb. `b elbo` sets a breakpoint in `elbo`, `c` continues to it, `n` runs a line, `s`
#   steps into a call, `p q` prints `q`, `w` shows the calls that led here. A name works once the
#   line that imports it has run. A line of a file needs the absolute path: `b /path/file.py:40`.
#   The library looks at the arrays of a call before it: step on to the line with the call, and in.
#   A pullback is made while the function around it runs, so it has no name before: in L05, stop
#   one line below `l1, pullback = ...`; there `b pullback` sets a breakpoint in it.
#
# Try it: stop in `elbo` and look at `q` and `log_joint`. Then change a sign in that function, in
# `mmvae_edu/slides/s05_evidence.py`, run this lesson again, and see which claim below fails
# first. Undo the change.
#
# ## The claims

# %%
holds(
    "evidence_sums_the_joint",
    "elbo_averages_the_log_ratio",
    "elbo_is_a_lower_bound",
    "iwae_bound_in_expectation",
    "more_samples_tighten_the_iwae_bound",
)

# %% [markdown]
# Next: L01 computes with probabilities that are too small for a float, by their logarithms.
#
# Your turn: `mmvae-edu start` copies the exercises into a folder. Edit `two_plus_two` there and run
# `mmvae-edu check L00` for a verdict.

# %% [markdown]
# ## Sources
#
# - Li Xiaolou (2023), *Incomplete Multimodal Learning*: the slides that this course executes.
# - Doersch (2016), *Tutorial on Variational Autoencoders*: slides 3 to 5.
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   MVAE, slides 6 to 8.
# - Burda, Grosse and Salakhutdinov (2015), *Importance Weighted Autoencoders*: IWAE, slide 9.
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: MMVAE, slides 10 to 13 (slide 2 omits its second author).
