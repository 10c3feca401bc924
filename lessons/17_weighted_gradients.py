# %% [markdown]
# # L17  Why weighted? The gradients of VAE and IWAE
#
# Slide 9 asks "Why weighted?" (S9.why-weighted). The answer is one line of calculus. The questions
# after it are longer: what must a gradient pass through, and does weighting make it more or less
# noisy? (The slide's $k$, the number of samples, is `K` here.)

# %%
import math

import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.gradcheck import check_pullback
from mmvae_edu.objectives import elbo, iwae
from mmvae_edu.oracles import bound_gradient, complex_step, iwae_continuous, log_normal
from mmvae_edu.report import plots
from mmvae_edu.slides.s09_importance import dreg_grads, iwae_grad, normalised_weights, vae_grad

# %% [markdown]
# ## Where the weights come from
#
# Both bounds average over $K$ samples. Outside the logarithm, every sample counts the same:
#
# $$\nabla_\theta \frac1K \sum_k \log w_k = \frac1K \sum_k \nabla_\theta \log w_k$$  (S9.3)
#
# Inside it, use $\nabla w = w \nabla \log w$. The $1/K$ cancels:
#
# $$\nabla_\theta \log \frac1K \sum_k w_k = \frac{\sum_k \nabla_\theta w_k}{\sum_j w_j}
# = \sum_k \tilde w_k \nabla_\theta \log w_k$$  (S9.4)
#
# $$w_k = \frac{p(x,z_k|\theta)}{q(z_k|x,\theta)}, \qquad
# \tilde w_k = \frac{w_k}{\sum_j w_j}$$  (S9.5)
#
# Nobody chose the weights: they are the derivative of a log-sum-exp, and they sum to 1. If all
# $w_k$ are equal, or $K = 1$, (S9.4) is (S9.3). An implementation needs only the bound's
# derivative in $\log w$; the chain rule does the rest.

# %%
log_w = np.log(np.array([[1.0], [2.0], [5.0]]))
(bound, pullback), (_, even_pullback) = iwae(log_w), elbo(log_w)
print("shares by the pullback of iwae:", pullback(np.ones(1)).ravel())
print("shares by the pullback of elbo:", even_pullback(np.ones(1)).ravel())
error = check_pullback(iwae, log_w, rng=np.random.default_rng(0))
print(f"iwae's pullback against central differences: error {error:.0e}")

# %% [markdown]
# ## What $\theta$ moves
#
# The slide's $\theta$ also stands in $q$, from which the samples are drawn. Then (S9.3) and (S9.4)
# hold only **with $z = g(\varepsilon, x, \theta)$**: the noise is held, and the samples move with
# $\theta$. If the samples themselves were held, a score term would be missing,
#
# $$\nabla_\theta \mathbb{E}_{q_\theta}[f_\theta] = \mathbb{E}_{q_\theta}\Big[\nabla_\theta f_\theta
# + f_\theta \sum_{k=1}^K \nabla_\theta \log q_\theta(z_k)\Big] ,$$
#
# one score for each of the $K$ samples that $f$ depends on.
#
# Take $z \sim N(0,1)$, $x|z \sim N(z + b, 1)$ at $b = 0$, $q = N(\mu, \sigma^2)$,
# $z = \mu + \sigma\varepsilon$.
# In $\log q(z) = -\tfrac12[\log 2\pi + \log\sigma^2 + \varepsilon^2]$ the $\mu$ cancels, and
#
# $$\log w = -\tfrac12 (x - b - z)^2 - \tfrac12 z^2 + \tfrac12 \varepsilon^2 + \tfrac12
# \log\sigma^2 - \tfrac12 \log 2\pi .$$
#
# With $\partial z/\partial\mu = 1$ and
# $\partial z/\partial\log\sigma^2 = \tfrac12\sigma\varepsilon$, at $b = 0$:
#
# $$\frac{\partial\log w}{\partial\mu} = x - 2z, \qquad
# \frac{\partial\log w}{\partial\log\sigma^2} = \tfrac12 + \tfrac12 (x - 2z)\,\sigma\varepsilon,
# \qquad \frac{\partial \log w}{\partial b} = x - z .$$

