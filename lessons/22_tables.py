# %% [markdown]
# # L22  Slide 13's three tables, audited
#
# Slide 13 prints three tables for MNIST and SVHN. What was trained, what does each number estimate,
# and can it be what its label says? Ours are of images and pen strokes of digits.

# %%
import numpy as np

from mmvae_edu import laplace
from mmvae_edu.cli.tables import COMMITTED
from mmvae_edu.course import FAST, holds, keep, outcome, predict
from mmvae_edu.measure.tables import experiments, jobs, store, tables
from mmvae_edu.oracles import DiscreteModel, iwae_exact
from mmvae_edu.report import plots
from mmvae_edu.slides.s13_tables import against_chance, laplace_ceiling, over_seeds

# %% [markdown]
# ## What was trained
#
# The paper's MMVAE has Laplace densities throughout, and its prior is **learnt**:
#
# $$p(z) = \prod_d \frac{1}{2 b_d} e^{-|z_d|/b_d}, \qquad b = D\,\mathrm{softmax}(a)$$
#
# The scales $b_d$ add up to $D$: one grows only if others shrink. So do the experts'. The objective
# is S11.4 with $K = 30$; a weight of 3072/784 makes MNIST's pixels count as much as SVHN's. Its
# gradient is called DReG (L17). In the released code the hook that should square $\tilde w$ never
# runs; and for this bound the square is biased.
#
# Our `LaplaceMMVAE` has this prior and bound; below, one epoch. The results read after it, of
# `mmvae-edu reproduce digits-strokes`, are of three epochs and five seeds.

# %%
(job,) = experiments.jobs("digits-strokes", seeds=[0], systems=["Laplace MMVAE"], epochs=1)
job["data"]["pairs"] = 4 if FAST else 20
digits = jobs.load(job)
model = jobs.build(job, digits)
jobs.train(model, job, digits, progress=False)
log_scale, _ = laplace.competing_scales(model.tree.views(model.theta)["latent prior"]["head"])
print("learnt scales:", *np.sort(np.exp(log_scale)).round(2))

measured = {}  # (system, quantity) → a value for each seed
for row in store.read(COMMITTED / "digits-strokes.jsonl"):
    for name, value in row["numbers"].items():
        measured.setdefault((row["job"]["system"], name), []).append(value["mean"])

# %% [markdown]
# ## Tables 1 and 2: rates
#
# $$P\left(\hat y(z) = y\right), \quad z \sim q(z|x_m)$$  (S13.T1)
# $$P\left(y(x_m) = y(x_n)\right), \quad z \sim p(z) \;\text{or}\; z \sim q(z|x_m)$$  (S13.T2)
#
# *How sure is a number?* Of $n$ seeds report the median; the lowest and the highest enclose the
# median of all seeds with probability $1 - 2^{1-n}$. The best improves with $n$ alone: do not
# report it.
#
# *What would chance give?* With ten classes about 10%, and a constant answer the frequency of its
# class. Is MVAE's 9.1% for SVHN less?

# %%
for n in 1_000, 10_000:
    below = against_chance(0.091 * n, n, chance=0.1) < 0
    print(f"9.1% of {n:,} pairs is {'below' if below else 'within'} chance")

# %% [markdown]
# Public code for MVAE's rows (YugeTen/QMVAE-mmdgm) keeps $\beta$ at 1/4 or below and SVHN's
# $\log\sigma^2$ at 0 or above. If the rows come from it, that MVAE was handicapped.
#
# ## Predict, then run
#
# The columns (S13.columns): z of MVAE is given one modality (single) or both; single-VAE has one.
# MVAE's M→S is a dash (S13.dash); it can be measured, as ours shows. Ours are medians, with the
# range, of five seeds.

# %%
predict("22-joint", "Of MVAE's joint generations of our digits, what percentage agrees?")
rows = [["panel", "line", "series", "median", "low", "high", "coverage"]]


