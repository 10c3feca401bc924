# %% [markdown]
# # L07  A VAE, every gradient by hand
#
# All of slide 5 in one function, and its gradient. How does one know that it is right before
# training?
#
# The slides' $J$, the number of latent dimensions, is `D` here.

# %%
import math

import numpy as np

from mmvae_edu.course import FAST, holds, keep, outcome, predict
from mmvae_edu.data import load_digits
from mmvae_edu.gradcheck import check_pullback, complex_step
from mmvae_edu.likelihoods import Binomial, Normal
from mmvae_edu.models import VAE
from mmvae_edu.models.one_function.vae import vae_bound
from mmvae_edu.oracles import LinearGaussian
from mmvae_edu.report import plots
from mmvae_edu.support.parameters import leaves

# %% [markdown]
# ## The bound, forwards
#
# The data: 8×8 images whose pixels count ink from 0 to 16, with a Binomial(16, $p$) likelihood. The
# decoder gives logits $l$; the encoder gives two heads, $\mu$ and $\log\sigma^2$.
#
# $$h = \tanh(x W_0 + b_0), \quad (\mu, \log\sigma^2) = h W_1 + b_1, \quad
# z = \mu + \sigma\varepsilon$$  (S5.12)
#
# $$h' = \tanh(z W_0' + b_0'), \quad l = h' W_1' + b_1', \quad
# L^v \approx L_1(\mu, \log\sigma^2) + \frac1K \sum_k \log p(x|z_k)$$  (S5.10)
#
# ## Backwards
#
# Write $\bar y$ for the derivative of the final scalar with respect to $y$ (`dy` in the code), and
# $v = \log\sigma^2$. This table is the whole calculus:
#
# | forward | backward |
# |---|---|
# | $y = xW + b$ | $\bar x = \bar y W^\top$, $\bar W = x^\top \bar y$, $\bar b = \sum_n \bar y_n$ |
# | $y = \tanh a$ | $\bar a = (1 - y^2)\, \bar y$ |
# | $y = \log p(x \mid l)$ | $\bar l = (x - 16\,\mathrm{sigmoid}(l))\, \bar y$ |
# | $z = \mu + e^{v/2}\varepsilon$ | $\bar\mu = \sum \bar z$, $\bar v = \sum \frac{z-\mu}2 \bar z$ |
# | $y = L_1$ | $\bar\mu = -\mu\,\bar y$, $\bar v = \tfrac12(1 - e^v)\, \bar y$ |
#
# A value used twice **adds** its cotangents: $\mu$ and $v$ feed $K$ samples (the sums) and $L_1$. A
# mean over $K$ passes on $1/K$. Each pullback is its forward pass read from the bottom up. `mlp`
# and `vae_bound` are exercises: write yours before you read `mmvae_edu/models/one_function/vae.py`.

# %%
D = 2
model = VAE({"image": Binomial(64, n=16)}, latent=D, hidden=(128,), activation="tanh")
print(f"{model.tree.size:,} weights")

# %% [markdown]
# ## Is it right?
#
# **Central differences** and a **complex step**, in every group of weights: is the pullback the
# derivative of *this* function? The library's **`VAE.bound`**: is this function the bound? Both use
# the same ops, so this compares how they are connected; the claims below compare the ops with
# integrals.

# %%
digits = load_digits("image+label", dtype=np.float64)
train, validation = digits.train.x["image"], digits.validation.x["image"]
rng = np.random.default_rng(0)
x, eps = train[:7], rng.standard_normal((3, 7, D))


def flat(dw):
    """The gradient as one vector, in theta's order."""
    return np.concatenate([leaf.ravel() for _, leaf in leaves(dw)])


def check(theta):
    w = model.tree.views(theta)["image"]  # named views into the vector
    differences = check_pullback(vae_bound, w, x=x, eps=eps, rng=rng)
    step = complex_step(vae_bound, w, x=x, eps=eps, rng=rng)
    bound, pullback = vae_bound(w, x=x, eps=eps)
    expected, expected_pullback = model.bound(theta, {"image": x}, eps=eps[None])
    dbound = rng.standard_normal(7)
    gradient = expected_pullback(dbound)
    gradient_off = np.abs(flat(pullback(dbound)) - gradient).max() / np.abs(gradient).max()
    print(f"differences {differences:.0e}, complex step {step:.0e}; from VAE.bound: value", end=" ")
    print(f"{np.abs(bound / expected - 1).max():.0e}, gradient {gradient_off:.0e}")


for _ in range(3):
    theta = model.init(rng, dtype=np.float64)
    check(theta + 0.1 * rng.standard_normal(theta.size))

# %% [markdown]
# ## Train it
#
# The trainer negates once: Adam goes *down* the gradient of minus the mean bound. One sample an
# example is unbiased (L06). After training the checks run once more.

