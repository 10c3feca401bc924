# %% [markdown]
# # L16  The importance-weighted bound
#
# A VAE averages $\log w$ over its samples; an IWAE takes the logarithm of the average $w$.
# What is gained, how fast, and when does it fail?
#
# Slide 9 calls both lines "LOSS" (S9.loss). They are **bounds to maximise**; a loss would be minus
# them.
# The slide writes $k$ for the number of samples; here it is `K`.

# %%
import math

import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.objectives import effective_sample_size, elbo, iwae
from mmvae_edu.oracles import iwae_continuous, iwae_enumerated, iwae_exact, log_normal
from mmvae_edu.report import plots

# %% [markdown]
# ## The two bounds
#
# With the weight $w = p(x,z)/q(z|x)$,
#
# $$L_1 = \mathbb{E}_{z \sim q(z|x)} \log \frac{p(x,z)}{q(z|x)}$$  (S9.1)
#
# $$L_K = \mathbb{E}_{z_1, \dots, z_K \sim q(z|x)} \log \frac1K \sum_{k=1}^K
# \frac{p(x,z_k)}{q(z_k|x)}$$  (S9.2)
#
# At $K = 1$ both are the ELBO. Two facts follow from the concavity of the logarithm, and a third
# from its Taylor expansion.
#
# **$L_K \le \log p(x)$.** Let $q > 0$ wherever $p(x,z) > 0$. Then the mean weight is unbiased:
# $\mathbb{E}_q w = \sum_z q\,\frac{p(x,z)}{q} = p(x)$. By Jensen's inequality
# $\mathbb{E} \log \bar w \le \log \mathbb{E}\, \bar w = \log p(x)$. (States that $q$ leaves out are
# missing from the mean: $L_K$ is still a bound, but stays below the log of what $q$ covers.)
#
# **$L_K \le L_{K+1}$.** The mean of $K+1$ weights is the mean, over which one is left out, of the
# means of the other $K$. Jensen's inequality for that mean, then the expectation: each of the
# $K+1$ terms is $L_K$.
#
# **The gap closes as $1/K$.** Let $\delta = \bar w/p(x) - 1$. It has mean 0 and variance
# $\mathrm{Var}(w/p(x))/K$, and $\log(1+\delta) \approx \delta - \delta^2/2$, so that
# $K\,(\log p(x) - L_K) \to \tfrac12 \mathrm{Var}(w/p(x))$. This needs a finite variance, and more:
# the weights 0 and $2p(x)$, equally likely, have $\mathrm{Var}(w/p(x)) = 1$, but all $K$ are 0 with
# the chance $2^{-K}$, and every $L_K$ is $-\infty$. Below, the weights have a least value above 0.
#
# ## Exact bounds without a sample
#
# For $W > 0$, $\log W = \int_0^\infty (e^{-t} - e^{-tW})/t\,dt$ (Frullani). Take the expectation
# with $W = \sum_k w_k$. The weights are independent, so $\mathbb{E}\,e^{-tW} = \Lambda(t)^K$ with
# $\Lambda(t) = \mathbb{E}_q\,e^{-tw}$:
#
# $$L_K + \log K = \int_0^\infty \frac{e^{-t} - \Lambda(t)^K}{t}\,dt .$$
#
# $K$ is an exponent, and a hundred thousand samples cost as much as one. Here $z$ has four states,
# $p(x) = 0.01$, and $q$ orders the states in reverse.

# %%
posterior, evidence = np.array([0.7, 0.2, 0.07, 0.03]), 0.01
q = np.array([0.1, 0.2, 0.3, 0.4])
w = evidence * posterior / q
log_evidence = math.log(evidence)
worst = max(abs(iwae_exact(q, w, K) - iwae_enumerated(q, w, K)) for K in range(1, 9))
print(f"Frullani against all multisets, K = 1..8: largest difference {worst:.0e}")
variance = q @ (w / evidence - 1) ** 2
print(f"half the variance of w/p(x): {variance / 2:.4f}\n")
print("     K       L_K        gap   K gap")
for K in 1, 2, 10, 100, 1000, 10_000, 100_000:
    bound = iwae_exact(q, w, K)
    gap = log_evidence - bound
    print(f"{K:6d}  {bound:.6f}  {gap:.2e}  {K * gap:.4f}")
