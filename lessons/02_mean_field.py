# %% [markdown]
# # L02  Chain rule and mean field
#
# Slide 4 writes a joint probability by the chain rule, then as a product of independent factors.
# The first is always exact. What does the second lose, and which independence does a VAE need?

# %%
from itertools import permutations

import numpy as np

from mmvae_edu import VAE
from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.likelihoods import Binomial
from mmvae_edu.oracles import DiscreteModel
from mmvae_edu.report import diagrams, plots
from mmvae_edu.slides.s04_mean_field import (
    cavi_step,
    chain_rule_logp,
    gaussian_mean_field,
    product_of_marginals,
    total_correlation,
)
from mmvae_edu.slides.s05_evidence import kl

# %% [markdown]
# ## The chain rule
#
# By definition $P(x_2|x_1) = P(x_1, x_2)/P(x_1)$. Each factor's numerator is the next one's
# denominator, so the product telescopes to the joint:
#
# $$P(x_1, \dots, x_n) = P(x_1)\,P(x_2|x_1)\,P(x_3|x_2,x_1) \cdots
# P(x_n|x_{n-1}, \dots, x_1)$$  (S4.1)
#
# Nothing was assumed, and the numbering was arbitrary: any order of the variables gives the same
# product from different factors.

# %%
rng = np.random.default_rng(0)
table = rng.dirichlet(np.ones(24)).reshape(2, 3, 4)
for order in permutations(range(3)):
    factors = chain_rule_logp(np.log(table), order)
    error = np.abs(np.exp(factors.sum(axis=0)) - table).max()
    first = np.exp(factors[:, 0, 0, 0]).round(3).tolist()
    print(f"order {order}: factors at (0, 0, 0) {first}, product off by at most {error:.0e}")

# %% [markdown]
# ## Mean field
#
# $$Q(x_1, x_2, \dots, x_n) = Q(x_1)\,Q(x_2) \cdots Q(x_n)$$  (S4.2)
#
# This is a family of distributions, not an identity. Which member is the best depends on which
# divergence from $P$ is to be the smallest. The slide's arrow (S4.arrow) goes to the whole
# family; in variational inference *mean field* is one member, the best by the second divergence.
#
# **Forward, $D_{KL}(P\,\|\,Q)$.** Insert the product of marginals $\prod_i P(x_i)$:
#
# $$D_{KL}(P\,\|\,Q) = D_{KL}\Big(P\,\Big\|\,\prod_i P(x_i)\Big)
# + \sum_i D_{KL}(P(x_i)\,\|\,Q(x_i))$$
#
# The first part does not contain $Q$; the second is 0 at $Q(x_i) = P(x_i)$. So **the product of
# the marginals is the best**, and what it loses, $\sum_i H(x_i) - H(x)$, is the **total
# correlation**. It is 0 if and only if the variables are independent.
#
# **Reverse, $D_{KL}(Q\,\|\,P)$.** This is what variational inference minimises, since its
# expectations are under $Q$. Fix all factors but one, and let $f(x_i)$ be the expectation of
# $\log P(x)$ over the others. Up to a constant
#
# $$D_{KL}(Q\,\|\,P) = \sum_{x_i} Q(x_i) \left[ \log Q(x_i) - f(x_i) \right] + \dots$$
#
# which is the divergence of $Q(x_i)$ from $e^{f}$ normalised: the best factor is
# $Q(x_i) \propto e^{f(x_i)}$. No such step raises the divergence; taking them in turn is coordinate
# ascent variational inference (CAVI). A minimiser of $D_{KL}(Q\,\|\,P)$ is mean field in this
# narrow sense.
#
# ## Predict, then run
#
# Two bits that are nearly always equal: 48% both 0, 48% both 1. What does the product of the
# marginals look like?

# %%
ENDS = "0.5, as the marginals", "nearer to 1", "nearer to 0"
predict("02-cavi", "CAVI starts at Q(0) = 0.9 for both bits. Where does Q(0) end?", *ENDS)
P = np.array([[0.48, 0.02], [0.02, 0.48]])


def cavi(start, rounds=60):
    """The product that coordinate steps reach when both bits start at Q(0) = start."""
    q = [np.array([start, 1 - start])] * 2
    for step in range(2 * rounds):
        q[step % 2] = cavi_step(np.log(P), list(q), step % 2)
    return np.outer(*q)


