# %% [markdown]
# # L09  The weighted ELBO and conditional independence
#
# Slide 6 puts weights on the two parts of the lower bound, and lets $x$ be a set of modalities,
# some of which may be missing. What is it then a bound of? (Its $n$ is `M` here.)

# %%
from functools import partial
from itertools import product

import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.likelihoods import Normal
from mmvae_edu.models import MVAE
from mmvae_edu.ops import log_sum_exp
from mmvae_edu.oracles import DiscreteModel, LinearGaussian, log_integrate, log_normal
from mmvae_edu.report import diagrams, plots
from mmvae_edu.slides.s06_weighted_elbo import log_joint_subset, subset_elbo

# %% [markdown]
# ## A missing modality is a factor left out
#
# $$p(x_1, x_2, \dots, x_n, z) = p(z)\, p(x_1|z)\, p(x_2|z) \cdots p(x_n|z)$$  (S6.2)
#
# Given $z$ the modalities are independent; without it, in general not. If $x_2$ is missing and,
# given what is present, its value does not affect that (*missing at random*), it is summed out:
#
# $$\sum_{x_2} p(x_1, x_2, x_3, z) = p(z)\, p(x_1|z)\, p(x_3|z) \sum_{x_2} p(x_2|z)
# = p(z)\, p(x_1|z)\, p(x_3|z) .$$
#
# A probability sums to 1, so **marginalising is dropping the factor**: exact, and free. Filling in
# a zero instead scores an observation nobody made.

# %%
rng = np.random.default_rng(0)
model = DiscreteModel.random(rng, S=5, M=3, V=4)
x = [3, 1, 2]
log_pz = model.log_prior[:, None]  # states in place of samples: (K, N)
log_px_z = np.stack([table[:, [symbol]] for table, symbol in zip(model.log_lik, x, strict=True)])
masks = np.array(sorted(product([True, False], repeat=3), key=sum)[1:])
names = [" ".join(f"x{m + 1}" for m in np.flatnonzero(mask)) for mask in masks]

print("present    dropped    summed out")
for name, mask in zip(names, masks, strict=True):
    (dropped,), _ = log_sum_exp(log_joint_subset(log_pz, log_px_z, mask=mask[:, None])[0], axis=0)
    agree = [y for y in model.all_x() if np.array_equal(np.array(y)[mask], np.array(x)[mask])]
    summed_out = np.log(sum(np.exp(model.log_joint(y)).sum() for y in agree))
    print(f"{name:9} {dropped:9.5f}   {summed_out:9.5f}")

# %% [markdown]
# ## The ELBO of a set
#
# $$\mathrm{ELBO}(X) = \mathbb{E}_{q(z|X)}\Big[\sum_{x_i \in X} \lambda_i \log p(x_i|z)\Big]
# - \beta\, KL[q(z|X), p(z)]$$  (S6.3)
#
# With one modality this is the slide's first line, $\mathrm{ELBO}(x)$ (S6.1). At
# $\lambda = \beta = 1$ it is $\mathbb{E}_q \log p(X, z)/q$, and L03 applies to the set $X$:
#
# $$\mathrm{ELBO}(X) = \log p(X) - KL(q\,\|\,p(z|X)) \le \log p(X) .$$
#
# It contains the KL to the prior *once*, however many modalities there are.
#
# ## Predict, then run
#
# One $q$ for all subsets: the exact posterior of all three symbols.

# %%
predict("09-tight", "For how many of the seven subsets X is ELBO(X) equal to log p(X)?")


def exact_elbo(q, mask):
    """ELBO(X) as a sum: each state is one sample in its own column; q averages the columns."""
    columns = log_px_z.transpose(0, 2, 1), (model.log_prior - np.log(q))[None]
    elbo, _ = subset_elbo(*columns, mask=mask[:, None], weights=(1, 1, 1))
    return q @ elbo


q = model.posterior(x)
evidence = np.array([model.log_evidence(x, mask) for mask in masks])
bounds = np.array([exact_elbo(q, mask) for mask in masks])
gaps = [q @ np.log(q / model.posterior(x, mask)) for mask in masks]
print("present     log p(X)    ELBO(X)   KL(q || p(z|X))")
for name, *values in zip(names, evidence, bounds, gaps, strict=True):
    print(f"{name:9}", *(f"{value:10.5f}" for value in values))