# %%
steps, batch, every = (500, 128, 50) if FAST else (3000, 128, 200)
theta = model.init(rng, dtype=np.float64)
w = model.tree.views(theta)["image"]  # Adam changes theta in place, and w with it
m, v, order = np.zeros_like(theta), np.zeros_like(theta), rng.permutation(len(train))
fixed, curve = rng.standard_normal((1, len(train), D)), []
for step in range(1, steps + 1):
    rows = order[(step * batch + np.arange(batch)) % len(order)]
    _, pullback = vae_bound(w, x=train[rows], eps=rng.standard_normal((1, batch, D)))
    dtheta = flat(pullback(np.full(batch, -1 / batch)))
    model.backend(theta).adam_step(theta, dtheta, m, v, step=step, learning_rate=4e-3)
    if step % every == 0:
        bounds = [vae_bound(w, x=x, eps=fixed[:, : len(x)])[0] for x in (train, validation)]
        curve.append([step, *map(np.mean, bounds)])
check(theta)

# %% [markdown]
# ## A problem whose best bound is known
#
# On images the best value is unknown. With a linear decoder, $p(x|z) = N(Wz + b, s^2 I)$ at a given
# $s$, it is known (probabilistic PCA). Let $\lambda_1 \ge \dots \ge \lambda_P$ be the
# eigenvalues of the data's covariance, $\lambda_D \ge s^2$, and $U_D$ the first $D$ eigenvectors.
# Then $W = U_D (\Lambda_D - s^2 I)^{1/2}$, with $b$ the mean, has the highest mean $\log p(x)$
# (Tipping and Bishop).
# Its columns are orthogonal, so the exact posterior is a diagonal Gaussian, its mean affine in $x$
# and its variance constant: a *linear encoder* reaches it, and there the bound **is** $\log p(x)$.
#
# $WR$ with any rotation $R$ has the same $\log p(x)$. But where its columns are not orthogonal, the
# posterior is correlated, and the best diagonal $q$ is not exact: **of all the $W$ that fit equally
# well, the ELBO of a diagonal $q$ prefers the principal axes.**

# %%
twin = LinearGaussian.random(np.random.default_rng(0), 2, {"x": 6})
_, data = twin.sample(np.random.default_rng(1), 500)
s = twin.sigma["x"]
eigenvalues, U = np.linalg.eigh(np.cov(data["x"].T, bias=True))
W = U[:, -2:] * np.sqrt(np.maximum(eigenvalues[-2:] - s**2, 0))
pca = LinearGaussian({"x": W}, {"x": data["x"].mean(axis=0)}, twin.sigma)
optimum = pca.log_prob(data).mean()
angles, turned = np.linspace(0, math.pi, 61), []
for cos, sin in zip(np.cos(angles), np.sin(angles), strict=True):
    model_R = LinearGaussian({"x": W @ [[cos, -sin], [sin, cos]]}, pca.b, pca.sigma)
    best = model_R.elbo(*model_R.best_diagonal(data), data).mean()
    turned.append([model_R.log_prob(data).mean(), best])
evidence, best = np.array(turned).T
affine = VAE({"x": Normal(6, scale=s)}, latent=2, hidden=())
options = {"samples": 4, "batch_size": 500, "learning_rate": 1e-2}
affine.fit(data, steps=3000, dtype=np.float64, progress=False, **options)
decoder = affine.tree.views(affine.theta)["x"]["decoder"]
learnt = LinearGaussian({"x": decoder["W0"].T}, {"x": decoder["b0"]}, twin.sigma)
reached = learnt.elbo(*affine.encode(data), data).mean()

# %% [markdown]
# ## Predict, then run

# %%
predict("07-linear", "Does the linear VAE's bound reach the best log p(x)?", "yes", "no")
predict("07-digits", "Which curve of the digits ends higher?", "training", "validation")
count, fitted, held_out = np.array(curve).T
finding = f"log p(x) is {optimum:.4f} at every angle, the best diagonal ELBO only on the principal "
finding += f"axes; the trained VAE ends at {reached:.4f}"
figure, (left, right) = plots.canvas(10, 4, 1, 2, title=finding.replace("-", "−"))
left.plot(np.degrees(angles), evidence, "--", color=plots.INK, label="log p(x) of W R")
left.plot(np.degrees(angles), best, color=plots.COLOURS[0], label="best ELBO of a diagonal q")
left.axhline(reached, color=plots.COLOURS[1], linestyle=":", label="the trained VAE's ELBO")
left.set(
    title="linear decoder",
    xlabel="rotation R, degrees",
    xticks=range(0, 181, 45),
    ylim=(optimum - 0.52, optimum + 0.04),
)
right.plot(count, fitted, "s:", color=plots.COLOURS[1], markersize=4, label="training")
right.plot(count, held_out, "o-", color=plots.COLOURS[0], markersize=4, label="validation")
right.set(title="digits, D = 2", xlabel="step")
for axis in left, right:
    axis.set(ylabel="nats an example")
    axis.legend(frameon=False, fontsize=9, loc="lower right")