print(f"weights 0 and 2 p(x): L_100 is {iwae_exact([0.5, 0.5], [0, 2 * evidence], 100)}")

# %% [markdown]
# ## The smallest code
#
# `elbo` and `iwae` differ in one reduction of the same log-weights `(K, N)`. Here the `N` columns
# repeat one experiment, so the mean over columns estimates the expectation.

# %%
rng = np.random.default_rng(0)
sizes, repeats = np.array([1, 3, 10, 30, 100, 300, 1000]), 2000
rows = []
for K in sizes.tolist():
    log_w = np.log(w)[rng.choice(4, size=(K, repeats), p=q)]
    (bounds, _), (averages, _) = iwae(log_w), elbo(log_w)
    z = (bounds.mean() - iwae_exact(q, w, K)) / (bounds.std(ddof=1) / math.sqrt(repeats))
    ess = effective_sample_size(log_w).mean()
    rows.append([K, averages.mean(), *np.quantile(bounds, [0.05, 0.5, 0.95]), bounds.mean(), ess])
    print(f"K {K:4d}  elbo {averages.mean():.3f}  iwae {bounds.mean():.4f}  z {z:+.1f}")

# %% [markdown]
# ## Predict, then run
#
# The effective sample size $1/\sum_k \tilde w_k^2$, with the shares
# $\tilde w_k = w_k/\sum_j w_j$, counts how many samples carry the weight.

# %%
predict("16-ess", "To what does ESS/K tend as K grows?", "0", "a number between 0 and 1", "1")
predict("16-draw", "Can one draw of the bound lie above log p(x)?", "yes", "no")
_, averages, low, median, high, means, ess = np.array(rows).T
exact = np.array([iwae_exact(q, w, int(K)) for K in sizes])
finding = f"1000 samples close the gap from {-(exact - log_evidence)[0]:.2f} to "
finding += f"{-(exact - log_evidence)[-1]:.4f} nats; ESS/K settles at {ess[-1] / 1000:.2f}"
figure, (left, right) = plots.canvas(9, 4, 1, 2, title=finding)
left.fill_between(sizes, low, high, color=plots.COLOURS[0], alpha=0.2, label="5% to 95% of draws")
left.plot(sizes, exact, color=plots.COLOURS[0], label="exact $L_K$")
left.plot(sizes, means, "o", color=plots.COLOURS[1], label="mean of 2000 draws")
left.plot(sizes, averages, "s:", color=plots.COLOURS[2], label="mean of log w (VAE)")
left.axhline(log_evidence, color=plots.INK, linestyle="--", label="log p(x)")
left.set(xscale="log", ylim=(-9.6, -2.4), xlabel="K", ylabel="bound, nats")
left.legend(frameon=False, fontsize=9, loc="lower right")
right.plot(sizes, ess / sizes, "o-", color=plots.COLOURS[0])
limit = 1 / (1 + variance)
right.axhline(limit, color=plots.INK, linestyle="--", label=f"1 / (1 + Var) = {limit:.3f}")
right.set(xscale="log", ylim=(0, 1.05), xlabel="K", ylabel="effective sample size / K")
right.legend(frameon=False)
numbers = [["K", "elbo", "low", "median", "high", "iwae", "ess", "exact"]]
numbers += [[*row, value] for row, value in zip(rows, exact, strict=True)]
end = np.digitize(ess[-1] / 1000, [0.01, 0.99])
outcome("16-ess", ("0", "a number between 0 and 1", "1")[end])
outcome("16-draw", "yes" if high.max() > log_evidence else "no")
keep(figure, "16-bound", alt=finding, numbers=numbers)

# %% [markdown]
# One draw may lie above $\log p(x)$: the *expectation* is bounded, not each draw. More samples do
# not raise the expectation of the VAE's mean of logarithms; they only make it less noisy.
#
# ESS$/K$ tends to $(\mathbb{E} w)^2/\mathbb{E} w^2 = 1/(1 + \mathrm{Var}(w/p(x)))$ if this variance
# is finite.
#
# ## Predict, then run: too wide or too narrow?
#
# Let the posterior be $N(0, 1)$ and $q = N(0, v)$. Then $\mathbb{E}_q (w/p(x))^2 = \int
# p(z|x)^2/q\,dz = v/\sqrt{2v-1}$ for $v > \tfrac12$, and infinite for $v \le \tfrac12$. Four $q$:
# too wide ($v = 2$), somewhat too narrow (0.6), too narrow by the factor by which the first is too
# wide (0.5), and much too narrow (0.3).