outcome("09-tight", int(np.isclose(bounds, evidence).sum()))
finding = f"The posterior of all is tight for all only: gaps 0 to {max(evidence - bounds):.2f} nats"
figure, axis = plots.canvas(7.2, 4, title=finding)
place = np.arange(7)
axis.vlines(place, bounds, evidence, color="#999999", linewidth=2)
axis.plot(place, evidence, "o", color=plots.COLOURS[0], markersize=8, label="log p(X)")
axis.plot(place, bounds, "s", color=plots.COLOURS[1], markersize=6, label="ELBO(X)")
axis.set(xticks=place, xticklabels=names, xlabel="present modalities X", ylabel="nats")
axis.legend(frameon=False)
numbers = [["present", "log p(X)", "ELBO(X)"], *zip(names, evidence, bounds, strict=True)]
keep(figure, "09-subsets", alt=finding, numbers=numbers)

# %% [markdown]
# Symbols have probabilities of at most 1, so a further modality never raises $\log p(X)$; a density
# may. A $q$ that is tight for every $X$ must depend on *which* modalities are present.
#
# ## Predict, then run: slide 6's Figure 1
#
# In MVAE (S6.method-1) it does: the experts $\mu_i, \sigma_i$ of those present and the prior's
# $\mu_0, \sigma_0$ are multiplied (L11). Of five modalities (S6.figure-1a) (S6.figure-1b) the
# second is missing (S6.figure-1c), its data NaN: a factor 0 would not do, as $0 \cdot$ NaN is NaN.

# %%
predict("09-silent", "How many of the five encoders and five decoders get no gradient?")
network = MVAE({f"x{m}": Normal(3) for m in range(1, 6)}, latent=2, hidden=(5,))
theta = network.init(rng, dtype=np.float64)
data = {name: rng.normal(size=(6, 3)) for name in network.modalities}
data["x2"][...] = np.nan
present = np.array([[name != "x2"] * 6 for name in data])
eps = rng.standard_normal(network.noise_shape(6, 1))
_, pullback = network.bound(theta, data, mask=present, eps=eps)
dw = network.tree.views(pullback(np.ones(6)))
silent = [f"{part} {name[1]}" for name in dw for part in ("encoder", "decoder")
          if not dw[name][part]["W0"].any()]  # fmt: skip
print("no gradient:", *silent)
outcome("09-silent", len(silent))
drawings = {"(a) the graphical model": lambda axis: diagrams.GraphicalModel(axis, network)}
for caption, missing in ("(b) all modalities", []), ("(c) modality 2 is missing", ["x2"]):
    options = {"only": diagrams.terms(network)[:1], "parameters": True, "missing": missing}
    drawings[caption] = partial(diagrams.System, model=network, **options)
finding = f"Only {' and '.join(silent)} rest; the others serve (b) and (c)"
figure, arrows = diagrams.panels(drawings, finding, columns=1)
keep(figure, "09-figure-1", alt=finding, numbers=[["panel", "from", "to"], *arrows])

# %% [markdown]
# ## What the weights do
#
# $\lambda_i$ lets a small modality (a label) count beside a large one; $\beta$ weighs the KL. Is it
# a bound? Let all $\lambda_i = \lambda$, and $p(x|z)$ be the product. With
# $q^* \propto p(z)\,p(x|z)^{\lambda/\beta}$, whose normaliser is
# $C = \mathbb{E}_{p(z)}\, p(x|z)^{\lambda/\beta}$,
#
# $$\lambda\, \mathbb{E}_q \log p(x|z) - \beta\, KL(q\,\|\,p) = \beta \log C
# - \beta\, KL(q\,\|\,q^*) .$$
#
# So the best $q$ is $q^*$, not the posterior. It is a bound for every $q$ if and only if
#
# $$\beta \log \mathbb{E}_{p(z)}\, p(x|z)^{\lambda/\beta} \;\le\; \log \mathbb{E}_{p(z)}\, p(x|z)
# = \log p(x) .$$
#
# At $\lambda = 1$ these are power means: it holds for $\beta \ge 1$, and fails for $\beta < 1$
# unless $p(x|z)$ is the same for all $z$. At $\beta = 1$ the left side is convex in $\lambda$,
# equals the right side at $\lambda = 1$, and has there the slope $\mathbb{E}_{p(z|x)} \log p(x|z)$.
# If this is negative, no $\lambda < 1$ gives a bound; if it is positive, no $\lambda > 1$ does. For
# symbols it is never positive, since $p(x|z) \le 1$. A density, as of three features with a noise
# of 0.1 or 0.35, may have either sign.

# %%
loadings = {"x": np.array([[1.0], [-0.6], [0.3]])}
twins = {noise: LinearGaussian(loadings, {"x": np.zeros(3)}, {"x": noise}) for noise in (0.1, 0.35)}
seen = {noise: twin.sample(np.random.default_rng(0), 1)[1] for noise, twin in twins.items()}


def excess_symbols(lam, beta):
    """The best weighted ELBO minus log p(x), in nats: positive where it is no bound."""
    tempered, _ = log_sum_exp(model.log_prior + lam / beta * log_px_z.sum(axis=0)[:, 0], axis=0)
    return beta * tempered - model.log_evidence(x)


