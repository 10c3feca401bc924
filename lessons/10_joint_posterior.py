# %% [markdown]
# # L10  The exact joint posterior, equation (3)
#
# Each modality alone gives a posterior $p(z|x_i)$. How do they combine into $p(z|x_1,\dots,x_N)$?
# Is it enough to multiply them?
#
# Slide 7 writes $N$ for the number of modalities; here it is `M`.

# %%
import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.oracles import DiscreteModel, LinearGaussian, log_normal
from mmvae_edu.posteriors import quotient_of_experts
from mmvae_edu.report import plots
from mmvae_edu.slides.s07_joint_posterior import (
    log_constant_eq3,
    posterior_from_unimodal,
    posterior_joint,
)

np.set_printoptions(precision=4, suppress=True, floatmode="fixed")

# %% [markdown]
# ## The derivation
#
# Bayes' rule, then the conditional independence of slide 6,
# $p(x_1,\dots,x_N|z) = \prod_i p(x_i|z)$:
#
# $$p(z|x_1,\dots,x_N) = \frac{p(x_1,\dots,x_N|z)\,p(z)}{p(x_1,\dots,x_N)}
# = \frac{p(z)}{p(x_1,\dots,x_N)} \prod_{i=1}^N p(x_i|z)$$  (S7.1)
#
# Bayes' rule for one modality, solved for the likelihood, is $p(x_i|z) = p(z|x_i)\,p(x_i)/p(z)$.
# Put it in:
#
# $$p(z|x_1,\dots,x_N) = \frac{p(z)}{p(x_1,\dots,x_N)}
# \prod_{i=1}^N \frac{p(z|x_i)\,p(x_i)}{p(z)}$$  (S7.2)
#
# Collect. The prior stands once above and $N$ times below; the evidences do not contain $z$:
#
# $$p(z|x_1,\dots,x_N) = \frac{\prod_{i=1}^N p(z|x_i)}{\prod_{i=1}^{N-1} p(z)} \cdot
# \frac{\prod_{i=1}^N p(x_i)}{p(x_1,\dots,x_N)}
# \propto \frac{\prod_{i=1}^N p(z|x_i)}{\prod_{i=1}^{N-1} p(z)}$$  (S7.3)
#
# The reason in words: every $p(z|x_i)$ already contains the prior as a factor. A product of $N$ of
# them contains it $N$ times, and $N-1$ are too many.
#
# ## The smallest code
#
# A latent with four states, three modalities, one observation. Two ways to the same posterior, and
# two that go wrong.

# %%
rng = np.random.default_rng(0)
model = DiscreteModel.random(rng, S=4, M=3, V=3)
x = (0, 2, 1)
log_prior = model.log_prior
log_liks = np.stack([table[:, symbol] for table, symbol in zip(model.log_lik, x, strict=True)])
log_posts = np.log([model.posterior(x, [m]) for m in range(3)])


def normalised(log_weight):
    return np.exp(log_weight) / np.exp(log_weight).sum()


rows = {
    "prior p(z)": np.exp(log_prior),
    "by enumeration": model.posterior(x),
    "S7.1, from the likelihoods": posterior_joint(log_prior, log_liks),
    "S7.3, from the posteriors": posterior_from_unimodal(log_posts, log_prior),
    "naive product of posteriors": normalised(log_posts.sum(axis=0)),
    "likelihoods, no prior": normalised(log_liks.sum(axis=0)),
}
for name, p in rows.items():
    print(f"{name:28s}", p)

# %% [markdown]
# ## What the sign ∝ leaves out
#
# The quotient alone does not sum to 1. The missing factor is
# $c = \prod_i p(x_i) / p(x_1,\dots,x_N)$. It does not contain $z$, so normalising replaces it. But
# it is not 1: $1/c$ is how many times more often these values appear together than if the
# modalities were independent. For two modalities $-\log c$ is their pointwise mutual information.
# It may have either sign; its mean is the total correlation of the modalities (L02), which is never
# negative.