marginals = product_of_marginals(P)
tables = {"P": P, "marginals": marginals, "CAVI from 0.9": cavi(0.9), "CAVI from 0.1": cavi(0.1)}
rows = [["table", "Q(0)", "KL(P||Q)", "KL(Q||P)"]]
rows += [[name, Q[0].sum(), kl(P, Q), kl(Q, P)] for name, Q in tables.items()]
for name, zero, forward, reverse in rows[1:]:
    print(f"{name:14} Q(0) {zero:.4f}  KL(P‖Q) {forward:.6f}  KL(Q‖P) {reverse:.6f}")

finding = f"By KL(Q‖P) either corner ({rows[3][3]:.3f}) beats the product of marginals"
finding += f" ({rows[2][3]:.3f})"
figure, axes = plots.canvas(9.6, 3.4, 1, 4, title=finding)
for axis, (name, Q), (*_, forward, reverse) in zip(axes, tables.items(), rows[1:], strict=True):
    axis.imshow(Q, cmap="Blues", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(Q):
        colour = "white" if value > 0.5 else plots.INK
        axis.text(j, i, f"{value:.3f}", ha="center", va="center", color=colour)
    axis.set(title=name, xticks=[0, 1], yticks=[0, 1], ylabel="first bit")
    axis.set(xlabel=f"second bit\nKL(P‖Q) {forward:.3f}\nKL(Q‖P) {reverse:.3f}")
outcome("02-cavi", ENDS[int(np.sign((rows[3][1] - 0.5).round(3)))])
keep(figure, "02-two-modes", alt=finding, numbers=rows)

# %% [markdown]
# The product of marginals covers both cases and gives half of its mass to pairs that hardly occur.
# Mean field avoids those pairs, and here it must then settle on one of the two cases: there are two
# equally good optima, and the start decides between them. Neither table is wrong: each minimises
# another divergence.
#
# ## Two Gaussians
#
# For $P = N(\mu, \Sigma)$ each CAVI step gives a Gaussian factor with the variance
# $1/(\Sigma^{-1})_{ii}$, that of $x_i$ **given the others**, at most the marginal $\Sigma_{ii}$.
# Its mean depends on the other factors' means, and is $\mu_i$ once the steps have converged. Two
# unit Gaussians with correlation $\rho$: variances $1 - \rho^2$, and
# $D_{KL}(Q\,\|\,P) = -\tfrac12 \log(1 - \rho^2)$. So if the posterior is a correlated **Gaussian**,
# a mean-field $q(z|x)$ has too little variance in each correlated dimension. Other posteriors may
# be free of this: for two weakly coupled bits CAVI ends at the exact marginals, with more entropy
# than $P$.

# %%
rho = 0.9
_, var = gaussian_mean_field(np.zeros(2), np.array([[1, rho], [rho, 1]]))
print(f"correlation {rho}: variances {var.round(6).tolist()}, the marginals have 1")
print(f"KL(Q‖P) = {-0.5 * np.log(1 - rho**2):.6f} nats")
weak, q = np.array([[0.3, 0.2], [0.2, 0.3]]), [np.array([0.9, 0.1])] * 2
for step in range(120):
    q[step % 2] = cavi_step(np.log(weak), list(q), step % 2)
entropies = [-(table * np.log(table)).sum() for table in (np.outer(*q), weak)]
print(f"weakly coupled bits: CAVI {np.outer(*q).round(4).tolist()}, P {weak.tolist()}")
print(f"entropy {entropies[0]:.4f} nats, of P {entropies[1]:.4f}")

# %% [markdown]
# ## Which independence a VAE assumes
#
# Slide 4 writes the product for the **data**, $Q(x_1) \cdots Q(x_n)$. If the $x_i$ are the examples
# of $X$, drawn independently, it holds. If they are pixels, a model of this form can learn only how
# often each is inked. The method needs it in two other places.
#
# The inference net, a distribution over codes $z$ for each $x$ of the data $X$:
#
# $$q_\phi(z|x) = \prod_{j=1}^J N(z_j; \mu_j(x), \sigma_j^2(x))$$  (S4.3)
#
# Slide 4 has the left side only. The product is this course's reading of it; slide 5 has the $J$,
# which is `D` in the code. This is a mean-field family for $z$, an **approximation** of $p(z|x)$:
# the bound is as tight as with the best unrestricted $q$ only if the posterior has this form.
#
# The generation net, which draws $z$ and then the pixels of a new $x'$:
#
# $$P_\theta(z)\,P_\theta(x'|z), \qquad P_\theta(x'|z) = \prod_d P_\theta(x'_d|z)$$  (S4.4)
#
# This is part of the **model**. The marginal $P_\theta(x') = \sum_z P_\theta(z) \prod_d
# P_\theta(x'_d|z)$ may be dependent, since all pixels share $z$.
#
# ## Predict, then run
#
# The VAE of slide 4 (S4.figure), drawn from the library's model.

# %%
WAYS = "from z to x", "from x to z"
predict("02-arrow", "In the model, which way does the arrow between z and x go?", *WAYS)
vae, net = VAE({"image": Binomial(64, n=16)}), {"labels": diagrams.NETS, "width": 1.4}
panels = {"(a)": lambda axis: diagrams.GraphicalModel(axis, vae)}
panels["(b)"] = lambda axis: diagrams.System(axis, vae, **net)
finding = "A VAE: (a) the model draws z, then x; (b) one net from X to z, one from z to X'"
figure, arrows = diagrams.panels(panels, finding)
outcome("02-arrow", WAYS[("(a)", "z", "x1") not in arrows])
keep(figure, "02-vae", alt=finding, numbers=[("panel", "from", "to"), *arrows])

# %% [markdown]
# Below, three binary pixels are independent for either value of $z$. Are they independent?

# %%
ink = np.array([[0.9, 0.8, 0.9], [0.1, 0.3, 0.2]])  # p(x_d = 1 | z), a row for each z
log_lik = np.log(np.stack([1 - ink, ink], axis=-1)).swapaxes(0, 1)  # pixel, z, x_d
model = DiscreteModel(np.log([0.6, 0.4]), log_lik)
log_joint = np.array([model.log_joint(x) for x in model.all_x()]).reshape(2, 2, 2, 2)
pixels = np.exp(log_joint)  # p(x_1, x_2, x_3, z)
for z in range(2):
    given = pixels[..., z] / pixels[..., z].sum()
    print(f"total correlation given z = {z}: {abs(total_correlation(given)):.0e} nats")
print(f"total correlation of p(x):     {total_correlation(pixels.sum(axis=-1)):.4f} nats")

# %% [markdown]
# Slide 4 also asks: why $q(z|x)$? The posterior is $p(z|x) = p(x,z)/p(x)$, and $p(x)$ is an
# integral over all $z$ that in general has no closed form. So $q(z|x)$ approximates it; L04
# measures what that gains.
#
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation in random models with a few states, and
# switches off one assumption after another to see which ones it needs.

# %%
derived("s04_chain_rule", "s04_generation")

# %% [markdown]
# ## The claims

# %%
holds(
    "chain_rule_is_exact_in_any_order",
    "each_factor_is_a_conditional",
    "marginals_are_multiplied",
    "marginals_minimise_forward_kl",
    "total_correlation_is_lost_entropy",
    "independence_has_no_total_correlation",
    "cavi_averages_log_p",
    "cavi_never_decreases_the_bound",
    "mean_field_picks_one_of_two_modes",
    "mean_field_variance_is_conditional",
    "correlation_shrinks_mean_field",
    "mean_field_may_keep_the_marginals",
)

# %% [markdown]
# And for the two nets: one network serves every $x$; what the generation net draws has the
# probability $p(x')$; a modality given the code is a factor that can be dropped (slide 6); and the
# divergence of a factorised $q$ from the prior is a sum over dimensions (slide 5).

# %%
holds(
    "one_net_serves_every_x",
    "drawing_z_then_x_has_the_marginals_law",
    "data_depend_until_z_is_given",
    "dropping_a_factor_is_marginalising",
    "l1_is_minus_the_integral",
)

# %% [markdown]
# Next: L03 shows what an approximate $q(z|x)$ costs: exactly $D_{KL}(q(z|x)\,\|\,p(z|x))$.
#
# Your turn: `mmvae-edu check L02`.

# %% [markdown]
# ## Sources
#
# - Bishop (2006), *Pattern Recognition and Machine Learning*, chapter 10: mean field, its
#   coordinate steps, and the two Gaussians.
# - Blei, Kucukelbir and McAuliffe (2017), *Variational Inference: A Review for Statisticians*:
#   CAVI.
# - Watanabe (1960), *Information Theoretical Analysis of Multivariate Correlation*: the total
#   correlation.
