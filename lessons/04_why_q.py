# %% [markdown]
# # L04  Why q(z|x)?
#
# Slide 4 asks this beside its two networks. The generation net, $p(z)\,p(x|z)$ (S4.4), already
# defines $p(x)$. What is the inference net, $q(z|x)$ (S4.3), needed for? And how much is lost if
# $q(z|x)$ is not the posterior, and who loses it: the family of $q$, or the network?

# %%
import numpy as np

from mmvae_edu.course import FAST, derived, holds, keep
from mmvae_edu.data import load_digits
from mmvae_edu.gaussian import (
    gaussian_log_prob,
    gaussian_sample,
    neg_kl_std_normal,
    standard_normal_log_prob,
)
from mmvae_edu.likelihoods import Binomial, binomial_log_prob, log_binomial_coefficient
from mmvae_edu.models import VAE
from mmvae_edu.models.one_function.vae import mlp
from mmvae_edu.objectives import effective_sample_size, iwae
from mmvae_edu.ops import log_sum_exp, softplus
from mmvae_edu.oracles import integrate, log_normal
from mmvae_edu.report import plots
from mmvae_edu.slides.s05_evidence import refine

digits = load_digits("image+label", dtype=np.float64)
train, n = digits.train.x["image"], 20 if FAST else 60
x = np.concatenate([digits.test.x["image"][:n], train[:n]])  # n test digits, n training digits

# %% [markdown]
# ## A model whose $p(x)$ is known
#
# A VAE with two latent dimensions: $p(x) = \int p(z)\,p(x|z)\,dz$ is a sum over a grid in the plane,
# and the grid also gives the posterior's mean and variance. Half of the nodes must give the same
# $\log p(x)$.


# %%
def trained(seed):
    """A VAE of L07's kind, and its decoder's weights."""
    model = VAE({"image": Binomial(64, n=16)}, latent=2, hidden=(128,), activation="tanh")
    options = {"steps": 300 if FAST else 2000, "learning_rate": 4e-3, "decay": 1000, "seed": seed}
    model.fit({"image": train}, dtype=np.float64, progress=False, **options)
    return model, model.tree.views(model.theta)["image"]["decoder"]


def on_grid(decoder, x, nodes):
    """log p(x) (N,), and the mean and variance of p(z|x), (N, 2) each."""
    side, step = np.linspace(-6, 6, nodes, retstep=True)
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = np.concatenate([mlp(decoder, part)[0] for part in np.split(z, nodes)])
    log_px_z = logits @ x.T - 16 * softplus(logits)[0].sum(axis=1, keepdims=True)
    log_joint = log_px_z + log_binomial_coefficient(x, 16) + standard_normal_log_prob(z)[0][:, None]
    log_p = log_sum_exp(log_joint, axis=0)[0] + 2 * np.log(step)
    posterior = np.exp(log_joint - log_p) * step**2
    mean = posterior.T @ z
    return log_p, mean, posterior.T @ z**2 - mean**2


model, decoder = trained(seed=0)
log_p, mean, var = on_grid(decoder, x, 301)
coarse, _, _ = on_grid(decoder, x, 151)
print(f"mean log p(x) of {n} test digits {log_p[:n].mean():.4f} nats", end="; ")
print(f"with a quarter of the nodes it is off by {np.abs(coarse - log_p).max():.0e}")
print(f"posterior standard deviations: median {np.median(np.sqrt(var)):.3f}; the prior has 1")

# %% [markdown]
# ## $p(x)$ by samples
#
# $p(x) = \mathbb{E}_{p(z)}\,p(x|z)$: draw $z$ from the prior, average $p(x|z)$. But almost all of
# these $z$ explain other digits. For any $q$ that is positive where $p(x, z)$ is,
#
# $$p(x) = \mathbb{E}_{q(z|x)}\, w, \quad w = \frac{p(x,z)}{q(z|x)}, \qquad
# \mathbb{E}_{q(z|x)}\, w^2 = p(x)^2\; \mathbb{E}_{p(z|x)} \frac{p(z|x)}{q(z|x)} .$$
#
# So $\mathrm{Var}(w/p(x)) = \mathbb{E}_{p(z|x)} \frac{p(z|x)}{q(z|x)} - 1$, which is 0 for
# $q(z|x) = p(z|x)$ and large where $q$ is small and the posterior is not. **This is one answer to
# the slide's question**: $q(z|x)$ says where to look for the $z$ of *this* $x$.
#
# Four proposals, all Gaussian: the prior; the encoder's $q$ of another digit; the encoder's $q$ of
# this digit; and that $q$ refined for this digit alone. To refine it, `refine` takes 200 steps up
# the bound of this $x$, over $\mu$ and $\log\sigma^2$ themselves. The decoder stays as it is.


