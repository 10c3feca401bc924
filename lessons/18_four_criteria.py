# %% [markdown]
# # L18  Four criteria
#
# Slide 10 draws four criteria, without formulas: latent factorisation, coherent joint generation,
# coherent cross generation, synergy. What is counted, against which baseline, and how surely?

# %%
import numpy as np

from mmvae_edu import MMVAE, MVAE, criteria
from mmvae_edu.course import FAST, holds, keep
from mmvae_edu.data import load_digits
from mmvae_edu.likelihoods import Normal
from mmvae_edu.report import plots
from mmvae_edu.tour.digits import MODALITIES, NETWORKS, distinct

# %% [markdown]
# Two systems of image and strokes (16 latent dimensions, two hidden layers of 256, 1,000 steps, one
# seed each), and for each modality a classifier of real digits: one trained on generations would
# learn to read their faults. All that follows uses test digits.

# %%
digits, steps = load_digits("image+strokes"), 100 if FAST else 1000
test, y, rng = digits.test, digits.test.label, np.random.default_rng(0)
models = {"MMVAE": MMVAE(MODALITIES, **NETWORKS), "MVAE": MVAE(MODALITIES, **NETWORKS)}
for model in models.values():
    model.fit(digits.train.x, steps=steps, progress=False)
classifiers, errors = {}, {}
for name in MODALITIES:
    classifier = criteria.Classifier(Normal(16) if name == "strokes" else MODALITIES[name])
    x, label = distinct(digits.train.x[name], digits.train.label)
    classifiers[name] = classifier.fit(x, label, steps=100 if FAST else 400, progress=False)
    errors[name] = criteria.confusion(y, classifier.predict(test.x[name]), classes=10)
    print(f"classifier of {name}: right on {classifier.accuracy(test.x[name], y):.1%} of test")
rows = [["system", "criterion", "case", "rate", "low", "high"]]


def rate(hits, *case):
    """Keep a frequency for the figure's table; in words, with its 95% interval."""
    rows.append([*case, hits.mean(), *criteria.wilson_interval(hits.sum(), len(hits))])
    return "{:6.1%} [{:.1%}, {:.1%}]".format(*rows[-1][3:])


# %% [markdown]
# ## (a) Latent factorisation: what can be read from z?
#
# $$P(\hat y(z) = y), \qquad z \sim q(z|x_m)$$  (S10.a)
#
# $\hat y$ is a **linear probe**: least squares on one-hot classes, by 5-fold cross-validation; its
# baseline is the **majority**, the commonest class. It measures what can be read from $z$, not
# whether separate dimensions hold it. *Shared* is what a probe fitted on $z$ from the image reads
# in $z$ from the strokes. It needs one code for both: rotate the $z$ of one and the rate falls,
# though a probe of its own still reads the digit. *Private* is what one modality alone knows. Pairs
# are drawn at random within a class, so an attribute above the median of its class (`ink` of the
# image, `lean` of the strokes) says nothing about the partner.

# %%
known = {"ink": test.x["image"].sum(axis=1), "lean": test.x["strokes"][:, ::2].mean(axis=1)}
for attribute, values in known.items():
    median = np.array([np.median(values[y == digit]) for digit in range(10)])
    known[attribute] = (values > median[y]).astype(int)
known["digit"] = y
folds = np.argsort(np.argsort(y, kind="stable")) % 5  # a fifth of each class in each
both = tuple(MODALITIES)
sources = {"image": both[:1], "strokes": both[1:], "both": both}
z = {
    (name, source): model.posterior_sample({m: test.x[m] for m in given}, rng=rng)[0]
    for name, model in models.items()
    for source, given in sources.items()
}

# %% [markdown]
# ## Predict, then run
#
# Which attribute is read from the image's $z$, the strokes' $z$, and shared? Which from none?

# %%
for name in models:
    own, other = z[name, "image"], z[name, "strokes"]
    for attribute, value in known.items():
        read, majority = criteria.linear_probe(own, value, folds=folds)
        probes = {"majority": majority, "image": read}
        probes["strokes"], _ = criteria.linear_probe(other, value, folds=folds)
        probes["shared"], _ = criteria.linear_probe(own, value, folds=folds, tested=other)
        for case, read in probes.items():
            print(f"{name:5s} {attribute:5s} {case:8s}", rate(read == value, name, attribute, case))
    mean = models[name].encode({"strokes": test.x["strokes"]})[0].reshape(other.shape)
    of_mean = criteria.linear_probe(mean, y, folds=folds)[0] == y
    print(f"{name} digit from the mean of q(z|strokes): {rate(of_mean, name, 'digit', 'mean')}")

