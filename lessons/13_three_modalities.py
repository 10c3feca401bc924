# %% [markdown]
# # L13  Three modalities
#
# With two modalities every proper subset is a single one, and the $k$ terms of random subsets $X_j$
# on slide 7 (S7.terms-3) have nothing to add. With three there are pairs: an image, pen strokes and
# a label. What do the $X_j$ buy, and does a system that is given more generate better? (Slide 7
# writes $N$ for the number of modalities; here it is `M`.)

# %%
from itertools import combinations, permutations

import numpy as np

from mmvae_edu.course import FAST, holds, keep, outcome, predict
from mmvae_edu.criteria import Classifier, synergy
from mmvae_edu.data import load_digits
from mmvae_edu.likelihoods import Binomial, Categorical, Laplace
from mmvae_edu.models import MMVAE, MVAE, MoPoE
from mmvae_edu.report import plots
from mmvae_edu.slides.s07_joint_posterior import scored_unseen, subset_weights

# %% [markdown]
# ## How often is a subset scored?
#
# $$\mathrm{ELBO}(x_1,\dots,x_N) + \sum_{i=1}^N \mathrm{ELBO}(x_i)
# + \sum_{j=1}^k \mathrm{ELBO}(X_j)$$  (S7.6)
#
# The $X_j$ are drawn anew at each step: a size that is uniform on $2 \dots N-1$, then one of the
# $\binom{N}{s}$ subsets of that size. So on average a step scores one given subset of $s$
# modalities
#
# $$\frac{k}{(N-2)\binom{N}{s}} \text{ times if } 1 < s < N, \qquad
# \text{and once if } s = 1 \text{ or } s = N .$$
#
# With three modalities and $k = 1$ each pair is scored in a third of the steps; $k = 3$ different
# subsets are all pairs, every time. MVAE19 has $N = 19$ modalities and $k = 1$.

# %%
for M, k in (3, 1), (3, 3), (19, 1):
    w = subset_weights(M, k)
    print(f"M = {M}, k = {k}: a pair {w[1]:.2g}, a subset of {M // 2 + 1} {w[M // 2]:.2g} times")

# %% [markdown]
# With 19 modalities a subset of ten is hardly ever scored; it is the product of experts that others
# train.
#
# ## What is scored unseen?
#
# To generate $x_j$ from $x_i$ alone can be trained directly, by terms that encode $x_i$ and score
# $x_j$. Let term $t$ have the weight $w_t$, encode the modalities $A_t$ and score $B_t$:
#
# $$R_{ij} = \sum_t w_t\,[i \in A_t]\,[j \in B_t,\ j \notin A_t] .$$
#
# In S7.6 $A_t = B_t$ (S6.3). MMVAE's bound (S11.4) has a term for each expert, with weight $1/M$,
# that scores all $M$; MoPoE's one for each of the $2^M - 1$ subsets.
#
# ## Predict, then run
#
# Which objectives score an image from a $z$ that has not seen one: those of MVAE with $k = 0$ and
# with every pair, of MMVAE, of MoPoE?

# %%
digits = load_digits("image+strokes+label", pairs=5)
train, test, rng = digits.train, digits.test, np.random.default_rng(0)
likelihoods = {"image": Binomial(64, n=16), "strokes": Laplace(16, scale="learnt")}
likelihoods["label"] = Categorical(10)
networks = {"latent": 16, "hidden": (128, 128), "activation": "relu"}
systems = {
    "MVAE, k = 0": MVAE(likelihoods, **networks),
    "MVAE, k = 3": MVAE(likelihoods, subsets=3, **networks),
    "MMVAE": MMVAE(likelihoods, **networks),
    "MoPoE": MoPoE(likelihoods, **networks),
}
names = tuple(likelihoods)
subsets = [s for size in (1, 2, 3) for s in combinations(names, size)]
one = {name: values[:1] for name, values in test.x.items()}
choices = "all four", "all but MVAE, k = 0", "the mixtures"
predict("13-unseen", "Which objectives score an image from a z that has not seen one?", *choices)
unseen = {}
for system, model in systems.items():
    theta, noise = model.init(rng), model.draw_noise(rng, 1, 1)
    terms = model.terms(theta, one, **noise)
    given = np.array([[name in term.subset for name in names] for term in terms])
    scored = given if isinstance(model, MVAE) else np.ones_like(given)  # S7.6, S11.4
    weight = np.array([term.weight[0] for term in terms])
    unseen[system] = scored_unseen(given, scored, weight)[0, 1]
    print(f"{system}: {len(terms)} terms, R = {unseen[system]:.3f} for each i and j")
