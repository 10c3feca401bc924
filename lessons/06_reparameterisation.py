# %% [markdown]
# # L06  L2 and the reparameterised sample
#
# The second part of the lower bound, $L_2 = \mathbb{E}_{q(z|x)} \log p(x|z)$, has in general no
# closed form when the decoder is a network. It is estimated from samples. How many are needed? And
# how can a gradient pass through something random?
#
# The slide's $J$ is `D` here; its $L$, the number of samples, is `K` in the library.

# %%
import math

import numpy as np

from mmvae_edu.claims import CLAIMS, mutants_of, run
from mmvae_edu.course import holds, keep, outcome, predict
from mmvae_edu.gaussian import gaussian_log_prob, gaussian_sample
from mmvae_edu.gradcheck import check_pullback
from mmvae_edu.objectives import elbo
from mmvae_edu.ops import log_mean_exp
from mmvae_edu.oracles import NonlinearModel, complex_step, expect_gaussian
from mmvae_edu.report import plots

# %% [markdown]
# ## The sample
#
# $$z \sim N(\mu, \sigma^2)$$  (S5.12)
#
# Draw $\varepsilon \sim N(0, 1)$ and set $z = \mu + \sigma \varepsilon$. Then
# $\mathbb{E} z = \mu$ and $\mathrm{Var}\, z = \sigma^2 \mathrm{Var}\, \varepsilon = \sigma^2$; an
# affine function of a Gaussian is Gaussian, so this *is* (S5.12). Now the randomness is an input
# and $z$ a plain function of $\mu$ and $\log \sigma^2$; with $\sigma = e^{\frac12 \log\sigma^2}$,
#
# $$\frac{\partial z}{\partial \mu} = 1, \qquad
# \frac{\partial z}{\partial \log \sigma^2} = \tfrac12 \sigma \varepsilon .$$
#
# Each sample, example and dimension needs an $\varepsilon$ of its own, and the same $\varepsilon$
# must stand on both sides of a finite difference.

# %%
rng = np.random.default_rng(0)
mu, log_var = np.array([[0.4]]), np.array([[1.0]])  # one example, one dimension
eps = rng.standard_normal((100_000, 1, 1))
z, _ = gaussian_sample(mu, log_var, eps=eps)
print(f"mean {z.mean():.3f} for 0.4, variance {z.var():.3f} for {math.e:.3f}")
predict("06-path", "Where does a z with ε < 0 go if log_var grows?", "right", "left")
ten = np.sort(eps[:10, 0, 0])
path = np.array([ten, 0.4 + ten, 0.4 + math.exp(0.5) * ten])
left = path[2] < path[1]
finding = f"{left.sum()} of ten z move left as σ grows; ε < 0 in {(ten < 0).sum()}"
figure, axis = plots.canvas(7.2, 3, title=finding)
axis.plot(path, [2, 1, 0], color=plots.COLOURS[0], marker="o", markersize=4)
axis.set(xlabel="z", yticks=[2, 1, 0], yticklabels=["ε", "0.4 + ε", "0.4 + 1.65 ε"])
outcome("06-path", "left" if left[ten < 0].all() else "right")
keep(figure, "06-path", alt=finding, numbers=[["eps", "shifted", "z"], *path.T])

# %% [markdown]
# ## A gradient check is not enough
#
# Someone reads `log_var` as $\log \sigma$ and writes `std = exp(log_var)`, in the forward and in
# the backward pass. The two agree, so a gradient check passes. Only a check of the *distribution*
# of $z$ finds the mistake.

# %%
wrong = next(m for m in mutants_of(gaussian_sample) if m.name == "std_is_exp_log_var")
error = check_pullback(wrong.f, mu, log_var, eps=eps[:5], rng=rng)
moments = run(CLAIMS["sample_has_the_right_moments"], wrong.f)
print(wrong.says)
print(f"gradient check: error {error:.0e} of 1e-07, passes")
print(f"moments of z:   {moments.numbers}, {'passes' if moments.passed else 'FAILS'}")

# %% [markdown]
# ## The estimate
#
# $$L_2 = \mathbb{E}_{q(z|x)} \log p(x|z) \approx \frac1L \sum_{l=1}^L \log p(x|z^{(l)})$$  (S5.13)
#
# Expectation is linear, so the right side has the mean $L_2$ already at $L = 1$: it is
# **unbiased**. The samples are independent, so its variance is $\mathrm{Var}_q(\log p(x|z))/L$, if
# that is finite: the error falls as $L^{-1/2}$.
#
# Averaging $p(x|z)$ *inside* the logarithm estimates something else. Its limit is
# $\log \mathbb{E}_q\, p(x|z)$, which is at least $L_2$ by Jensen's inequality.
#
# The oracle is L05's: one latent dimension and a `tanh` decoder of 12 binary features.