# %%
x, mu, log_var = 1.7, 0.3, -0.4
std = math.exp(log_var / 2)
print(f"q = N({mu}, {std**2:.2f}), the posterior N({x / 2}, {1 / 2})")


def weights_and_gradients(eps):
    """log w, and its gradients by hand with respect to (mu, log_var); eps (K, N)."""
    z = mu + std * eps
    log_w = 0.5 * (eps**2 + log_var - math.log(2 * math.pi) - (x - z) ** 2 - z**2)
    return log_w, np.stack([x - 2 * z, 0.5 + 0.5 * (x - 2 * z) * std * eps], axis=-1)


eps = np.random.default_rng(0).standard_normal((5, 1))
log_w, g = weights_and_gradients(eps)
shares = normalised_weights(log_w)
even, weighted = vae_grad(g)[0], iwae_grad(log_w, g)[0]
dshares = shares[..., None] * (g - weighted)
wrong = weighted + (dshares * log_w[..., None]).sum(axis=0)[0]
for name, gradient in ("VAE", even), ("IWAE", weighted), ("weights differentiated too", wrong):
    print(f"{name:28s} d/dmu {gradient[0]:.8f}  d/dlog_var {gradient[1]:.8f}")

# %% [markdown]
# The last row is a mistake: with $\sum_k \tilde w_k \log w_k$ as the objective, automatic
# differentiation differentiates $\tilde w_k$ as well, which adds
# $\sum_k (\nabla \tilde w_k) \log w_k$. The weights of (S9.4) are constants.
#
# Is the rest right on average? `bound_gradient` differentiates the exact bound, an integral with no
# samples in it. (S9.4) has two parts. The *path term* passes through the sample, the *direct term*
# through the $\mu$ that stands in $\log q$:
#
# $$\sum_k \tilde w_k \frac{\partial \log w_k}{\partial z_k} \frac{\partial z_k}{\partial \mu}
# - \sum_k \tilde w_k \frac{\partial \log q(z_k)}{\partial \mu}, \qquad
# \frac{\partial\log w}{\partial z} = x - 2z + \frac{z - \mu}{\sigma^2} .$$

# %%
rng = np.random.default_rng(0)


def log_joint(z, b=0.0):
    return log_normal(z, 0.0, 0.0) + log_normal(x - b, z, 0.0)


print(" K   exact d/dmu   (S9.4) averaged    its path term   its direct term   path, w̃² for w̃")
for K in 1, 2, 8:
    exact, _ = bound_gradient(iwae_continuous, log_joint, mu, log_var, K)
    draws = rng.standard_normal((K, 100_000))
    log_w, g = weights_and_gradients(draws)
    w, both = normalised_weights(log_w), iwae_grad(log_w, g)[:, 0]
    slope, direct = g[..., 0] + draws / std, -draws / std
    parts = (w * slope, w * direct, w**2 * slope)
    error = both.std() / math.sqrt(both.size)
    print(f"{K:2d}   {exact:.5f}       {both.mean():.5f} ± {error:.5f}", end="")
    print("".join(f"  {part.sum(axis=0).mean():+15.5f}" for part in parts))

# %% [markdown]
# At $K = 1$ the direct term averages to 0. At a larger $K$ it points, here, away from the
# posterior: an encoder that learnt from it alone would get worse.
#
# ## Predict, then run
#
# $q = N(0.3, 0.67)$ lies to the left of the posterior $N(0.85, 0.5)$.