def dots(axis, title, cells, **labels):
    """Mark median and range of each (line, series) → values."""
    lines, names = (list(dict.fromkeys(part)) for part in zip(*cells, strict=True))
    for i, name in enumerate(names):
        found = {line: over_seeds(v) for (line, series), v in cells.items() if series == name}
        middle, low, high, _ = np.array(list(found.values())).T
        y = [lines.index(line) + 0.15 * i for line in found]
        style = {"color": plots.COLOURS[i], "fmt": plots.MARKERS[i], "label": name}
        axis.errorbar(middle, y, xerr=[middle - low, high - middle], **style)
        rows.extend([title, line, name, *numbers] for line, numbers in found.items())
    axis.set(title=title, yticks=range(len(lines)), yticklabels=lines, **labels)
    axis.set_ylim(len(lines), -0.5)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(frameon=False, fontsize=9, ncols=3, loc="lower center")


PAIR, slide = ("MMVAE", "MVAE"), {}
for table in tables.slides()["S13.T1"], tables.slides()["S13.T2"]:
    for system, values in table["rows"]["mnist-svhn"].items():
        for column, value in zip(table["columns"], values, strict=True):
            slide |= {} if np.isnan(value) else {(column, system): [value]}
lines = "z from image", "z from strokes", "joint", "image → strokes", "strokes → image"
systems = "MMVAE", "Laplace MMVAE", "MVAE"
ours = {(line, system): measured[system, line] for line in lines for system in systems}
agree = [slide["Joint", s][0] for s in PAIR] + [np.median(measured[s, "joint"]) for s in PAIR]
finding = "Joint generations that agree: on the slide MMVAE {}%, MVAE {}%; in ours {:.0f}%, {:.0f}%"
finding = finding.format(*agree)
figure, axes = plots.canvas(12, 5, 1, 2, title=finding)
for axis, title, cells in zip(axes, ("slide 13", "ours"), (slide, ours), strict=True):
    dots(axis, title, cells, xlim=(0, 103), xlabel="%; dotted: chance")
    axis.axvline(10, color=plots.INK, linestyle=":")
outcome("22-joint", np.median(measured["MVAE", "joint"]))
keep(figure, "22-rates", alt=finding, numbers=rows)

# %% [markdown]
# ## Table 3: can it be?
#
# $$\log p(x_m, x_n),\ \log p(x_m|x_m, x_n),\ \log p(x_m|x_m),\ \log p(x_m|x_n)$$  (S13.T3)
#
# The rows (S13.arrangements) are MMVAE and MVAE for $m$ = MNIST, then for SVHN.
#
# **Labels.** Read literally, $x_m$ given $x_m$ is certain. The script released with the paper
# (`calculate_likelihoods.py`, 54398d7) averages $p(x_m|z)p(z)/q(z|\cdot)$ over $z \sim q(z|\cdot)$.
# This estimates $p(x_m)$, whichever modalities $q$ was given: the last three columns bound one
# quantity by three proposals.
#
# **Sums.** If the model is right, $\log p(x_1, x_2) - \log p(x_1) - \log p(x_2)$ averages to the
# information that the two share: at most $\ln 10$ nats for pairs drawn within ten classes. A wrong
# model can exceed it, by at most the smaller KL divergence of its two marginals from the data's.
#
# **Ceilings.** A Laplace density is at most $1/2b$ a feature. The released script has $b = 0.75$;
# an older version had 0.1.

# %%
predict("22-ceiling", "How many of the slide's four best log p(x_m) are too high for b = 0.75?")
cells = tables.slides()["S13.T3"]["rows"]["mnist-svhn"]
table = np.array([[cells[f"{s}, m = {m}"] for m in ("MNIST", "SVHN")] for s in PAIR])
tops = {b: np.array([laplace_ceiling(P, b) for P in (784, 3072)]) for b in (0.75, 0.1)}
best = table[:, :, 1:3].max(axis=-1)  # of two lower bounds of log p(x_m)
for system, joint, parts in zip(PAIR, table[:, 0, 0], best, strict=True):
    print(f"{system}: joint − parts = {joint - parts.sum():.2f} nats; ln 10 = {np.log(10):.2f}")
scaled = 3072 / 784 * table[0, 0, 1] + table[0, 1, 1]
print(f"log p(MNIST) times 3072/784: parts {scaled:.2f}; the joint is {table[0, 0, 0]:.2f}")