# %%
rng = np.random.default_rng(0)
model = NonlinearModel.random(rng, H=3, P=12)
x = rng.integers(0, 2, size=12)
m, v = 0.4, 0.5  # q = N(m, exp(v))


def log_lik(z):
    return model.log_lik(z, x)


def slope_of(z):
    return np.imag(log_lik(z + 1e-30j)) / 1e-30


L2 = expect_gaussian(log_lik, m, v)
std = math.sqrt(expect_gaussian(lambda z: (log_lik(z) - L2) ** 2, m, v))
inside = math.log(expect_gaussian(lambda z: np.exp(log_lik(z)), m, v))
print(f"L2 = {L2:.4f} nats, one sample is off by {std:.4f}; log E p(x|z) = {inside:.4f}")

# %% [markdown]
# ## Predict, then run

# %%
predict("06-slope", "On logarithmic axes, what is the slope of the error of S5.13 over L?")
predict("06-log", "Does the error of the log of the mean fall to 0, too?", "yes", "no")
sizes, repeats = 2 ** np.arange(0, 9), 1000
rows = []
for L in sizes.tolist():
    noise = rng.standard_normal((L, repeats, 1))
    draws, _ = gaussian_sample(np.full((repeats, 1), m), np.full((repeats, 1), v), eps=noise)
    scores = log_lik(draws[..., 0])  # log p(x|z): (L, repeats)
    (average, _), (logarithm, _) = elbo(scores), log_mean_exp(scores, axis=0)
    errors = [math.sqrt(((estimate - L2) ** 2).mean()) for estimate in (average, logarithm)]
    print("L {:3d}  error {:.4f}, inside the log {:.4f}".format(L, *errors), end=": ")
    print(f"bias {logarithm.mean() - L2:.4f}, spread {logarithm.std():.4f}")
    rows.append([L, *errors, std / math.sqrt(L)])

sizes, outside, within, theory = np.array(rows).T
slope = np.polyfit(np.log(sizes), np.log(outside), 1)[0]
finding = f"The error falls as L^−{-slope:.2f}; the log of the mean keeps its bias, "
finding += f"{inside - L2:.2f} nats in the limit"
series = {
    "(1/L) Σ log p(x|z)": (sizes, outside),
    "log (1/L) Σ p(x|z)": (sizes, within),
    "exact: std / √L": (sizes, theory),
}
figure = plots.lines(series, finding, "samples L", "rms error, nats", log_x=True, log_y=True)
numbers = [["L", "mean of logs", "log of mean", "exact"], *rows]
outcome("06-slope", slope)
outcome("06-log", "no" if within[-1] > (inside - L2) / 2 else "yes")
keep(figure, "06-l2", alt=finding, numbers=numbers)

# %% [markdown]
# An error ten times smaller takes a hundred times the samples. Yet one sample, $L = 1$, often
# suffices in training: the gradient is unbiased, and the noise of many steps averages out. The
# other estimate's variance falls to 0, too, but its bias grows from 0 to
# $\log \mathbb{E}_q\,p(x|z) - L_2$.
#
# ## Two gradients of an expectation
#
# Write $f(z) = \log p(x|z)$. **Pathwise**: the derivative passes through the sample,
#
# $$\nabla_\phi\, \mathbb{E}_\varepsilon f(\mu + \sigma\varepsilon)
# = \mathbb{E}_\varepsilon\, f'(z)\, \nabla_\phi z .$$
#
# **Score function**: the sample stays, the density moves. With
# $\nabla q = q\, \nabla \log q$,
#
# $$\nabla_\phi \int q(z) f(z)\, dz = \mathbb{E}_q\, f(z)\, \nabla_\phi \log q(z) .$$
#
# For smooth $f$ both have the same mean. The second needs no $f'$ and works for discrete $z$ too;
# it uses only how good a sample was, not in which direction $f$ rises. Since
# $\mathbb{E}_q \nabla \log q = 0$, a constant (a *baseline*) may be subtracted from $f$ without a
# bias; here it is $L_2$.

