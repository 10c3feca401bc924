# %% [markdown]
# # L19  Why a mixture?
#
# Slide 11 asks "Why MoE?" (S11.why-moe) and answers with a formula. What do a product and a mixture
# make of two experts?

# %%
import math

import numpy as np

from mmvae_edu.claims.s11_experts import divided_model
from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.posteriors import mixture_log_prob, product_of_subsets
from mmvae_edu.report import plots
from mmvae_edu.slides.s11_mixture import cross_reconstruction, mixture_moments, reconstruction_cap

# %% [markdown]
# ## "And" or "or"
#
# Of slide 7's expert $\tilde q_m$, $q_m \propto p(z)\,\tilde q_m$ is the posterior of $x_m$ alone.
#
# - **Product** (MVAE): $p(z) \prod_m \tilde q_m(z)$. All must agree: "and".
# - **Mixture** (MMVAE): one expert, drawn by a coin, suffices: "or".
# - **MoPoE**: the mixture of the products of all $2^M - 1$ subsets of modalities.
#
# $$q_\Phi(z|x_{1:M}) = \sum_m \alpha_m\, q_m(z|x_m)$$  (S11.3)

# %%
SUBSETS = {
    "product": [[1, 1]],
    "mixture": [[1, 0], [0, 1]],
    "MoPoE": [[1, 0], [0, 1], [1, 1]],
}


def components(mu, log_var, subsets):
    """Multiply each subset's experts (M, N, D) and the prior: (T, N, D)."""
    subsets = np.array(subsets, dtype=bool)[:, :, None].repeat(mu.shape[1], axis=2)
    return product_of_subsets(mu, log_var, subsets=subsets)[0]


def log_density(z, mu, log_var):
    """Compute the even mixture's log density at z (K, N, D): (K, N)."""
    even = np.full(mu.shape[:2], -math.log(len(mu)))
    return mixture_log_prob(z, mu, log_var, log_alpha=even)[0]


# %% [markdown]
# ## Predict, then run
#
# In the first row the experts agree: one knows the first coordinate of $z$, the other the second.
# In the second row they are in conflict.

# %%
predict(
    "19-conflict", "In conflict, where is the product dense?",
    "at the surer expert", "at both experts", "between them",
)  # fmt: skip
AGREE, CONFLICT = np.array([[[-0.6, 0.4]], [[0.3, -0.6]]]), np.array([[[-2.4, -1.8]], [[2.4, 1.8]]])
CASES = {
    "agreement": (AGREE, np.log([[[0.15, 1.5]], [[1.5, 0.15]]])),
    "conflict": (CONFLICT, np.full((2, 1, 2), np.log(0.4))),
}
line = np.linspace(-3.5, 3.5, 141)
z = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 1, 2)
edge, rows = -2 * math.log(0.1), [["experts", "posterior", "mass in neither"]]
figure, axes = plots.canvas(10.5, 7.4, 2, 3, sharex=True, sharey=True)
for row, (case, experts) in zip(axes, CASES.items(), strict=True):
    mean, log_var = (part.swapaxes(0, 1) for part in components(*experts, SUBSETS["mixture"]))
    distance = ((z - mean) ** 2 / np.exp(log_var)).sum(axis=-1)  # from each q_m: (K, 2)
    neither = (distance > edge).all(axis=1)  # 90% of q_m lies below the edge
    for axis, (name, subsets) in zip(row, SUBSETS.items(), strict=True):
        density = np.exp(log_density(z, *components(*experts, subsets)))[:, 0]
        rows.append([case, name, density[neither].sum() / density.sum()])
        levels = np.linspace(0.04, 1, 8) * density.max()
        axis.contourf(line, line, density.reshape(141, 141), levels, cmap="Blues")
        for m in range(2):
            style = {"colors": plots.COLOURS[1 + m], "linestyles": plots.DASHES[1 + m]}
            axis.contour(line, line, distance[:, m].reshape(141, 141), [edge], **style)
        axis.set(title=f"{name}, {case}\n{rows[-1][2]:.0%} in neither expert", aspect="equal")
finding = "In conflict the product lies where neither expert does; the mixture keeps both\n"
finding += "(dashed: 90% of each expert's mass, with the prior)"
figure.suptitle(finding, x=0.01, ha="left", fontsize=12)
outcome("19-conflict", "between them" if rows[4][2] > 0.9 else "at both experts")
keep(figure, "19-experts", alt=finding.replace("\n", " "), numbers=rows)