# %%
widths = 2.0, 0.6, 0.5, 0.3
predict("16-width", "Which q gains least from more samples?", *(f"v = {v}" for v in widths))
K = np.array([1, 10, 100, 1000, 10_000])


def log_joint(z):
    return log_normal(z, 0.0, 0.0)  # the posterior itself, so that log p(x) = 0


gaps = {v: [-iwae_continuous(log_joint, 0.0, math.log(v), k) for k in K] for v in widths}
for v, gap in gaps.items():
    half = (v / math.sqrt(2 * v - 1) - 1) / 2 if v > 0.5 else math.inf
    scaled = "  ".join(f"{k * g:7.3f}" for k, g in zip(K, gap, strict=True))
    print(f"v {v:.1f}  half the variance {half:6.3f}  K gap {scaled}")
slope = math.log10(gaps[0.3][-1] / gaps[0.3][-2])
finding = f"With v = 0.3 the gap falls only as K^{slope:.2f}: the variance of w is infinite"
finding = finding.replace("-", "−")
series = {f"q = N(0, {v})": (K, gap) for v, gap in gaps.items()}
figure = plots.lines(series, finding, "K", "log p(x) − L_K, nats", log_x=True, log_y=True)
numbers = [["K", *(f"v {v}" for v in gaps)], *zip(K, *gaps.values(), strict=True)]
outcome("16-width", f"v = {max(widths, key=lambda v: gaps[v][-1] / gaps[v][0])}")
keep(figure, "16-rate", alt=finding, numbers=numbers)

# %% [markdown]
# For $v \le \tfrac12$ the bound still rises to $\log p(x)$, but no longer at the rate $1/K$:
# `K gap` grows without limit. A finite sample gives little warning: too narrow a $q$ rarely draws
# the large weights. Nor does the ELBO warn. Its gap is $KL(q\,\|\,p(z|x)) =
# \tfrac12(v - 1 - \log v)$, the column of $K = 1$: of two variances that are wrong by the same
# factor, 2 and 0.5, the smaller has the smaller gap. (At 0.3 the gap is larger than at 2.)
#
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation against the one before, in random models with
# a few states, and switches off one assumption after another to see which ones the line needs.

# %%
derived("s09_importance_weights")

# %% [markdown]
# ## The claims

# %%
holds(
    "vae_bound_is_the_expected_log_weight",
    "more_samples_do_not_move_the_vae_bound",
    "iwae_bound_in_expectation",
    "iwae_with_one_sample_is_the_elbo",
    "more_samples_tighten_the_iwae_bound",
    "frullani_needs_no_samples",
    "states_that_q_leaves_out_are_lost",
    "the_gap_closes_as_half_the_variance_over_K",
    "a_finite_variance_is_not_enough",
    "a_narrow_q_breaks_the_rate",
    "of_equally_wrong_variances_the_smaller_has_the_smaller_kl",
    "the_effective_sample_size_is_one_over_the_square",
    "iwae_survives_the_scale_of_slide_8",
    "a_weight_is_joint_over_posterior",
    "with_the_posterior_every_weight_is_the_evidence",
)

# %% [markdown]
# Next: L17 differentiates both bounds, and the shares $\tilde w_k$ appear by themselves.
#
# Your turn: `mmvae-edu check L16`, from `importance_weights` and `effective_sample_size` to the
# `log_weights` of a whole network and Frullani's `iwae_exact`.

# %% [markdown]
# ## Sources
#
# - Burda, Grosse and Salakhutdinov (2015), *Importance Weighted Autoencoders*: the bound, and that
#   it rises with $K$.
# - Nowozin (2018), *Debiasing Evidence Approximations: On Importance-weighted Autoencoders and
#   Jackknife Variational Inference*: the $1/K$ term of the gap.
# - Domke and Sheldon (2018), *Importance Weighting and Variational Inference*: what the rate needs.
# - Kong (1992), *A Note on Importance Sampling using Standardized Weights*: the effective sample
#   size.
