# %% [markdown]
# # L11  Quotient or product, equation (4)
#
# Equation (3) divides by the prior. With exact posteriors that is safe. With networks in their
# place, is the result always a density? And how does equation (4) avoid the quotient (S7.avoid)?
#
# Slide 7 writes $N$ for the number of modalities; here it is `M`. $T$ is a precision, $1/\sigma^2$.

# %%
import math
from itertools import product

import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.gradcheck import check_pullback
from mmvae_edu.oracles import LinearGaussian, integrate, log_normal
from mmvae_edu.posteriors import product_of_experts, quotient_of_experts
from mmvae_edu.report import plots

# %% [markdown]
# ## The trouble with the quotient
#
# For Gaussian $q(z|x_i)$ and $p(z) = N(0,1)$, equation (3) gives in every dimension (L10)
#
# $$T = \sum_{i=1}^N T_i - (N - 1), \qquad T\mu = \sum_{i=1}^N T_i \mu_i .$$
#
# An exact linear-Gaussian posterior has $T_i \ge 1$, since data only add precision; then
# $T \ge 1$. A network may output any $T_i > 0$. Where $\sum_i T_i \le N - 1$, the quotient does not
# fall to 0 at both ends: it cannot be normalised, and there is **no posterior at all**.
#
# ## Equation (4)
#
# The slide avoids this: let the network be $\tilde q(z|x_i)$, and define the approximation with the
# prior already in it:
#
# $$p(z|x_i) \approx q(z|x_i) \equiv \tilde q(z|x_i)\,p(z)$$  (S7.4)
#
# Read "$\equiv$" **up to normalisation**: a product of two densities does not integrate to 1, but
# for Gaussians to $\int \tilde q\,p\,dz = N(\tilde\mu; 0, 1 + \tilde\sigma^2)$. That number does
# not contain $z$, and (3) is only proportional anyway. Put $\tilde q\,p$ in: of $N$ priors above
# and $N-1$ below, one remains:
#
# $$p(z|x_1,\dots,x_N) \propto \frac{\prod_{i=1}^N p(z|x_i)}{\prod_{i=1}^{N-1} p(z)} \approx
# \frac{\prod_{i=1}^N [\tilde q(z|x_i)\,p(z)]}{\prod_{i=1}^{N-1} p(z)}
# = p(z) \prod_{i=1}^N \tilde q(z|x_i)$$  (S7.5)
#
# This is slide 6's product of experts (S6.method-2). With $\tilde T_i = 1/\tilde\sigma_i^2$ the
# exponents add, and the prior is one more expert:
#
# $$T = 1 + \sum_i \tilde T_i, \qquad \mu = \frac1T \sum_i \tilde T_i \tilde\mu_i .$$
#
# $T > 1$ whatever the networks output. What is the exact expert? From (S7.4),
# $\tilde q(z|x_i) \propto p(z|x_i)/p(z) \propto p(x_i|z)$: the likelihood, read as a function of
# $z$. Its integral over $z$ need not be finite: a binary $x_i$ with $p(x_i = 1|z) = \sigma(z)$ has
# none. Then only its product with the prior is a density.

# %%
mu, log_var = np.array([-2.0, 2.5])[:, None, None], np.log([0.4, 0.8])[:, None, None]
(mean, joint_log_var), _ = product_of_experts(mu, log_var)
experts = list(zip(mu.ravel(), log_var.ravel(), strict=True))
for i, (m, lv) in enumerate(experts, start=1):
    mass = integrate(
        lambda z, m=m, lv=lv: np.exp(log_normal(z, m, lv) + log_normal(z, 0, 0)), -12, 12
    )
    formula = math.exp(log_normal(m, 0, math.log(1 + math.exp(lv))))
    print(f"integral of expert {i} times prior: {mass:.6f}, by the formula {formula:.6f}")
T = 1 + np.exp(-log_var).sum()
print(f"product: mean {mean.item():+.4f}  precision {math.exp(-joint_log_var.item()):.4f}")
print(f"by hand: mean {(np.exp(-log_var) * mu).sum() / T:+.4f}  precision {T:.4f}")
for reach in 10, 100:
    mass = integrate(lambda z: 1 / (1 + np.exp(-z)), -reach, reach)
    print(f"integral of sigmoid(z) from −{reach} to {reach}: {mass:.1f}")

# %% [markdown]
# ## Predict, then run
#
# Expert 1 says $-2$, expert 2 says $2.5$, and neither is vague.

# %%
predict("11-width", "How wide is their product?", "as wide as both together", "narrower than each")
predict("11-bumps", "How many bumps has it?")
z = np.linspace(-4.5, 5.5, 201)
curves = {"prior": np.exp(log_normal(z, 0, 0))}
for i, (m, lv) in enumerate(experts, start=1):
    curves[f"expert {i}"] = np.exp(log_normal(z, m, lv))