# %% [markdown]
# In agreement the product is sharper than either expert: it adds what they know. Conflict does not
# widen it: a Gaussian product's precision does not depend on the means (L11). The mixture keeps
# both, but is no sharper than they are: a draw is one expert's. With
# $\bar\mu = \sum_m \alpha_m \mu_m$ its variance is
#
# $$\sigma^2 = \sum_m \alpha_m \left[\sigma_m^2 + (\mu_m - \bar\mu)^2\right] .$$
#
# ## Which is right?
#
# If the modalities are independent given $z$ (slide 6) and the experts exact, the **product is the
# posterior** (L11). Let one assumption fail, with $z \sim N(0, 1)$, $x_m = z + 0.7\,\varepsilon_m$:
# expert 2 is too sure, its standard deviation divided by $c$; or all have seen copies of one $x_m$.
#
# ## Predict, then run
#
# $KL(p \| q)$ is large if $q$ is small where the posterior $p$ is not.


# %%
def looks_at_z(M, N):
    """Draw M exact experts, mu and log_var (M, N, 1), for N draws of z."""
    mu = rng.normal(size=(N, 1)) + 0.7 * rng.normal(size=(M, N, 1))
    return mu, np.full_like(mu, 2 * math.log(0.7))


def divergence(p, q):
    """Compute the mean KL(p ‖ q) of even mixtures of components (T, N, 1)."""
    total = 0
    for mean, log_var in zip(*p, strict=True):
        z = mean + np.exp(log_var / 2) * nodes
        total = total + (weight * (log_density(z, *p) - log_density(z, *q))).sum(axis=0)
    return abs(total.mean() / len(p[0]))


rng, nodes = np.random.default_rng(0), np.linspace(-8, 8, 801)[:, None, None]
weight = np.exp(-(nodes[..., 0] ** 2) / 2) / np.exp(-(nodes**2) / 2).sum()
choices = [f"up to {c:g}" for c in (1.2, 3, 8, 16)]
predict("19-too-sure", "For which c is the product the better q?", *choices)
mu, log_var = looks_at_z(2, 200)
posterior = components(mu, log_var, [[1, 1]])
limit = math.log(2) + divergence(posterior, components(mu, log_var, [[1, 0]]))
factors, kls = np.array([1.2, 1.5, 2, 3, 4, 6, 8, 12, 16]), {name: [] for name in SUBSETS}
for c in factors:
    for name, subsets in SUBSETS.items():
        q = components(mu, log_var - 2 * np.log([[[1.0]], [[c]]]), subsets)
        kls[name].append(divergence(posterior, q))
        if c == 16:
            form = "c = 16, {}: KL(p‖q) {:.2f}, KL(q‖p) {:.2f}"
            print(form.format(name, kls[name][-1], divergence(q, posterior)))
mu, log_var = looks_at_z(8, 2000)
print(f"M = 8, precision: product {1 + 8 / 0.7**2:.1f}", end="")
for case, seen in ("different", mu), ("copies", mu[:1].repeat(8, axis=0)):
    _, joint_log_var = mixture_moments(*components(seen, log_var, np.eye(8)))
    print(f", mixture of {case} {np.exp(-joint_log_var).mean():.1f}", end="")
print()

# %%
worse = factors[np.array(kls["product"]) > kls["mixture"]]
finding = f"At c = {worse[0]:g} the product is farther from the posterior than the mixture"
series = {name: (factors, values) for name, values in kls.items()}
figure = plots.lines(series, finding, "c", "KL(p ‖ q), nats", log_x=True, log_y=True)
figure.axes[0].axhline(limit, color=plots.INK, linewidth=1)
figure.axes[0].text(16, 1.2 * limit, "log 2 + KL(p ‖ q₁)", ha="right")
rows = [["c", *kls], *zip(factors, *kls.values(), strict=True)]
outcome("19-too-sure", f"up to {factors[factors < worse[0]].max():g}")
keep(figure, "19-too-sure", alt=finding, numbers=rows)