def excess_density(lam, beta, noise=0.1):
    twin, x = twins[noise], seen[noise]
    tempered = log_integrate(
        lambda z: log_normal(z, 0, 0) + lam / beta * twin.log_lik(z[:, None], x["x"], "x"), -8, 8
    )
    return beta * tempered - twin.log_prob(x)[0]


for noise, twin in twins.items():
    mean, cov = twin.posterior(seen[noise])
    slope = twin.expected_log_lik(mean, np.log(np.diag(cov)), seen[noise]["x"], "x").item()
    near = [excess_density(lam, 1.0, noise) for lam in (0.9, 1.1)]
    print(f"noise {noise}: E log p(x|z) {slope:+.2f};", end=" ")
    print(f"above log p(x) by {near[0]:+.3f} at lambda 0.9, by {near[1]:+.3f} at 1.1")

# %% [markdown]
# ## Predict, then run
#
# The best value over all $q$, less $\log p(x)$.

# %%
sides = "λ at most 1", "λ at least 1"
predict("09-weights", "At β = 1, for which λ is it a bound of the log p of symbols?", *sides)
lams, betas = np.geomspace(0.4, 2.5, 25), np.geomspace(0.4, 2.5, 25)
figure, axes = plots.canvas(9.5, 4.2, 1, 2, sharey=True)
numbers, bounded = [["oracle", "lambda", "beta", "excess"]], {}
for axis, excess in zip(axes, (excess_symbols, excess_density), strict=True):
    name = excess.__name__[7:]
    surface = np.array([[excess(lam, beta) for lam in lams] for beta in betas])
    bounded[name] = lams[surface[12] < 1e-9]  # row 12 is beta = 1
    mesh = axis.pcolormesh(lams, betas, surface, cmap="PuOr_r", vmin=-3, vmax=3, shading="nearest")
    axis.contourf(lams, betas, surface, [1e-9, 1e9], hatches=["//"], colors="none")
    axis.plot(1, 1, "o", color=plots.INK, markersize=7)
    axis.set(xscale="log", yscale="log", title=name, xlabel="λ")
    for ruler in (axis.xaxis, axis.yaxis):
        ruler.set_ticks([0.5, 1, 2], labels=["0.5", "1", "2"])
        ruler.set_ticks([], minor=True)
    numbers += [[name, lams[i], betas[j], value] for (j, i), value in np.ndenumerate(surface)]
axes[0].set(ylabel="β")
figure.colorbar(mesh, ax=axes, extend="both", label="best value minus log p(x), nats")
outcome("09-weights", sides[int(bounded["symbols"].max() > 1)])
finding = f"At β = 1 it is a bound from λ = {bounded['symbols'].min():.2f} on for symbols, "
finding += f"up to λ = {bounded['density'].max():.2f} for the density (hatched: no bound)"
figure.suptitle(finding, x=0.01, ha="left", fontsize=12)
keep(figure, "09-weights", alt=finding, numbers=numbers)

# %% [markdown]
# The dot is $\lambda = \beta = 1$: it lies on the edge. On the diagonal $q^*$ is the posterior, the
# best value $\beta \log p(x)$: a bound needs $\beta \ge 1$ if $\log p(x) < 0$, and $\beta \le 1$ if
# $\log p(x) > 0$. Whatever the weights in training, models are compared at $\lambda = \beta = 1$.
#
# ## The claims, and the derivations line by line

# %%
derived("s06_independence", "s06_weighted_elbo")
holds(
    "lambda_scales_the_likelihood_and_beta_the_kl",
    "the_elbo_is_a_bound_at_lambda_beta_one",
    "the_best_q_tempers_the_likelihood",
    "near_one_the_expected_log_likelihood_decides",
    "beta_below_one_is_no_bound",
    "lambda_above_one_is_no_bound_on_densities",
    "lambda_below_one_is_no_bound_on_symbols",
    "dropping_a_factor_is_marginalising",
    "what_stands_under_a_mask_does_not_matter",
    "log_joint_subset_gradient",
    "subset_elbo_is_this_expectation",
    "every_subset_elbo_is_a_bound",
    "subset_elbo_misses_the_evidence_by_its_kl",
    "subset_elbo_gradient",
    "mvae_scores_each_subset_by_its_elbo",
    "a_missing_modality_is_no_modality",
)

# %% [markdown]
# Next: L10 asks for the exact posterior of several modalities. Your turn: `mmvae-edu check L09`.

# %% [markdown]
# ## Sources
#
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   the weighted ELBO, and modalities that are independent given $z$.
# - Higgins et al. (2017), *beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
#   Framework*: the weight $\beta$.
# - Rubin (1976), *Inference and Missing Data*: when one may ignore why data are missing.