# %%
n = 50_000
mean, spread = np.full((n, 1), m), np.full((n, 1), v)
z, path_pullback = gaussian_sample(mean, spread, eps=rng.standard_normal((1, n, 1)))
_, score_pullback = gaussian_log_prob(z[0], mean, spread)
f = log_lik(z[0, :, 0])
exact = complex_step(lambda q: expect_gaussian(log_lik, q[0], q[1]), [m, v])
estimates = {
    "pathwise": path_pullback(slope_of(z)),
    "score function": score_pullback(f)[1:],
    "score, baseline": score_pullback(f - L2)[1:],
}
print("estimator        parameter    exact     mean      z   std of one draw")
for name, gradients in estimates.items():
    for parameter, draws, truth in zip(("mu", "log_var"), gradients, exact, strict=True):
        error = draws.std(ddof=1) / math.sqrt(n)
        print(f"{name:16} {parameter:9} {truth:+8.4f} {draws.mean():+8.4f}", end=" ")
        print(f"{(draws.mean() - truth) / error:+6.1f} {draws.std(ddof=1):8.3f}")

# %% [markdown]
# ## Predict, then run
#
# Now let $z$ have $D$ dimensions, each with 12 features of its own:
# $f(z) = \sum_d f_d(z_d)$. Only $f_1$ depends on $\mu_1$.

# %%
growth = "not at all", "as D", "as D²"
predict("06-score", "How does the variance of the score estimate of ∂L2/∂mu_1 grow?", *growth)
predict("06-baseline", "And with the baseline?", *growth)

# %% [markdown]
# Let every $f_d$ be the $f$ above, and $s = \partial \log q/\partial \mu_1$. The
# other dimensions add $R = \sum_{d>1} f_d$ to the score estimate. $R$ is independent of $s$, so
#
# $$\mathbb{E}[(f_1 + R)^2 s^2] = \mathbb{E}[f_1^2 s^2] + 2\,\mathbb{E}[f_1 s^2]\,\mathbb{E} R
# + \mathbb{E}[R^2]\,\mathbb{E}[s^2] .$$
#
# $\mathbb{E}[R^2]$ contains the term $((D-1)\,\mathbb{E} f)^2$. With the baseline $\mathbb{E} f$ is
# 0, and $\mathbb{E}[R^2] = (D-1)\,\mathrm{Var} f$. The pathwise estimate contains only $f_1'$.

# %%
D = np.array([1, 2, 4, 8, 16, 32, 64])


def score_variance(baseline):
    """Exact variance of the score estimate of dL2/dmu_1, for each D."""

    def moment(z, k):
        return (log_lik(z) - baseline) ** k * ((z - m) * math.exp(-v)) ** 2

    one, cross = (expect_gaussian(lambda z, k=k: moment(z, k), m, v) for k in (2, 1))
    ER = (D - 1) * (L2 - baseline)
    ER2 = (D - 1) * std**2 + ER**2
    return one + 2 * cross * ER + ER2 * math.exp(-v) - exact[0] ** 2


curves = {
    "score function": score_variance(0.0),
    "score function with baseline": score_variance(L2),
    "pathwise": np.full(len(D), expect_gaussian(lambda z: slope_of(z) ** 2, m, v) - exact[0] ** 2),
}
for name, variance in curves.items():
    print(f"{name:29} exact: D = 1 {variance[0]:8.3f}, D = 64 {variance[-1]:10.3f}")
ratios = [curve[-1] / curves["pathwise"][-1] for curve in curves.values()]
finding = f"Variance at D = 64: score function {ratios[0]:,.0f} times the pathwise one's, "
finding += f"{ratios[1]:,.0f} with baseline"
series = {name: (D, variance) for name, variance in curves.items()}
figure = plots.lines(series, finding, "dimensions D", "variance of a draw", log_x=True, log_y=True)
numbers = [["D", *curves], *zip(D, *curves.values(), strict=True)]
for name, curve in zip(("06-score", "06-baseline"), curves.values(), strict=False):
    outcome(name, growth[round(math.log2(curve[-1] / curve[-2]))])
keep(figure, "06-gradient-variance", alt=finding, numbers=numbers)

# %% [markdown]
# ## The claims

# %%
holds(
    "sample_is_mean_plus_std_times_noise",
    "sample_has_the_right_moments",
    "sample_has_the_right_distribution",
    "gaussian_sample_gradient",
    "l2_estimate_is_unbiased",
    "l2_variance_falls_as_one_over_l",
    "pathwise_gradient_is_unbiased",
)

# %% [markdown]
# Next: L07 makes a VAE of $L_1$, $L_2$ and the sample. Your turn: `mmvae-edu check L06`.

# %% [markdown]
# ## Sources
#
# - Kingma and Welling (2014), *Auto-Encoding Variational Bayes*: the reparameterised sample.
# - Rezende, Mohamed and Wierstra (2014), *Stochastic Backpropagation and Approximate Inference in
#   Deep Generative Models*: the same gradient.
# - Williams (1992), *Simple Statistical Gradient-Following Algorithms for Connectionist
#   Reinforcement Learning*: the score function estimator and its baseline.
