# %% [markdown]
# # L01  Probabilities by their logarithms
#
# On slide 8 a face scores a log-likelihood near $-6237$. The exponential of that is 0 in float64.
# How does one add, average and differentiate such probabilities?
#
# Logarithms are natural, in nats. Every function of the library that can be differentiated returns
# its value and its **pullback**: the function that takes the gradient with respect to the value
# and returns the gradient with respect to each argument.

# %%
import math

import mpmath
import numpy as np

from mmvae_edu.course import holds, keep, outcome, predict
from mmvae_edu.gaussian import gaussian_log_prob
from mmvae_edu.gradcheck import check_pullback, complex_step
from mmvae_edu.likelihoods import binomial_log_prob, categorical_log_prob
from mmvae_edu.ops import log_mean_exp, log_sum_exp, softplus
from mmvae_edu.report import plots

print(f"exp overflows above {math.log(np.finfo(np.float64).max):.2f}")
print(f"exp is 0 below {-1075 * math.log(2):.2f}")  # half of 2**-1074, the smallest float64
print(f"the smallest normal float64 is exp({math.log(np.finfo(np.float64).tiny):.2f})")

# %% [markdown]
# ## Sums
#
# For any $m$, take $e^m$ out of the sum:
#
# $$\log \sum_k e^{a_k} = \log \left( e^m \sum_k e^{a_k - m} \right)
# = m + \log \sum_k e^{a_k - m}$$
#
# With $m = \max_k a_k$ the largest term is $e^0 = 1$: nothing overflows, and what underflows is
# too small to matter beside 1. The sum lies between 1 and $K$, so its logarithm is safe too.
# The form is stable by itself, and no small constant is added anywhere. If every $a_k$ is
# $-\infty$, then $a_k - m$ would be $-\infty + \infty$, not a number; the library treats that case
# apart, and the logarithm of the sum is $-\infty$.
#
# The mean of $K$ weights divides by $K$, so its logarithm subtracts $\log K$. This is the
# logarithm in the IWAE bound:
#
# $$\log \frac1K \sum_k w_k = \log \sum_k e^{\log w_k} - \log K$$  (S9.2)
#
# The derivative of either is a softmax, the share of each term in the sum:
#
# $$\frac{\partial}{\partial a_k} \log \sum_j e^{a_j} = \frac{e^{a_k}}{\sum_j e^{a_j}}
# = e^{a_k - \log \sum_j e^{a_j}}$$  (S9.5)

# %%
log_w = -6237.12 + np.array([0.0, -0.5, -1.0])
with np.errstate(divide="ignore"):
    print("naive  ", np.log(np.exp(log_w).sum()))
total, pullback = log_sum_exp(log_w, axis=0)
mean, _ = log_mean_exp(log_w, axis=0)
print(f"shifted {total:.6f}, the mean {mean:.6f}; they differ by log 3 = {total - mean:.6f}")
print("shares ", pullback(np.array(1.0)).round(4).tolist())
print("all -inf:", log_sum_exp(np.full(3, -np.inf), axis=0)[0])

# %% [markdown]
# ## Predict, then run
#
# Three log-weights are moved together from $-10^4$ to $10^3$. The naive form $\log \sum e^{a}$ is
# compared with a sum of 50 digits.

# %%
predict("01-start", "Going up from −10⁴, at which scale does the naive form first give a number?")
predict("01-error", "Which error has it there?", "rounding only", "more than 0.001 nats")


def errors(c):
    """The errors, in nats, of the naive and of the shifted sum of three log-weights near c."""
    a = c + np.array([0.3, -0.4, -1.1])
    with mpmath.workdps(50):
        exact = mpmath.log(mpmath.fsum(mpmath.exp(float(v)) for v in a))
        with np.errstate(over="ignore", divide="ignore"):
            sums = np.log(np.exp(a).sum()), log_sum_exp(a, axis=0)[0]
        return [float(abs(mpmath.mpf(float(s)) - exact)) for s in sums]


edges = [np.linspace(-760, -700, 61), np.linspace(700, 720, 21)]
scales = np.sort(np.concatenate([np.linspace(-10_000, 1000, 56), *edges]))
naive, shifted = np.array([errors(c) for c in scales]).T
finite = np.isfinite(naive)
low, high = scales[finite][[0, -1]]
worst = naive[finite].max()
print(
    f"shifted: up to {shifted.max():.0e} nats off; near 10⁴ float64 steps by {np.spacing(1e4):.0e}"
)
finding = f"Naive: finite from {low:.0f} to {high:.0f} only, and there up to {worst:.1f} nats off"

figure, axes = plots.canvas(7.8, 4.2, 1, 2, sharey=True, title=finding)
blue, orange = plots.COLOURS[:2]
for axis, span in zip(axes, [(-10_300, 1300), (-760, -700)], strict=True):
    axis.plot(scales[finite], np.maximum(naive[finite], 1e-17), "s", c=orange, ms=5, label="naive")
    axis.plot(scales, np.maximum(shifted, 1e-17), "o", c=blue, ms=3, label="shifted by the maximum")
    axis.plot(scales[~finite], np.full(sum(~finite), 10), "x", c=plots.INK, label="naive: infinite")
    axis.set(yscale="log", xlim=span, xlabel="scale of the log-weights")
axes[0].set(ylabel="error, nats", title="all scales", xticks=[-10_000, -5000, 0])
axes[1].set(title="where exp underflows", xticks=[-750, -730, -710])
figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
)
numbers = [["scale", "naive", "shifted"], *zip(scales, naive, shifted, strict=True)]
outcome("01-start", low)
outcome("01-error", "more than 0.001 nats" if naive[finite][0] > 1e-3 else "rounding only")
keep(figure, "01-log-sum-exp", alt=finding, numbers=numbers)