mvae = [unseen["MVAE, k = 0"] > 0, unseen["MVAE, k = 3"] > 0]
outcome("13-unseen", choices[mvae.index(True) if any(mvae) else 2])

# %% [markdown]
# No term of MVAE scores what its $z$ has not seen, whatever the $X_j$ are: nothing crosses over but
# by experts that agree on one $z$ (L12).
#
# ## Does more input help?
#
# If $p$ is the law of the data, yes, on average, whatever is added (S10.d):
#
# $$\mathbb{E}\log p(x_1|x_2,x_3) - \mathbb{E}\log p(x_1|x_2)
# = \mathbb{E}\,D_{KL}\big(p(x_1|x_2,x_3)\,\big\|\,p(x_1|x_2)\big) \ge 0 ,$$
#
# with 0 if $x_1$ and $x_3$ are independent given $x_2$. So are image and strokes here, given the
# label: they were paired at random within a class. But a model's $p$ is not the law of the data,
# nor its $q(z|X)$ its posterior; then nothing forbids that more input harms.
#
# For one system it can be said in advance. MMVAE's $q_\Phi(z|x_2,x_3)$ is
# $\tfrac12 q(z|x_2) + \tfrac12 q(z|x_3)$ (S11.3), so its rate of right generations given both is
# **the mean of the two rates given one**: never better than the better one. MoPoE adds the product
# of the two as a third component.

# %%
judges, steps = {"label": lambda mean: mean.argmax(axis=1)}, 150 if FAST else 1200
for name in "image", "strokes":
    judge = Classifier(likelihoods[name], hidden=(128,))
    x, rows = np.unique(train.x[name], axis=0, return_index=True)
    judge.fit(x, train.label[rows], steps=150 if FAST else 400, progress=False)
    judges[name] = judge.predict
    print(f"the judge of {name} is right on {judge.accuracy(test.x[name], test.label):.1%}")