# %% [markdown]
# The mixture's density is at least $q_1/M$, so $KL(p\|q_\Phi) \le \log M + KL(p\|q_1)$ however
# wrong the others are: none has a veto. The product has no limit. (The ELBO's gap is
# $KL(q\|p)$; at $c = 16$ it, too, is larger for the product.)
#
# Of *different* $x_m$ the product's precision is right, and the mixture's falls. Of *copies* the
# mixture's is right, and the product counts one look $M$ times. A **missing** modality is left out
# by both, as precision 0 or as $\alpha_m = 0$. But in a product no expert need be right by itself
# (L12), and MMVAE's bound draws from each expert alone.
#
# ## The cap on cross reconstruction
#
# MMVAE's bound decodes *every* modality from each expert's sample. How large can
# $\mathbb{E}_{q_m(z|x_m)} \log p(x_n|z)$ be? By Jensen at most $\log r(x_n|x_m)$, with
# $r(x_n|x_m) = \int q_m(z|x_m)\, p(x_n|z)\, dz$. This is a density of $x_n$ given $x_m$, and on
# average none scores higher than the data's own:
#
# $$\mathbb{E}_{p(x_m, x_n)} \mathbb{E}_{q_m(z|x_m)} \log p(x_n|z) \le
# \mathbb{E} \log p(x_n|x_m) = -H(x_n|x_m) .$$
#
# A picture cannot show what $x_m$ does not know of $x_n$: there, pixels show their means.

# %%
derived("s11_cross_reconstruction")

# %% [markdown]
# ## No cap on the bound
#
# Do the capped terms keep (S12.1) below $\log p(x)$? Let three fair coins make $x_1 = (s, a)$ and
# $x_2 = (s, b)$, so that $-H(x_n|x_m) = -\log 2$. Let $z = (\text{who}, s, c)$: modality *who*
# shows $(s, c)$, the other $s$ and a coin of its own. Expert $m$ names "$m$, and what I see".
#
# ## Predict, then run
#
# The experts' own bounds are $\mathbb{E}_{q_m} \log \frac{p(z, x)}{q_m(z|x_m)}$.

# %%
predict("19-bound", "How many nats is (S12.1) below log p(x)?")
model, experts = divided_model(), np.eye(8).reshape(2, 4, 8)  # q_m(z|x_m)
pairs = [x for x in model.all_x() if model.log_evidence(x) > -math.inf]  # 8, equally likely
joint, lik = np.zeros((4, 4)), np.exp(model.log_lik)
joint[tuple(np.transpose(pairs))] = 1 / 8
own = cross_reconstruction(np.eye(4) / 4, experts[0], lik[0])
other = cross_reconstruction(joint, experts[0], lik[1])
print(f"own modality {own:.4f}, other {other:.4f}, cap {reconstruction_cap(joint):.4f}")
bounds = []
for x in pairs:
    q = np.array([experts[m][x[m]] for m in (0, 1)])
    separate = np.mean([model.elbo(q_m, x) for q_m in q])
    bounds.append((model.log_evidence(x), model.elbo(q.mean(axis=0), x), separate))
log_p, mixture, own_bounds = np.mean(bounds, axis=0)
print(f"log p(x) {log_p:.4f}, (S12.1) {mixture:.4f}, mean of the own bounds {own_bounds:.4f}")
outcome("19-bound", abs(round(log_p - mixture, 9)))

# %% [markdown]
# (S12.1) is tight: $q_\Phi$ is the posterior, which its experts divide. It has the KL of the
# *mixture*, smaller than the experts' mean KL by the mean of $KL(q_m \| q_\Phi)$. MoPoE's
# "generalised ELBO" lacks that. So the cap says what a *picture* made from another modality can
# show, not how good a bound is.
#
# ## The price
#
# Each expert's sample goes through each decoder, $M^2$ decodings to a product's $M$ (MoPoE:
# $(2^M - 1) M$). More modalities do not make the mixture sharper, and more samples need not bring
# the slides' bound to $\log p(x)$ (L20). In return each expert alone generates every modality.
#
# ## The claims

# %%
holds(
    "equal_experts_are_no_surer_together",
    "experts_in_conflict_make_the_mixture_wide",
    "present_experts_share_the_mass",
    "cross_reconstruction_is_capped",
    "the_bound_may_be_tight_where_cross_reconstruction_is_capped",
)

# %% [markdown]
# Next: L20 derives the mixture's bounds. Your turn: `mmvae-edu check L19`, a mixture's moments,
# cross reconstruction, its cap and the cap's proof.

# %% [markdown]
# ## Sources
#
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: the mixture.
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   the product.
# - Sutter, Daunhawer and Vogt (2021), *Generalized Multimodal ELBO*: MoPoE.
# - Daunhawer, Sutter, Chin-Cheong, Palumbo and Vogt (2022), *On the Limitations of Multimodal
#   VAEs*: the entropy that cross reconstruction leaves.