# %% [markdown]
# Report which was read, a draw or the mean: here the mean reads better. Slide 13 reads one draw.
#
# ## (b) Joint generation, and (c) cross generation
#
# $$P\left(y(x_1) = y(x_2)\right), \qquad z \sim p(z), \; x_m \sim p(x_m|z)$$  (S10.b)
# $$P\left(y(x_n) = y(x_m)\right), \qquad z \sim q(z|x_m), \; x_n \sim p(x_n|z)$$  (S10.c)
#
# Decoded are the means of $p(x_m|z)$, as for slide 13's Table 2. Independent generations agree too,
# by chance: $\sum_c P_1(c) P_2(c)$. And $y(\cdot)$ errs. Let $C_m$ be P(predicted|true) on real
# digits, $T$ the table of predicted pairs and $J$ that of true ones, whose trace is sought:
#
# $$T = C_1^\top J\, C_2 \qquad\Rightarrow\qquad J = C_1^{-\top}\, T\, C_2^{-1}$$
#
# **if** each classifier errs on generations as on real digits and, where both modalities are made,
# the two err independently given the true pair. Neither need hold: both read one $z$. Of two that
# err together the correction makes more than 100% (printed below). So does chance in about half of
# all samples of a coherent model, since the correction is unbiased. So raw rates come first, and a
# corrected one shows that an assumption fails only if it is above 100% by more than its error (the
# printed ± takes the $C_m$ as known). A classifier names a digit for a blur too: rates may be high.
#
# ## Predict, then run
#
# How far does the correction move a rate? Which system gains more if reconstructions are scored?


# %%
def agreement(first, second, C_first, C_second, *case):
    """Print how often predicted classes agree: raw, by chance, corrected."""
    T = criteria.pair_table(first, second, classes=10)
    value, error = criteria.corrected_coherence(first, second, C_first, C_second)
    print(f"{case[0]:5s} {case[2]:15s}", rate(first == second, *case), end="  ")
    print(f"by chance {T.sum(axis=1) @ T.sum(axis=0):.1%}  corrected {value:.1%} ± {error:.1%}")


nine_of_ten = np.array([[0.9, 0.1], [0.1, 0.9]])  # two classifiers of two classes that err together
inflated = criteria.correct_for_classifiers(np.eye(2) / 2, nine_of_ten, nine_of_ten)
print(f"a coherent model seen by them: raw {1.0:.0%}, corrected {np.trace(inflated):.0%}")
made, C = {}, [errors[m] for m in both]
for name, model in models.items():
    made[name, "joint"] = model.sample(2_000 if FAST else 10_000, rng=rng)
    made[name, "reconstructions"] = model.generate(test.x, rng=rng)
    for case in "joint", "reconstructions":
        seen = [classifiers[m].predict(made[name, case][m]) for m in both]
        agreement(*seen, *C, name, "coherence", case)
    for source, target in both, both[::-1]:
        case = f"{source} → {target}"
        made[name, case] = model.generate({source: test.x[source]}, target, rng=rng)
        seen = classifiers[target].predict(made[name, case][target])
        agreement(y, seen, np.eye(10), errors[target], name, "coherence", case)
        print("      micro {:.2%}, macro {:.2%}".format(*criteria.micro_and_macro(seen, y)))

# %% [markdown]
# Micro accuracy counts rows, macro accuracy weighs classes alike: a table should say which it has.
# The intervals are **Wilson's**, all $p$ with $|\hat p - p| \le z \sqrt{p(1-p)/n}$. The usual one,
# Wald's, takes the error at $\hat p$ and not at $p$, and is a point when nothing was hit.
#
# ## (d) Synergy: does a second modality help?
#
# $$\log p(x_m|x_m, x_n) - \log p(x_m|x_m)$$  (S10.d)
#
# Read literally, $x_m$ is given: both are $\log 1$ if it is discrete, and $+\infty$ for a density.
# The slides' Table 3 holds estimates $\log \frac1K \sum_k p(x_m, z_k)/q(z_k|X)$, $z_k \sim q(z|X)$,
# with $X$ both or $x_m$ alone: two proposals for the same $\log p(x_m)$. As $K$ grows each tends to
# it, wherever both $q$ cover the posterior. At $K = 1$ the difference has, with *exact* posteriors,
# the mean $-I(z; x_n|x_m)$: a model that does use $x_n$ scores lower. With exact conditionals, what
# cannot fall on average is the score of something that is **not** given:
#
# $$\mathbb E \left[\log p(y|x_m, x_n) - \log p(y|x_m)\right] = I(y; x_n|x_m) \ge 0 .$$
#
# ## Predict, then run
#
# So $z$ from both and $z$ from one are probed for the digit, on the same rows. MMVAE's
# $q(z|x_1,x_2)$ is a mixture: a draw given both is one expert's, by a coin. MVAE's is a product.
# Which system's $z$ from both is easier to read than that of the better modality?