over = {b: (best > top).sum() for b, top in tops.items()}
finding = f"{over[0.75]} of the slide's four best log p(x_m) exceed every log density of b = 0.75 "
finding += f"(dashed), {over[0.1]} exceed those of b = 0.1 (dotted)"
figure, axes = plots.canvas(12, 4, 1, 2, title=finding)
labels = "z from both", "z from x_m", "z from x_n"
for axis, m, *ceilings in zip(axes, ("MNIST", "SVHN"), *tops.values(), strict=True):
    lines = {
        (line, s): [cells[f"{s}, m = {m}"][c]] for s in PAIR for c, line in enumerate(labels, 1)
    }
    dots(axis, f"log p(x_m), m = {m}", lines, xlabel="nats, symmetric log scale")
    axis.set_xscale("symlog", linthresh=1000)
    axis.set(xlim=(-2e4, 1e4), xticks=(-1e4, -1e3, 0, 1e3, 1e4))
    for ceiling, dash in zip(ceilings, ("--", ":"), strict=True):
        axis.axvline(ceiling, color=plots.INK, linestyle=dash)
outcome("22-ceiling", over[0.75])
keep(figure, "22-ceilings", alt=finding, numbers=rows)

# %% [markdown]
# (For MVAE's rows, if its likelihood is the same.) MMVAE's joint exceeds its parts by 1951.63 nats.
# Alone this proves nothing: those divergences are unknown. But only in the joint the script leaves
# the training's weight $s = 3072/784$ on MNIST's likelihood, inside the average. By Jensen's
# inequality $\log \mathbb{E}\, p^s \ge s \log \mathbb{E}\, p$, so parts weighted alike would sum to
# 6845 or more. The joint is less; a loose bound may explain it.
#
# ## The last column, exactly
#
# On a finite model: the released estimate, with $K$ samples and in the limit, and the limit of one
# with $p(x_n|z)$ in its weights too,
#
# $$\log p(x_m|x_n) \approx \log \sum_k \tilde w_k\, p(x_m|z_k), \qquad
# w_k = \frac{p(x_n|z_k)\,p(z_k)}{q(z_k)}$$

# %%
finite, x = DiscreteModel.random(np.random.default_rng(1), S=4, M=2, V=3), (0, 2)
prior = np.exp(finite.log_prior)
lik_m, lik_n = (np.exp(finite.log_lik[m][:, x[m]]) for m in (0, 1))
print(f"exact: log p(x_m) {finite.log_evidence(x, [0]):.6f}", end="   ")
print(f"log p(x_m|x_n) {finite.log_conditional(x, [0], [1]):.6f}")
print("proposal      released, K = 1, 10, 1000, ∞                  corrected, K = ∞")
for name, given in ("both", [0, 1]), ("x_m", [0]), ("x_n", [1]):
    q = 0.9 * finite.posterior(x, given) + 0.1 / 4  # an encoder is not exact
    w_n, w_m = lik_n * prior / q, lik_m * prior / q
    bounds = [f"{iwae_exact(q, w_m, K):10.6f}" for K in (1, 10, 1000)]
    corrected = np.log(q @ (w_n * lik_m)) - np.log(q @ w_n)
    print(f"q(z|{name + ')':6s} {' '.join(bounds)} {np.log(q @ w_m):10.6f} {corrected:22.6f}")

# %% [markdown]
# From every proposal the released estimate tends to $\log p(x_m)$.
#
# ## Sums of ours

# %%
for system in (system for system, name in measured if name == "joint"):
    gap = np.array(measured[system, "log p(image, strokes)"])
    for m in "image", "strokes":
        gap -= np.maximum(measured[system, f"{m} by all"], measured[system, f"{m} by {m}"])
    print(f"{system}: joint − parts {gap.round(2)} nats, over ln 10 at {(gap > np.log(10)).sum()}")

# %% [markdown]
# MoPoE's joint exceeds its parts by over $\ln 10$ at four of five seeds; the parts are bounds by
# 300 samples, of which few count.
#
# ## The claims

# %%
holds(
    "the_audit_of_the_slides",
    "the_released_scale_cannot_give_table_3",
    "a_marginal_under_the_conditionals_name_is_found",
    "the_corrected_estimate_finds_the_conditional",
    "the_range_covers_the_median_as_promised",
)

# %% [markdown]
# Next: L23, a bug hunt. Your turn: `mmvae-edu check L22`.

# %% [markdown]
# ## Sources
#
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: the three tables; the authors' released code
#   (iffsid/mmvae): the script, its $b$ and its scaling.
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   MVAE, in the rows of comparison.
# - Sutter, Daunhawer and Vogt (2021), *Generalized Multimodal ELBO*: MoPoE, a row of ours.