# %%
predict("17-share", "Which sample gets the largest share?", "the rightmost", "another one")
predict("17-step", "What does weighting make of the step in mu?", "longer", "shorter")
z, order = mu + std * eps[:, 0], np.argsort(eps[:, 0])
log_w, g = weights_and_gradients(eps)
finding = f"The largest share is {shares.max():.2f} of 1, at z = {z[shares.argmax()]:.2f}; "
finding += f"weighting changes d/dmu from {even[0]:.2f} to {weighted[0]:.2f}"
figure, (left, right) = plots.canvas(9.5, 4, 1, 2, title=finding)
left.bar(range(5), shares[order, 0], color=plots.COLOURS[0], label="IWAE: $\\tilde w_k$")
left.axhline(0.2, color=plots.COLOURS[1], linestyle="--", label="VAE: 1/K")
left.set(xticks=range(5), xticklabels=[f"{a:.2f}".replace("-", "−") for a in z[order]])
left.set(xlabel="sample z", ylabel="share in the gradient", ylim=(0, 0.45))
left.legend(frameon=False, loc="upper left")
for k in range(5):
    arrow = {"arrowstyle": "->", "color": "#999999", "linewidth": 9 * shares[k, 0]}
    right.annotate("", g[k, 0], (0, 0), arrowprops=arrow)
    side = "right" if k in order[-2:] else "left"
    right.annotate(f"z {z[k]:.2f}".replace("-", "−"), g[k, 0], fontsize=9, ha=side, va="bottom")
for (name, step), i in zip({"VAE": even, "IWAE": weighted}.items(), (1, 0), strict=True):
    arrow = {"arrowstyle": "-|>", "color": plots.COLOURS[i], "linewidth": 2.5, "shrinkB": 0}
    right.annotate("", step, (0, 0), arrowprops=arrow)
    right.plot(*step, plots.MARKERS[i], color=plots.COLOURS[i], label=name)
right.set(xlabel="∂ log w / ∂ mu", ylabel="∂ log w / ∂ log_var")
right.set(xlim=(-0.3, g[..., 0].max() + 0.4), ylim=(g[..., 1].min() - 0.1, g[..., 1].max() + 0.15))
right.legend(frameon=False, loc="upper right")
numbers = [["z", "share", "d/dmu", "d/dlog_var"]]
numbers += np.column_stack([z, shares, g[:, 0]]).tolist()
outcome("17-share", "the rightmost" if shares.argmax() == order[-1] else "another one")
outcome("17-step", "longer" if abs(weighted[0]) > abs(even[0]) else "shorter")
keep(figure, "17-weights", alt=finding, numbers=numbers)

# %% [markdown]
# ## Predict, then run: does more sampling help the encoder?
#
# The signal of a gradient estimate is its exact mean, the noise its standard deviation.
#
# The third curve is the doubly reparameterised estimator. The direct term is a score estimate, and
# for smooth $h$ (L06) $\mathbb{E}\, h(z_k)\, \partial\log q(z_k)/\partial\mu =
# \mathbb{E}\, h'(z_k)\, \partial z_k/\partial\mu$. Take $h = \tilde w_k$ as a function of $z_k$:
# its derivative is $\tilde w_k (1 - \tilde w_k)\, \partial\log w_k/\partial z_k$. So the direct
# term has the mean of $-\sum_k (\tilde w_k - \tilde w_k^2) \frac{\partial\log w_k}{\partial z_k}
# \frac{\partial z_k}{\partial\mu}$. Added to the path term, this leaves
#
# $$\sum_k \tilde w_k^2 \frac{\partial \log w_k}{\partial z_k} \frac{\partial z_k}{\partial \mu} ,$$
#
# the whole estimator: the last column above. At $K = 1$ it is the path term alone.