# %%
gains = {}
for name, model in models.items():
    hits = {s: criteria.linear_probe(z[name, s], y, folds=folds)[0] == y for s in sources}
    for source in sources:
        rate(hits[source], name, "synergy", source)
    best = max(both, key=lambda source: hits[source].mean())
    gain, error = criteria.synergy(1.0 * hits["both"], hits[best])
    gains[name] = f"{100 * gain:+.1f} ± {100 * error:.1f} points".replace("-", "−")
    print(f"{name}: digit, both minus {best}: {gains[name]}")
    x = {m: test.x[m][: 50 if FAST else 400] for m in both}
    for m, K in ("image", 1), ("image", 30), ("strokes", 1), ("strokes", 30):
        pair = [model.estimate_marginal({m: x[m]}, given=g, K=K, rng=rng) for g in (x, {m: x[m]})]
        gain, error = criteria.synergy(*(estimate.log_p for estimate in pair))
        print(f"    log p({m}), z from both minus from it, K = {K}: {gain:+.1f} ± {error:.1f}")


# %% The picture of slide 10, measured
def bars(axis, groups, *cases):
    """Rates with their intervals, a group of bars for each (system, criterion)."""
    for i, case in enumerate(cases):
        middle, low, high = 100 * np.array([found[*group, case] for group in groups]).T
        style = {"color": plots.COLOURS[i], "hatch": ("", "//", "..")[i], "label": case}
        at = np.arange(len(groups)) + 0.26 * (i - 1)
        axis.bar(at, middle, 0.24, yerr=(middle - low, high - middle), capsize=2, **style)
    axis.set(xticks=np.arange(len(groups)), ylim=(0, 118), ylabel="%")
    axis.set_xticklabels([f"{criterion}\n{name}" for name, criterion in groups])
    axis.legend(frameon=False, ncols=3, fontsize=9, loc="upper right")


def grid(axis, lines):
    """Ten digits a line, with its label."""
    axis.set_axis_off()
    for r, (label, values) in enumerate(lines):
        bottom = 1 - (r + 1) / len(lines)
        axis.text(0.15, bottom + 0.5 / len(lines), label, ha="right", va="center", fontsize=9)
        for i in range(10):
            cell = axis.inset_axes([0.17 + 0.083 * i, bottom, 0.08, 0.94 / len(lines)])
            plots.draw_digit(cell, values[i])


found = {tuple(row[:3]): row[3:] for row in rows}
figure, ((a, b), (c, d)) = plots.canvas(13, 9.5, 2, 2)
groups = [(name, attribute) for name in models for attribute in known]
bars(a, groups, "image", "strokes", "shared")
bars(d, [(name, "synergy") for name in models], "image", "strokes", "both")
grid(b, [(f"{name}\n{m}", made[name, "joint"][m]) for name in models for m in both])
first, lines = np.unique(y, return_index=True)[1], []
for source, target in both, both[::-1]:
    lines.append((f"given\n{source}", test.x[source][first]))
    for name in models:
        lines.append((f"{name}\n{target}", made[name, f"{source} → {target}"][target][first]))
grid(c, lines)
majority = [100 * found[*group, "majority"][0] for group in groups]
a.hlines(majority, *(np.arange(6) + [[-0.42], [0.42]]), colors=plots.INK)
probed = "(a) Digit, probe fitted on the image's z, read in the strokes' z\n(line: majority): "
for axis, title, *case in (
    (a, probed, "digit", "shared"),
    (b, "(b) Joint generation, one digit: ", "coherence", "joint"),
    (c, "(c) Cross generation, image → strokes: ", "coherence", "image → strokes"),
):
    axis.set_title(title + ", ".join(f"{name} {found[name, *case][0]:.0%}" for name in models))
d.set_title(f"(d) Synergy: {', '.join(f'{name} {gain}' for name, gain in gains.items())}")
finding = "; ".join(axis.get_title().replace("\n", " ") for axis in (a, b, c, d))
keep(figure, "18-four-criteria", alt=finding, numbers=rows)

# %% [markdown]
# ## The claims

# %%
holds(
    "the_probe_is_least_squares_on_the_other_folds",
    "an_empty_latent_gets_the_majority",
    "planted_coherence",
    "crossing_agrees_as_often_as_the_prior",
    "classifier_errors_are_undone",
    "classifiers_that_err_together_are_corrected_too_far",
    "wilson_covers_as_promised",
    "synergy_about_itself_is_no_gain",
    "synergy_about_a_third_is_information",
)

# %% [markdown]
# Next: L22 puts the four into the slides' tables. Your turn: `mmvae-edu check L18`.

# %% [markdown]
# ## Sources
#
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: the four criteria.
# - Alain and Bengio (2016), *Understanding Intermediate Layers Using Linear Classifier Probes*.
# - Wilson (1927), *Probable Inference, the Law of Succession, and Statistical Inference*: the
#   interval.