# %%
quotient = np.exp(log_posts.sum(axis=0) - 2 * log_prior)
log_c = log_constant_eq3(log_prior, log_liks)
print(f"sum of the quotient {quotient.sum():.6f}, times c {quotient.sum() * np.exp(log_c):.6f}")
log_cs, chances, worst = [], [], 0.0
for x in model.all_x():
    log_liks = np.stack([table[:, v] for table, v in zip(model.log_lik, x, strict=True)])
    log_posts = np.log([model.posterior(x, [m]) for m in range(3)])
    error = np.abs(posterior_from_unimodal(log_posts, log_prior) - model.posterior(x)).max()
    worst = max(worst, error)
    log_cs.append(log_constant_eq3(log_prior, log_liks))
    chances.append(np.exp(model.log_evidence(x)))
print(f"over all {len(log_cs)} observations: largest error of S7.3 {worst:.0e}")
low, high, mean = -max(log_cs), -min(log_cs), -np.dot(chances, log_cs)
print(f"-log c lies between {low:+.3f} and {high:+.3f} nats, with mean {mean:+.3f}")

# %% [markdown]
# ## The same for Gaussians
#
# Let $z \sim N(0,1)$ and $x_i = a_i z + s_i \varepsilon$. Up to a constant,
# $\log p(x_i|z) = -\tfrac12 (a_i^2/s_i^2) z^2 + (a_i x_i/s_i^2) z$, and
# $\log p(z) = -\tfrac12 z^2$.
# Multiplying densities adds these coefficients, the **precisions** $T$ and the $T\mu$:
#
# $$T_i = 1 + \frac{a_i^2}{s_i^2}, \qquad T = \sum_i T_i - (N-1), \qquad
# T\mu = \sum_i T_i \mu_i .$$
#
# The prior's mean is 0, so dividing it away changes the precision only. The library's
# `quotient_of_experts` is these two sums.

# %%
a, var, x = np.array([1.3, -0.7]), np.array([0.5, 0.3]), np.array([0.4, 1.1])
twin = LinearGaussian(
    {m: a[m : m + 1, None] for m in range(2)},
    {m: np.zeros(1) for m in range(2)},
    {m: np.sqrt(var[m]) for m in range(2)},
)
data = {m: x[m : m + 1, None] for m in range(2)}
unimodal = [twin.posterior(data, [m]) for m in range(2)]
mu = np.stack([mean for mean, _ in unimodal])  # (M, 1, 1)
log_var = np.log(np.stack([cov for _, cov in unimodal]))
(mean, joint_log_var, _), _ = quotient_of_experts(mu, log_var)
exact_mean, exact_cov = twin.posterior(data)
T, T_mu = np.exp(-log_var).sum(), (np.exp(-log_var) * mu).sum()
gaussians = {
    "p(z|x1)": (mu[0].item(), 1 / np.exp(log_var[0]).item()),
    "p(z|x2)": (mu[1].item(), 1 / np.exp(log_var[1]).item()),
    "exact p(z|x1, x2)": (exact_mean.item(), 1 / exact_cov.item()),
    "S7.3, the quotient": (mean.item(), 1 / np.exp(joint_log_var).item()),
    "naive product": (T_mu / T, T),
    "likelihoods, no prior": (T_mu / (T - 2), T - 2),
}
for name, (m, precision) in gaussians.items():
    print(f"{name:22s} mean {m:+.4f}  precision {precision:.4f}")

# %% [markdown]
# ## Predict, then run
#
# The naive product contains one prior too many. The two modalities disagree: one says $z > 0$, the
# other $z < 0$.