hits = {}
for system, model in systems.items():
    model.fit(train.x, steps=steps, anneal=steps // 3, progress=False)
    for given in subsets:
        made = model.generate({name: test.x[name] for name in given}, rng=rng)
        for target in names:
            hits[system, given, target] = judges[target](made[target]) == test.label

# %% [markdown]
# ## Predict, then run
#
# The image is generated from the strokes, from the label, and from both. A label says which digit;
# can strokes beside it do harm? In a product, and in a mixture?

# %%
choices = "it rises", "it falls"
predict("13-harm", "MMVAE: strokes are added to the label. The rate of right images?", *choices)
asked = [(target, given) for target in names for given in subsets if target not in given]
rows = [["given and target", *systems, "MMVAE, mean of two"]]
for target, given in asked:
    rates = [hits[system, given, target].mean() for system in systems]
    parts = [hits["MMVAE", (name,), target].mean() for name in given]
    rows.append([f"{' + '.join(given)} → {target}", *rates, np.mean(parts)])
    print(f"{rows[-1][0]:25s}", *(f"{rate:6.1%}" for rate in rows[-1][1:]))
print("columns:", *rows[0][1:], sep="  ")
gains = {}
for target in names:
    both = tuple(name for name in names if name != target)
    for given, added in permutations(both):
        found = [synergy(hits[s, both, target], hits[s, (given,), target]) for s in systems]
        gains[target, given, added] = [100 * mean for mean, _ in found]
        text = (f"{100 * mean:+6.1f} ± {100 * error:.1f}" for mean, error in found)
        print(f"{target} from {given}, {added} added:".ljust(38), *text)
outcome("13-harm", choices[int(gains["image", "label", "strokes"][2] < 0)])
points = np.array(list(gains.values()))
ends = {system: (points[:, i].min(), points[:, i].max()) for i, system in enumerate(systems)}
finding = "One more modality changes the rate of right digits\n"
finding += "by {:+.0f} to {:+.0f} points in MVAE, k = 3".format(*ends["MVAE, k = 3"])
finding += ", by {:+.0f} to {:+.0f} in MMVAE".format(*ends["MMVAE"])
figure, axis = plots.canvas(7.6, 4.6, title=finding.replace("-", "−"))
for i, system in enumerate(systems):
    style = {"color": plots.COLOURS[i], "markersize": 8, "label": system, "linestyle": "none"}
    rates = [100 * row[1 + i] for row in rows[1:]]
    axis.plot(rates, np.arange(9) + 0.16 * (i - 1.5), marker=plots.MARKERS[i], **style)
axis.set(yticks=range(9), yticklabels=[row[0] for row in rows[1:]], xlabel="right digits, %")
axis.hlines([2.5, 5.5], 0, 100, color="0.8", linewidth=1)
axis.invert_yaxis()
figure.legend(loc="outside lower center", ncols=4, frameon=False)
keep(figure, "13-coherence", alt=finding.replace("\n", " "), numbers=rows)

# %% [markdown]
# In a product each expert that is given adds precision (S7.5). In MMVAE's mixture one of them draws
# $z$: its rate given two is the mean of the two in the last column, up to chance.
#
# ## Predict, then run: what the pairs buy
#
# S7.6 scores no pair with $k = 0$, and every pair at every step with $k = 3$. Is a pair's ELBO then
# higher on test digits?

# %%
choices = "of all three", "of some", "of none"
predict("13-pairs", "Of which pairs is the ELBO higher with k = 3?", *choices)
every = systems["MVAE, k = 3"]
pairs = [given for given in subsets if len(given) == 2]
sampled = np.array([[name in given for name in names] for given in pairs])
eps = every.draw_noise(rng, len(test.label), 4)["eps"]
elbos = {}
for system in "MVAE, k = 0", "MVAE, k = 3":
    terms = every.terms(systems[system].theta, test.x, eps=eps, sampled=sampled)
    elbos[system] = {term.subset: (term.reconstruction - term.kl).mean() for term in terms}
bought = {given: elbos["MVAE, k = 3"][given] - elbos["MVAE, k = 0"][given] for given in subsets}
for given in subsets:
    values = (f"{found[given]:8.2f}" for found in elbos.values())
    print(f"ELBO({', '.join(given)})".ljust(30), *values, f"  {bought[given]:+.2f}")
higher = sum(bought[given] > 0 for given in pairs)
outcome("13-pairs", choices[0 if higher == 3 else 1 if higher else 2])

# %% [markdown]
# One seed each: what a single run shows may be its seed. The results page
# (`lessons/results/README.md`, digits-three) has five, and log likelihoods too.
#
# ## The claims

# %%
holds(
    "every_draw_counted_gives_the_weights",
    "the_weights_add_up_to_the_number_of_terms",
    "random_subsets_stand_for_all",
    "each_distinct_subset_is_scored_once",
    "a_pair_counts_where_its_target_was_not_seen",
    "only_mixtures_score_what_they_have_not_seen",
    "the_mixture_averages_densities",
)

# %% [markdown]
# Next: L14 takes the systems of slide 8's table one by one. Your turn: `mmvae-edu check L13`: how
# often a subset is scored, what is scored unseen, and, line by line, why more input helps.

# %% [markdown]
# ## Sources
#
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   sub-sampled training, and MVAE19.
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: synergy as a criterion.
# - Sutter, Daunhawer and Vogt (2021), *Generalized Multimodal ELBO*: MoPoE, and coherence by the
#   given subset.