# %% [markdown]
# Below the smallest normal float (its logarithm is printed above) the naive form still returns a
# number, with fewer and fewer digits, and without a warning. The error of the shifted form is the
# rounding of a number as large as the result.
#
# ## Likelihoods from logits
#
# A decoder gives a **logit** $l$, with $p = \sigma(l) = 1/(1+e^{-l})$. Let
# $\mathrm{softplus}(l) = \log(1 + e^l)$. Then $\log p = l - \mathrm{softplus}(l)$ and
# $\log(1-p) = -\mathrm{softplus}(l)$, so for a count $x$ out of $n$
#
# $$\log p(x|l) = \log \binom nx + x \log p + (n-x) \log (1-p)
# = \log \binom nx + x\,l - n\,\mathrm{softplus}(l)$$
#
# with derivative $x - n\,\sigma(l)$, data minus mean. At $n = 1$ this is Bernoulli. With a computed
# $p$ the first form fails: where $p$ rounds to 0, $x \log p$ is $-\infty$, or NaN at $x = 0$; where
# $p$ rounds to 1, so is $(n - x) \log(1 - p)$. The softplus itself is
# $\max(l, 0) + \log(1 + e^{-|l|})$, the log-sum-exp of 0 and $l$ with the maximum taken out.
#
# For one of $V$ classes, $x$ one-hot and $p_v \propto e^{l_v}$:
#
# $$\log p(x|l) = \sum_v x_v l_v - \log \sum_v e^{l_v},
# \qquad \frac{\partial}{\partial l_v} = x_v - p_v$$
#
# ## A Gaussian by its log-variance
#
# $\sigma^2 > 0$ for any real $\log \sigma^2$, so networks return `log_var`, and
# $\sigma = e^{\frac12 \log\sigma^2}$. Summed over the dimensions, with $r = (z-\mu)/\sigma$:
#
# $$\log N(z; \mu, \sigma^2) = -\tfrac12 \sum_j \left[ \log 2\pi + \log\sigma_j^2 + r_j^2 \right]$$
#
# and $\partial/\partial z = -r/\sigma$, $\partial/\partial\mu = r/\sigma$,
# $\partial/\partial\log\sigma^2 = \tfrac12 (r^2 - 1)$. The constant $-\tfrac12 \log 2\pi$ has no
# gradient, but without it the value is not a log-density and must not be compared with others.
#
# Each of the three is a distribution over $x$ or $z$, so its exponential sums or integrates to 1.

# %%
print("softplus(±800):", softplus(np.array([800.0, -800.0]))[0].tolist())
counts = np.arange(17.0)[:, None]
binomial, _ = binomial_log_prob(np.full((17, 1), 1.3), x=counts, n=16)
classes, _ = categorical_log_prob(np.tile([0.2, -1.0, 2.5, 0.0], (4, 1)), x=np.eye(4))
z, step = np.linspace(-20, 20, 4001, retstep=True)
gaussian, _ = gaussian_log_prob(z[:, None], np.array([0.7]), np.array([-0.9]))
mass = np.exp(gaussian).sum() * step
print(f"Binomial    sums to 1 within {abs(np.exp(binomial).sum() - 1):.0e}")
print(f"categorical sums to 1 within {abs(np.exp(classes).sum() - 1):.0e}")
print(f"Gaussian integrates to 1 within {abs(mass - 1):.0e}")

# %% [markdown]
# ## The pullbacks
#
# A pullback is right if it agrees with the function's own directional derivative, along random
# directions and with random gradients of the value. Differences reach some ten digits; a complex
# step needs no subtraction and reaches all sixteen, where the function is analytic.

# %%
rng = np.random.default_rng(0)
a, z = 3 * rng.standard_normal((5, 4)), rng.standard_normal((5, 4))
cases = {
    "log_sum_exp": (log_sum_exp, [a], {"axis": 0}),
    "log_mean_exp": (log_mean_exp, [a], {"axis": 1}),
    "binomial_log_prob": (binomial_log_prob, [a], {"x": rng.integers(0, 17, a.shape), "n": 16}),
    "categorical_log_prob": (categorical_log_prob, [a], {"x": np.eye(4)[[1, 3, 0, 0, 2]]}),
    "gaussian_log_prob": (gaussian_log_prob, [z, 0.3 * a, 0.5 * z], {}),
}
for name, (op, arguments, constants) in cases.items():
    differences = check_pullback(op, *arguments, rng=rng, **constants)
    analytic = complex_step(op, *arguments, rng=rng, **constants)
    print(f"{name:21} differences {differences:.0e} of 1e-07, complex step {analytic:.0e} of 1e-13")

# %% [markdown]
# ## The claims
#
# The same sums in the bounds: at the scale of slide 8, with weights of 0, and their derivatives.

# %%
holds(
    "evidence_survives_tiny_probabilities",
    "iwae_survives_the_scale_of_slide_8",
    "normalised_weights_are_shares",
    "an_impossible_sample_weighs_nothing",
    "iwae_gradient",
)

# %% [markdown]
# Next: L02 asks what it costs to treat dependent variables as independent.
#
# Your turn: `mmvae-edu check L01`, from `log_sum_exp` and `log_mean_exp` to the three densities,
# `gaussian_log_prob`, `binomial_log_prob` and `categorical_log_prob`.

# %% [markdown]
# ## Sources
#
# - Blanchard, Higham and Higham (2021), *Accurately Computing the Log-Sum-Exp and Softmax
#   Functions*: the shift by the maximum, and its rounding errors.
# - Squire and Trapp (1998), *Using Complex Variables to Estimate Derivatives of Real Functions*:
#   the complex step.