# %%
predict("10-width", "Is the naive product wider than the exact posterior?", "wider", "narrower")
predict("10-mean", "Where is its mean pulled?", "towards the prior's mean", "away from it")
predict("10-conflict", "Is the exact posterior wider than p(z|x1) and p(z|x2)?", "yes", "no")
z = np.linspace(-2.2, 1.6, 191)
drawn = ["p(z|x1)", "p(z|x2)", "naive product", "exact p(z|x1, x2)"]
densities = {n: np.exp(log_normal(z, m, -np.log(t))) for n, (m, t) in gaussians.items()}
excess = gaussians["naive product"][1] - gaussians["exact p(z|x1, x2)"][1]
finding = f"The naive product is too sure: its precision is too high by {excess:.4f}, one prior"
figure, axis = plots.canvas(7.2, 4.2, title=finding)
for i, name in enumerate(drawn):
    style = {"color": plots.COLOURS[i], "linestyle": plots.DASHES[-i - 1 if i < 3 else 0]}
    axis.plot(
        z, densities[name], marker=plots.MARKERS[i], markevery=(4 * i, 19), label=name, **style
    )
axis.set(xlabel="z", ylabel="density", ylim=(0, None))
axis.legend(frameon=False, loc="upper left")
numbers = [["z", *drawn], *zip(z, *(densities[name] for name in drawn), strict=True)]
(_, t1), (_, t2), (naive, t_naive), (exact, t_exact) = (gaussians[name] for name in drawn)
outcome("10-width", "wider" if t_naive < t_exact else "narrower")
outcome("10-mean", "towards the prior's mean" if abs(naive) < abs(exact) else "away from it")
outcome("10-conflict", "yes" if t_exact < min(t1, t2) else "no")
keep(figure, "10-posteriors", alt=finding, numbers=numbers)

# %% [markdown]
# It is too narrow, and pulled towards the prior's mean 0. Disagreement does not widen the posterior
# of a *linear-Gaussian* model: its precision does not depend on $x$ at all. In other models it may.
#
# ## Predict, then run: sensors that see nothing
#
# Let every modality be pure noise, so that $p(z|x_i) = p(z)$. Multiply $N$ of them.

# %%
predict("10-blind", "Which variance has the naive product of 20 such modalities?")
for M in 1, 2, 5, 20:
    blind = np.zeros((M, 1, 1))  # mu = 0, log_var = 0: the prior
    (_, joint_log_var, _), _ = quotient_of_experts(blind, blind)
    naive, right = 1 / M, np.exp(joint_log_var).item()
    print(
        f"{M:2d} blind modalities: variance of the naive product {naive:.2f}, of S7.3 {right:.2f}"
    )
outcome("10-blind", naive)

# %% [markdown]
# ## Where the independence enters
#
# Equation (3) rests on (S6.2). Let $x_2$ be a copy of $x_1$, which is not independent of $x_1$
# given $z$: then $p(z|x_1,x_2) = p(z|x_1)$, but (S7.3) counts the same evidence twice.

# %%
alone = model.posterior((0, 0, 0), [0])
twice = posterior_from_unimodal(np.log([alone, alone]), log_prior)
print("p(z|x1)           ", alone)
print("S7.3 with a copy  ", twice)

# %% [markdown]
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation against the one before, in random models with
# a few states, and switches off one assumption after another to see which ones the line needs.

# %%
derived("s07_joint_posterior")

# %% [markdown]
# ## The claims

# %%
holds(
    "bayes_with_independent_modalities",
    "likelihood_from_unimodal_posterior",
    "likelihoods_may_be_replaced",
    "unimodal_posteriors_give_the_joint_one",
    "constant_makes_equation_3_exact",
    "quotient_recovers_every_posterior",
)

# %% [markdown]
# Next: L11 replaces the exact $p(z|x_i)$ by networks. Then the quotient may be no density, and
# equation (4) avoids it.
#
# Your turn: `mmvae-edu check L10`, equation (3) by `posterior_joint`, `posterior_from_unimodal` and
# `log_constant_eq3`.

# %% [markdown]
# ## Sources
#
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   equation (3).
# - Hinton (2002), *Training Products of Experts by Minimizing Contrastive Divergence*: products of
#   densities.