# %%
def likelihood(decoder, x):
    """log p(x|z) as an op: z (K, N, 2) → (K, N), and its pullback."""

    def log_px_z(z):
        logits, mlp_pullback = mlp(decoder, z.reshape(-1, 2))
        logits = logits.reshape(*z.shape[:2], 64)
        log_prob, binomial_pullback = binomial_log_prob(logits, x=x, n=16)

        def log_px_z_pullback(dlog_prob):
            return mlp_pullback(binomial_pullback(dlog_prob).reshape(-1, 64))[1].reshape(z.shape)

        return log_prob, log_px_z_pullback

    return log_px_z


def refined(decoder, x, q):
    eps = np.random.default_rng(0).standard_normal((200, 4, len(x), 2))
    eps = np.concatenate([eps, -eps], axis=1)
    return refine(*q, eps=eps, log_px_z=likelihood(decoder, x))


def log_weights(decoder, x, q, K):
    """log w of K samples of q for each x: (K, N)."""
    z, _ = gaussian_sample(*q, eps=np.random.default_rng(1).standard_normal((K, len(x), 2)))
    log_ratio = standard_normal_log_prob(z)[0] - gaussian_log_prob(z, *q)[0]
    return likelihood(decoder, x)(z)[0] + log_ratio


encoder = np.stack(model.encode({"image": x}))
proposals = {"prior": 0 * encoder, "another digit's q": np.roll(encoder, 1, axis=1)}
proposals |= {"encoder": encoder, "refined": np.stack(refined(decoder, x, encoder))}
print("the test digits, 1000 samples   median ESS   median error of log p(x), nats")
for name, q in proposals.items():
    log_w = log_weights(decoder, x[:n], q[:, :n], 1000)
    error = np.abs(iwae(log_w)[0] - log_p[:n])
    print(f"{name:30}  {np.median(effective_sample_size(log_w)):11.1f}  {np.median(error):10.4f}")

# %% [markdown]
# ## Predict, then run
#
# The first test digit, 100 repeats. As $K$ grows from 1 to 1000, which of the four bands reach
# $\log p(x)$? And does a band lie below the line, on both sides of it, or above?

# %%
K, repeats = np.array([1, 3, 10, 30, 100, 300, 1000]), 100
figure, axis = plots.canvas(7.6, 4.4)
numbers, width, off = [["proposal", "K", "5%", "median", "95%"]], {}, {}
for colour, (name, q) in zip(plots.COLOURS, proposals.items(), strict=False):
    log_w = log_weights(decoder, x[:1].repeat(repeats, 0), q[:, :1].repeat(repeats, 1), 1000)
    estimates = [iwae(log_w[:k])[0] - log_p[0] for k in K]
    low, median, high = np.quantile(estimates, [0.05, 0.5, 0.95], axis=1)
    axis.fill_between(K, low, high, color=colour, alpha=0.25)
    axis.plot(K, median, "o-", color=colour, label=name)
    numbers += [[name, *row] for row in zip(K, low, median, high, strict=True)]
    width[name], off[name] = high[-1] - low[-1], median[-1]
finding = f"This digit, K = 1000: 90% of the estimates span {width['prior']:.2f} nats by the prior, "
finding += f"{width['encoder']:.2f} by the encoder,\n{width['refined']:.2f} by the refined q; "
finding += f"another digit's q is {-off[list(proposals)[1]]:.0f} nats too low"
figure.suptitle(finding, x=0.01, ha="left", fontsize=12)
axis.axhline(0, color=plots.INK, linestyle="--")
axis.set_yscale("symlog", linthresh=0.1)
axis.set(xscale="log", xlabel="K", ylabel="log mean w − log p(x), nats (linear in ±0.1)")
axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.1))
keep(figure, "04-proposals", alt=finding.replace("\n", " "), numbers=numbers)

# %% [markdown]
# One weight is an unbiased estimate of $p(x)$; its logarithm is on average too low (L16). Most
# draws of the prior miss the posterior, so a few samples of it give far too low an estimate, and
# now and then, after a hit, one that is too high.
#
# ## More dimensions
#
# Let the latent have $D$ independent dimensions, each with the posterior $N(m, 0.1)$. Averaged over
# the data, $m^2 + 0.1$ is the prior's variance, so take $m^2 = 0.9$. Then
# $\mathbb{E}_q\,w^2/p(x)^2$ is a $D$-th power, and for large $K$ it is the number of samples that
# are worth one exact one, K/ESS (L16).
#
# Predict: how many draws of the prior are worth one exact draw at $D = 20$? And how many of a $q$
# with the right mean and a variance of 0.15?