curves["product"] = np.exp(log_normal(z, mean.item(), joint_log_var.item()))
at_peak = [np.exp(log_normal(mean.item(), m, lv)) for m, lv in experts]
print(f"at its peak the product is {curves['product'].max():.3f},", end=" ")
print("the experts there {:.3f} and {:.4f}".format(*at_peak))
finding = (
    f"The product is narrower than each expert: std {math.exp(joint_log_var.item() / 2):.2f}, "
)
finding += f"at {mean.item():.2f}, between the two".replace("-", "−")
figure, axis = plots.canvas(7.2, 4.2, title=finding)
for i, (name, curve) in enumerate(curves.items()):
    style = {"color": plots.COLOURS[i], "linestyle": plots.DASHES[(i + 1) % 4]}
    axis.plot(z, curve, marker=plots.MARKERS[i], markevery=(5 * i, 20), label=name, **style)
axis.set(xlabel="z", ylabel="density", ylim=(0, None))
axis.legend(frameon=False, loc="upper right")
numbers = [["z", *curves], *zip(z, *curves.values(), strict=True)]
narrowest = min(np.exp(log_var.ravel() / 2))
narrow = math.exp(joint_log_var.item() / 2) < narrowest
outcome("11-width", "narrower than each" if narrow else "as wide as both together")
outcome("11-bumps", np.sum(np.diff(np.sign(np.diff(curves["product"]))) < 0))
keep(figure, "11-product", alt=finding, numbers=numbers)

# %% [markdown]
# The product is 0 wherever an expert is 0. A Gaussian is 0 nowhere: normalised, the product of
# Gaussians can peak where every expert is small, as here. Its precision is the sum of all
# precisions, whether the experts agree or not. So a sharp expert that is wrong decides nearly
# alone. A mixture (L20) is nowhere below $1/M$ of any expert's density.
#
# ## Any subset, one network each
#
# A missing modality is precision 0: its factor is left out. So $N$ experts serve all $2^N$ subsets,
# and the empty one gives the prior. With exact experts each is the exact posterior if that has a
# diagonal covariance. Here it has: the columns of each $W_m$ are drawn orthogonal (L07).

# %%
rng = np.random.default_rng(0)
twin = LinearGaussian.random(rng, 2, {"a": 3, "b": 4, "c": 2})
_, x = twin.sample(rng, 5)
parameters = [twin.expert_without_prior(x[m], m) for m in x]
exact_mu, exact_log_var = (np.stack(p) for p in zip(*parameters, strict=True))  # (M, N, D)
for present in product([False, True], repeat=3):
    mask = np.repeat(np.array(present)[:, None], 5, axis=1)
    (mean, joint_log_var), _ = product_of_experts(exact_mu, exact_log_var, mask=mask)
    names = [m for m, here in zip(x, present, strict=True) if here]
    exact_mean, cov = twin.posterior(x, names)
    covs = np.exp(joint_log_var)[..., None] * np.eye(2)  # diagonal, one for each example
    error = max(np.abs(mean - exact_mean).max(), np.abs(covs - cov).max())
    print(f"given {' '.join(names) or 'nothing':8s} var {np.diag(cov).round(4)}  error {error:.0e}")

# %% [markdown]
# ## The gradient by hand
#
# Write $\ell = \log\sigma^2$ and let $s_i = \tilde T_i / T$ be expert $i$'s **share** of the
# precision. Then $\mu = \sum_i s_i \tilde\mu_i$, and from
# $\ell = -\log(1 + \sum_i e^{-\tilde\ell_i})$:
#
# $$\frac{\partial \mu}{\partial \tilde\mu_i} = s_i, \qquad
# \frac{\partial \ell}{\partial \tilde\ell_i} = s_i, \qquad
# \frac{\partial \mu}{\partial \tilde\ell_i} = -s_i (\tilde\mu_i - \mu) .$$
#
# The last: making expert $i$ vaguer moves the mean away from it. The shares are also what keeps
# the arithmetic safe: they are a softmax of $(0, -\tilde\ell_1, \dots, -\tilde\ell_N)$, with the
# prior's $\log T = 0$ first, so no precision is ever computed that could overflow.

# %%
mu, log_var = rng.normal(size=(2, 3, 4, 2))
error = check_pullback(product_of_experts, mu, log_var, rng=rng)
print(f"the pullback against central differences: error {error:.0e}")
(extreme, extreme_log_var), _ = product_of_experts(
    mu, log_var - np.array([900, 0, 0])[:, None, None]
)
print(f"one expert with log_var below -890: off its mean by {np.abs(extreme - mu[0]).max():.0e}")
for var in 1.0, 1e-3, 1e-6:
    relative = (1 / (var + 1e-8 + 1e-8)) * var - 1
    print(f"public code's var + 2e-8, at var {var:.0e}: precision off by {relative:+.1e} of itself")

