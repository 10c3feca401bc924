# %% [markdown]
# # L05  Two forms of the lower bound, and L1
#
# Slide 5 writes the lower bound $L^v$ in two ways and gives its first part a closed form, $L_1$.
# How much does a $q(z|x)$ that differs from the prior cost, and when does it cost nothing?
#
# The slides write $J$ for the number of latent dimensions, here `D`, and $u_j$ for the mean, here
# $\mu_j$.

# %%
import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.gaussian import neg_kl_std_normal
from mmvae_edu.oracles import NonlinearModel, expect_gaussian
from mmvae_edu.report import plots

# %% [markdown]
# ## From one form to the other
#
# $$L^v = \sum_z q(z|x) \log \frac{p(z,x)}{q(z|x)}$$  (S5.7)
#
# The joint is likelihood times prior, $p(z,x) = p(x|z)\,p(z)$:
#
# $$L^v = \sum_z q(z|x) \log \frac{p(x|z)\,p(z)}{q(z|x)}$$  (S5.8)
#
# The logarithm of a product is a sum. Keep $p(z)/q(z|x)$ together and take $\log p(x|z)$ apart:
#
# $$L^v = \sum_z q(z|x) \log \frac{p(z)}{q(z|x)} + \sum_z q(z|x) \log p(x|z)$$  (S5.9)
#
# The first sum is a Kullback-Leibler divergence with its sign turned, the second an expectation:
#
# $$L^v = -D_{KL}(q(z|x)\,\|\,p(z)) + \mathbb{E}_{q(z|x)} \log p(x|z)$$  (S5.10)
#
# ## Predict, then run: both forms
#
# A model with one latent dimension and a nonlinear decoder, where every expectation is an integral,
# and $q = N(1, \sigma^2)$. S5.7 is $\mathbb{E}_q \log p(z,x)$ plus the entropy of $q$.

# %%
WIDTHS = "narrower than the prior", "as wide as the prior", "wider than the prior"
predict("05-width", "Which q has the highest L^v?", *WIDTHS)
rng = np.random.default_rng(5)
model = NonlinearModel.random(rng, H=3, P=12)
x, log_vars = rng.integers(0, 2, size=12), np.linspace(-5, 2, 36)


def log_normal(z, mean, log_var):
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mean) ** 2 * np.exp(-log_var))


def expect(f):
    """Integrate f(z, log_var) under q = N(1, exp(log_var)), for each log_var."""
    return np.array([expect_gaussian(lambda z, v=v: f(z, v), 1, v) for v in log_vars])


joint = expect(lambda z, v: model.log_lik(z, x) + log_normal(z, 0, 0))
entropy = expect(lambda z, v: -log_normal(z, 1, v))
minus_kl = expect(lambda z, v: log_normal(z, 0, 0) - log_normal(z, 1, v))
likelihood = expect(lambda z, v: model.log_lik(z, x))
bound = joint + entropy
off = abs(bound - minus_kl - likelihood).max()
finding = f"Both forms of L^v give one curve, to {off:.0e} nats, from different parts"
figure, axes = plots.canvas(10, 4, 1, 2, sharey=True, title=finding)
names = ["E log p(z, x)", "entropy of q"], ["−KL(q ‖ p(z))", "E log p(x|z)"]
columns = [joint, entropy], [minus_kl, likelihood]
for axis, labels, curves, form in zip(axes, names, columns, ("S5.7", "S5.10"), strict=True):
    for i, (label, curve) in enumerate(zip(labels, curves, strict=True)):
        axis.plot(log_vars, curve, color=plots.COLOURS[i], ls=plots.DASHES[i + 1], label=label)
    axis.plot(log_vars, bound, color=plots.INK, label="their sum, L^v")
    axis.axhline(model.log_evidence(x), color=plots.INK, linewidth=0.8, ls=":", label="log p(x)")
    axis.set(title=form, xlabel="log_var of q", ylabel="nats")
    axis.legend(frameon=False)
rows = np.c_[log_vars, joint, entropy, minus_kl, likelihood, bound]
outcome("05-width", WIDTHS[1 + int(np.sign(log_vars[bound.argmax()]))])
keep(figure, "05-forms", alt=finding, numbers=[["log_var", *names[0], *names[1], "L^v"], *rows])