# %%
def second_moment(mu, var, m=np.sqrt(0.9), v=0.1):
    """E_q w² / p(x)² = E_p p/q in one dimension, by quadrature."""

    def squared(z):
        return np.exp(2 * log_normal(z, m, np.log(v)) - log_normal(z, mu, np.log(var)))

    return integrate(squared, -9, 9)


print("   D      prior   q with variance 0.15")
for D in 1, 2, 5, 10, 20, 50:
    print(f"{D:4}  {second_moment(0, 1) ** D:9.3g}   {second_moment(np.sqrt(0.9), 0.15) ** D:9.3g}")

# %% [markdown]
# ## Two gaps
#
# Slide 5 asks for $\min D_{KL}(q(z|x)\,\|\,p(z|x))$ (S5.0). A VAE does it under two restrictions:
# $q$ is a diagonal Gaussian, and one network must give it for every $x$. Let $q^*$ be the best
# diagonal Gaussian for this $x$, and $L^v[q]$ the bound. Then (Cremer et al.)
#
# $$\log p(x) - L^v[q] = \underbrace{\log p(x) - L^v[q^*]}_{\text{approximation gap}}
# + \underbrace{L^v[q^*] - L^v[q]}_{\text{amortisation gap}} .$$
#
# Both are at least 0: the first is $D_{KL}(q^*\,\|\,p(z|x))$, and $q^*$ is the best. Here both can
# be computed: $\log p(x)$ on the grid; $L^v$ by Gauss-Hermite nodes instead of samples; $q^*$ by
# `refine`, from the encoder's $q$ and from the posterior's exact mean and variance. The better
# result counts. A still better $q$ would only move some of the first gap to the second.
#
# Predict: which of the gaps is larger, for test digits and for training digits?

# %%
nodes, weights = np.polynomial.hermite_e.hermegauss(20)
eps = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 1, 2).repeat(2 * n, axis=1)
weights = np.outer(weights, weights).ravel() / weights.sum() ** 2


def elbo(decoder, x, q):
    """L^v of each x: L1 in closed form, the rest by quadrature."""
    log_px_z, _ = likelihood(decoder, x)(gaussian_sample(*q, eps=eps)[0])
    return neg_kl_std_normal(*q)[0] + weights @ log_px_z


gaps, kinds = [], {"test": slice(n), "training": slice(n, None)}
print("median gaps, nats       approximation   amortisation   both: mean")
for seed in range(1 if FAST else 3):
    model, decoder = trained(seed)
    encoder, (log_p, mean, var) = np.stack(model.encode({"image": x})), on_grid(decoder, x, 301)
    found = [encoder, *(refined(decoder, x, q) for q in (encoder, (mean, np.log(var))))]
    bounds = np.array([elbo(decoder, x, q) for q in found])
    gaps.append([log_p - bounds.max(axis=0), bounds.max(axis=0) - bounds[0]])
    for kind, rows in kinds.items():
        approximation, amortisation = np.array(gaps[-1])[:, rows]
        both = (approximation + amortisation).mean()
        print(f"training {seed}, {kind:8} digits  {np.median(approximation):9.3f}", end="")
        print(f"  {np.median(amortisation):13.3f}  {both:10.2f}")

gaps = np.array(gaps)  # (trainings, 2, digits)
larger = (gaps[:, 1, :n] > gaps[:, 0, :n]).mean()
finding = f"For {larger:.0%} of the test digits the amortisation gap is the larger one"
figure, axis = plots.canvas(6.4, 5, title=finding)
for i, (kind, rows) in enumerate(kinds.items()):
    points = gaps[:, :, rows].swapaxes(1, 2).reshape(-1, 2)
    style = {"marker": "os"[i], "color": plots.COLOURS[i], "alpha": 0.5, "linestyle": ""}
    axis.plot(*points.T, label=f"{kind} digits", **style)
ends = np.array([1e-3, 1e3])
axis.plot(ends, ends, "--", color=plots.INK, label="equal")
axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
axis.set(xlabel="approximation gap, nats", ylabel="amortisation gap, nats")
axis.legend(frameon=False)
numbers = [["training", "digit", "approximation", "amortisation"]]
numbers += [[s, d, *gaps[s, :, d]] for s in range(len(gaps)) for d in range(2 * n)]
keep(figure, "04-gaps", alt=finding, numbers=numbers)