# %%
predict("17-decoder", "How does signal / noise of b go with K, in (S9.4)?", "rises", "falls")
predict("17-encoder", "And of the encoder's mu?", "rises", "falls")
sizes, repeats = np.array([1, 2, 4, 8, 16, 32, 64, 128]), 10_000
ratios = {"decoder b": [], "encoder mu": [], "encoder mu, doubly reparameterised": []}
for K in sizes.tolist():
    eps = rng.standard_normal((K, repeats))
    log_w, g = weights_and_gradients(eps)
    shares = normalised_weights(log_w)
    slope = g[..., 0] + eps / std  # of log w along z
    dmu, _ = dreg_grads(log_w, slope[..., None], np.full((repeats, 1), log_var), eps[..., None])
    signal_mu, _ = bound_gradient(iwae_continuous, log_joint, mu, log_var, K)
    signal_b = complex_step(
        lambda b, K=K: iwae_continuous(lambda z: log_joint(z, b[0]), mu, log_var, K), [0.0]
    )[0]
    estimates = (
        (signal_b, (shares * (x - mu - std * eps)).sum(axis=0)),
        (signal_mu, (shares * g[..., 0]).sum(axis=0)),
        (signal_mu, dmu[:, 0]),
    )
    for (name, row), (signal, draws) in zip(ratios.items(), estimates, strict=True):
        row.append(abs(signal) / draws.std())
        z_score = (draws.mean() - signal) / draws.std() * math.sqrt(repeats)
        print(f"K {K:3d}  {name:36s} exact {signal:.5f}  z {z_score:+.1f}", end="  ")
        print(f"noise {draws.std():.5f}  ratio {row[-1]:.3f}")
change = {name: row[-1] / row[0] for name, row in ratios.items()}
short = zip(("b", "mu", "mu doubly reparameterised"), change.values(), strict=True)
finding = "Signal / noise, K = 1 to 128: " + ", ".join(f"{name} ×{c:.2f}" for name, c in short)
series = {name: (sizes, row) for name, row in ratios.items()}
figure = plots.lines(series, finding, "K", "|mean| / standard deviation", log_x=True, log_y=True)
rows = zip(sizes, *ratios.values(), strict=True)
outcome("17-decoder", "rises" if change["decoder b"] > 1 else "falls")
outcome("17-encoder", "rises" if change["encoder mu"] > 1 else "falls")
keep(figure, "17-signal-to-noise", alt=finding, numbers=[["K", *ratios], *rows])

# %% [markdown]
# By L16 the gap is $\tfrac12\mathrm{Var}(w/p(x))/K$ for a large $K$, so the gradient in $\mu$
# shrinks as $1/K$. (S9.4) is a ratio of means of $K$ independent terms: its noise shrinks only as
# $K^{-1/2}$. In the doubly reparameterised sum each $\tilde w_k^2$ is of the order $K^{-2}$: its
# noise shrinks as $K^{-3/2}$. This is `dreg_grads`, and `doubly_reparameterised` of a model.
#
# ## The claims, and the derivations line by line

# %%
derived("s09_weighted_gradients")
holds(
    "vae_gradient_weighs_samples_evenly",
    "vae_gradient_of_the_fixture",
    "iwae_gradient_weighs_samples_by_their_share",
    "iwae_gradient_of_the_fixture",
    "equal_weights_give_the_vae_gradient",
    "iwae_gradient_is_unbiased",
    "the_score_is_summed_over_all_samples",
    "normalised_weights_are_shares",
    "an_impossible_sample_weighs_nothing",
    "elbo_gradient",
    "iwae_gradient",
    "iwae_model_reaches_its_exact_bound",
    "the_direct_term_takes_all_but_the_squares",
    "double_reparameterisation_keeps_the_mean",
    "dreg_keeps_the_mean",
    "by_hand_the_bound_is_exact_on_average",
)

# %% [markdown]
# Next: L18 leaves the bounds for a while and asks what a multimodal model should be able to do.
#
# Your turn: `mmvae-edu check L17`, from `vae_grad` and `iwae_grad` to the whole `iwae_bound`.

# %% [markdown]
# ## Sources
#
# - Burda, Grosse and Salakhutdinov (2015), *Importance Weighted Autoencoders*: both gradients.
# - Rainforth et al. (2018), *Tighter Variational Bounds are Not Necessarily Better*: signal and
#   noise of the encoder's gradient.
# - Roeder, Wu and Duvenaud (2017), *Sticking the Landing: Simple, Lower-Variance Gradient
#   Estimators for Variational Inference*: the path term alone, at $K = 1$.
# - Tucker, Lawson, Gu and Maddison (2019), *Doubly Reparameterized Gradient Estimators for Monte
#   Carlo Objectives*: the squares, for every $K$.