# %% [markdown]
# Here a wide $q$ reaches codes that explain $x$ less well, and a narrow one is far from the prior:
# the best width lies between.
#
# ## L1 for a Gaussian
#
# For one dimension of $q = N(\mu, \sigma^2)$ and $p = N(0, 1)$: under $q$ the variance is
#
# $$\sigma^2 = \mathbb{E} (z-\mu)^2 = \mathbb{E} z^2 - 2\mu\,\mathbb{E} z + \mu^2
# = \mathbb{E} z^2 - \mu^2 .$$
#
# Hence $\mathbb{E} z^2 = \mu^2 + \sigma^2$ and $\mathbb{E} (z-\mu)^2/\sigma^2 = 1$, so that
# $\mathbb{E} \log p(z) = -\tfrac12 \log 2\pi - \tfrac12 (\mu^2 + \sigma^2)$ and
# $\mathbb{E} \log q(z) = -\tfrac12 \log 2\pi - \tfrac12 \log \sigma^2 - \tfrac12$.
# Their difference, summed over the dimensions, is
#
# $$L_1 = \tfrac12 \sum_j \left[ 1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2 \right]$$  (S5.11)
#
# So **the slide's $L_1$ is $-D_{KL}(q\,\|\,p(z))$**: it is never positive, and 0 only at the prior.
# In the code $\log \sigma^2$ is `log_var`, and the pullback is two short lines:
# $\partial L_1/\partial\mu = -\mu$, $\partial L_1/\partial \log\sigma^2 = \tfrac12 (1 - \sigma^2)$.

# %%
mu = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
log_var = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]])
l1, pullback = neg_kl_std_normal(mu, log_var)
for row, value in zip(np.hstack([mu, log_var]), l1, strict=True):
    print(f"mu {row[:2]}  log_var {row[2:]}  L1 {value:+.4f} nats")
dmu, dlog_var = pullback(np.ones(3))
print("dL1/dmu", (dmu + 0).tolist())
print("dL1/dlog_var", (np.round(dlog_var, 4) + 0).tolist())

# %% [markdown]
# ## Predict, then run
#
# Along $\mu$ the cost $-L_1$ is a parabola. Along $\log\sigma^2$ it is not.

# %%
predict(
    "05-cost", "Is the cost at log_var = +2 as high as at −2?",
    "equal", "higher at +2", "higher at −2",
)  # fmt: skip
t = np.linspace(-3, 3, 25)
along_mu, _ = neg_kl_std_normal(t[:, None], np.zeros((25, 1)))
along_log_var, _ = neg_kl_std_normal(np.zeros((25, 1)), t[:, None])
wide, narrow = along_log_var[-5], along_log_var[4]
finding = f"At log_var = +2 the cost is {-wide:.2f} nats, at −2 only {-narrow:.2f}"
figure = plots.lines(
    {"along mu": (t, along_mu), "along log_var": (t, along_log_var)}, finding, "value", "L1, nats"
)
numbers = [
    ["value", "L1 along mu", "L1 along log_var"],
    *zip(t, along_mu, along_log_var, strict=True),
]
outcome("05-cost", "higher at +2" if wide < narrow else "higher at −2")
keep(figure, "05-l1", alt=finding, numbers=numbers)

# %% [markdown]
# Upwards the term $\sigma^2 = e^{\log\sigma^2}$ dominates and grows exponentially; downwards the
# term $\log\sigma^2$ dominates and falls along a line. So at a `log_var` far above 0 the cost is
# much higher than as far below.
#
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation against the one before, in random models with
# a few states, and switches off one assumption after another to see which ones the line needs.

# %%
derived("s05_bound")

# %% [markdown]
# The closed form is about Gaussians. SymPy (`pip install 'mmvae_edu[symbolic]'`) integrates them
# and proves each line, for every $\mu$ and $\sigma$.

# %%
derived("s05_closed_form")

# %% [markdown]
# ## The claims

# %%
holds(
    "joint_is_likelihood_times_prior",
    "elbo_splits_into_kl_and_likelihood",
    "kl_to_the_prior_completes_the_elbo",
    "l1_is_minus_the_integral",
    "l1_is_zero_only_at_the_prior",
    "l1_gradient_by_hand",
    "neg_kl_std_normal_gradient",
    "gaussian_kl_is_the_integral",
)

# %% [markdown]
# Next: L06 estimates the other part, $\mathbb{E}_q \log p(x|z)$, and makes the sample
# differentiable. Your turn: `mmvae-edu check L05`, `neg_kl_std_normal` and `kl_gauss`.

# %% [markdown]
# ## Sources
#
# - Kingma and Welling (2014), *Auto-Encoding Variational Bayes*: the two forms of the bound, and
#   $L_1$ (their appendix B).
# - Doersch (2016), *Tutorial on Variational Autoencoders*.