# %% [markdown]
# ## Predict, then run
#
# Let networks output $\log\sigma_i^2 \sim N(0,1)$, as may be before training.

# %%
predict("11-two", "Of 100 dimensions, in how many is the quotient (3) of 2 experts no density?")
predict("11-three", "And for 3 experts?", "in more", "in fewer")
without = {}
for M in 2, 3:
    _, _, valid = quotient_of_experts(*rng.normal(size=(2, M, 200_000, 1)))[0]
    without[M] = 1 - valid.mean()
    error = math.sqrt(valid.mean() * without[M] / valid.size)
    print(f"{M} experts: no density in {without[M]:.2%} ± {error:.2%} of the dimensions")
outcome("11-two", 100 * without[2])
outcome("11-three", "in more" if without[3] > without[2] else "in fewer")
draws = rng.normal(size=(2, 400, 1))
_, _, valid = quotient_of_experts(np.zeros_like(draws), draws)[0]
_, product_log_var = product_of_experts(np.zeros_like(draws), draws)[0]
finding = f"The quotient is no density in {np.sum(~valid)} of {valid.size} draws; the product "
finding += f"is one in each, its variance below 1 (largest: {math.exp(product_log_var.max()):.2f})"
figure, axis = plots.canvas(7.6, 5, title=finding.replace("; ", ";\n"))
for level, dash in zip((0, 0.1, 0.5, 1), plots.DASHES, strict=False):
    t = np.linspace(-3.4, 3.4, 2000)
    t = t[np.exp(-t) < 1 + level - math.exp(-4)]
    other = -np.log(1 + level - np.exp(-t))  # T_1 + T_2 − 1 = level
    name = f"quotient's variance {1 / level:g}" if level else "edge: variance without limit"
    axis.plot(t, other, color=plots.INK, linestyle=dash, linewidth=1.2, label=name)
    if level == 0:
        axis.fill_between(t, other, 4, color=plots.COLOURS[1], alpha=0.15, linewidth=0)
for here, colour, marker, name in ((valid, 0, "o", "valid"), (~valid, 1, "X", "no density")):
    points = draws[:, here[:, 0], 0]
    style = {"color": plots.COLOURS[colour], "s": 18, "alpha": 0.8}
    axis.scatter(*points, marker=marker, label=name, **style)
axis.set(xlabel="log_var of expert 1", ylabel="log_var of expert 2", aspect="equal")
axis.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4))
figure.legend(frameon=False, fontsize=9, loc="outside right center")
numbers = [["log_var 1", "log_var 2", "valid"], *zip(*draws[..., 0], valid[:, 0], strict=True)]
keep(figure, "11-quotient", alt=finding, numbers=numbers)

# %% [markdown]
# With two experts this happens only where both are wider than the prior; with three, one of them
# may be narrower. Near the edge the quotient exists, but its variance grows without limit, and so
# does its mean unless $\sum_i T_i \mu_i$ vanishes too. The library marks the invalid dimensions
# (`valid` is False, the values NaN); `abs` or `clip` would only hide them. If the networks are
# limited to $\sigma_i^2 < 1$, every quotient is valid.
#
# Equation (4) has that limit built in: $1/\sigma_i^2 = 1 + \tilde T_i > 1$. The price: no
# $q(z|x_i)$ can be *wider* than the prior. A linear-Gaussian posterior never is; a nonlinear one
# can be, for single $x$.
#
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation against the one before, in random models with
# a few states, and switches off one assumption after another to see which ones the line needs.

# %%
derived("s07_product_of_experts")

# %% [markdown]
# For two Gaussian modalities of a linear model SymPy (`pip install 'mmvae_edu[symbolic]'`) proves
# the same, and the mean and the variance of the product.

# %%
derived("s07_gaussian")

# %% [markdown]
# ## The claims

# %%
holds(
    "one_expert_times_the_prior",
    "product_is_the_product_of_densities",
    "product_recovers_every_posterior",
    "product_is_free_of_order",
    "sharp_and_vague_experts",
    "product_of_experts_gradient",
    "quotient_may_not_be_a_density",
    "one_quotient_in_nine_is_invalid",
    "quotient_of_experts_gradient",
)

# %% [markdown]
# Next: L12 asks which subsets the training objective must score, so that each expert is right by
# itself and not only in the product. Your turn: `mmvae-edu check L11`, `product_of_experts` and
# `quotient_of_experts`.

# %% [markdown]
# ## Sources
#
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   equation (4); their released code adds the `1e-8`.
# - Hinton (2002), *Training Products of Experts by Minimizing Contrastive Divergence*: products of
#   experts.