points = [["rotation", *row] for row in zip(angles, evidence, best, strict=True)]
points += [["digits", *row] for row in curve]
outcome("07-linear", "yes" if optimum - reached < 0.01 else "no")
outcome("07-digits", "training" if fitted[-1] > held_out[-1] else "validation")
keep(figure, "07-elbo", alt=finding, numbers=[["panel", "x", "first", "second"], *points])

# %% [markdown]
# ## Predict, then run
#
# Slide 4's original data $X$ (S4.data) are the first row, its generated data $X'$ (S4.generated)
# the last one: draws of the prior, decoded.

# %%
predict("07-pixels", "How far off is a decoded pixel, whose ink is 0 to 16, on average?")
model.theta = theta  # the library's VAE now holds the weights trained above
test, label = digits.test.x["image"], digits.test.label
mu, _ = model.encode({"image": test})
decoded = model.decode(mu)["image"]
off = np.abs(decoded - test).mean()
finding = f"Two numbers an image: decoded pixels are off by {off:.1f} of 16"
rows = [np.flatnonzero(label == c)[0] for c in range(10)]
strips = [("test image", test[rows]), ("decoded mu", decoded[rows])]
strips += [("decoded prior", model.sample(10, rng=rng)["image"])]
figure = plots.digit_grid(strips, finding)
numbers = [["row", *range(64)], *([name, *image] for name, images in strips for image in images)]
outcome("07-pixels", off)
keep(figure, "07-digits", alt=finding, numbers=numbers)

# %% [markdown]
# Training never saw a label.

# %%
predict("07-latent", "Of 100 digits, how many have a nearest other code with their own label?")
z = model.posterior_sample({"image": test}, rng=rng)[0]
distance = ((z[:, None] - z) ** 2).sum(axis=-1) + np.diag(np.full(len(z), np.inf))
agree = (label[distance.argmin(axis=1)] == label).mean()
finding = f"For {agree:.0%} of the test digits the nearest other code has the same label"
z, label = z[::3], label[::3]
figure, (left, right) = plots.canvas(11, 5.4, 1, 2, title=finding)
plots.code_plane(left, z, label, "codes; dashed: 95% of the prior")
ends = left.get_xlim(), left.get_ylim()
grid = np.stack(np.meshgrid(*(np.linspace(*end, 13) for end in ends)), axis=-1)
sheet = model.decode(grid.reshape(-1, 2))["image"].reshape(13, 13, 8, 8)[::-1]
sheet = np.pad(sheet, ((0, 0), (0, 0), (1, 1), (1, 1))).swapaxes(1, 2).reshape(130, 130)
right.imshow(sheet, cmap="gray_r", extent=np.ravel(ends))
right.set(title="decoded codes", xlabel="first number of the code", ylabel="second")
outcome("07-latent", 100 * agree)
keep(figure, "07-latent", alt=finding, numbers=[["digit", "z1", "z2"], *np.c_[label, z]])

# %% [markdown]
# Classes form regions, and the regions touch: L00's autoencoder has no cost that draws codes
# together. Between regions the decoder draws mixed, blurred digits.
#
# ## The claims

# %%
holds(
    "l1_gradient_by_hand",
    "closed_form_ratio_is_minus_kl",
    "pathwise_gradient_is_unbiased",
    "l1_completes_the_elbo_of_a_nonlinear_decoder",
    "the_weighted_elbo_has_this_gradient",
    "the_exact_posterior_makes_every_weight_the_evidence",
    "vae_bound_averages_to_the_elbo",
    "vae_bound_gradient",
)

# %% [markdown]
# Next: L08 asks when a decoder ignores $z$. Your turn: `mmvae-edu check L07`.

# %% [markdown]
# ## Sources
#
# - Kingma and Welling (2014), *Auto-Encoding Variational Bayes*: the VAE.
# - Kingma and Ba (2015), *Adam: A Method for Stochastic Optimization*: the step.
# - Tipping and Bishop (1999), *Probabilistic Principal Component Analysis*: the best $W$.
# - Lucas, Tucker, Grosse and Norouzi (2019), *Don't Blame the ELBO! A Linear VAE Perspective on
#   Posterior Collapse*: the linear VAE's optimum, and that the ELBO is best at the principal axes.
# - Alpaydin and Kaynak (1998), *Optical Recognition of Handwritten Digits*, UCI repository: the
#   images.
