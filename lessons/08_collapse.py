# %% [markdown]
# # L08  Collapse and annealing
#
# Slide 6 puts a weight $\beta$ on the KL, and many trainings raise it slowly from 0. What does the
# KL buy, dimension by dimension? When does a dimension of $z$ carry nothing, and is that a failure?

# %%
import numpy as np

from mmvae_edu.course import FAST, derived, holds, keep, outcome, predict
from mmvae_edu.criteria import active_units, kl_per_dimension
from mmvae_edu.data import load_digits
from mmvae_edu.likelihoods import Binomial, Normal
from mmvae_edu.models import VAE
from mmvae_edu.report import plots
from mmvae_edu.slides.s04_mean_field import product_of_marginals, total_correlation
from mmvae_edu.slides.s06_weighted_elbo import reverse_water_filling

# %% [markdown]
# ## Rate and distortion
#
# At $\lambda = 1$ the slide's objective (S6.1), averaged over the data, is
# $-(\text{distortion} + \beta \cdot \text{rate})$ (Alemi et al.), with
#
# $$\text{distortion} = -\mathbb{E}_x\,\mathbb{E}_{q(z|x)} \log p(x|z), \qquad
# \text{rate} = \mathbb{E}_x\,KL[q(z|x), p(z)] .$$
#
# $q(z|x)$ and $p(z)$ are products over the dimensions, so **the rate is a sum over dimensions**,
# `kl_per_dimension`. Let $\bar q(z) = \mathbb{E}_x\,q(z|x)$, and insert $\bar q/\bar q$ into
# the logarithm (Hoffman and Johnson):
#
# $$\text{rate} = \mathbb{E}_x\,KL[q(z|x), \bar q(z)] + KL[\bar q(z), p(z)] .$$
#
# The first part is the information that $z$ has about $x$, so the rate limits it. A dimension has
# **collapsed** if its KL is 0: $q(z_d|x)$ is then the prior for every $x$. Burda et al. call a
# dimension active if the mean of $q(z_d|x)$ has a variance above 0.01 over the data.
#
# ## A linear VAE, exactly
#
# Let $p(x|z) = N(Wz + b, \sigma^2 I)$ with a given $\sigma$, and divide the objective by $\beta$:
# $\mathbb{E}_q \frac1\beta \log p(x|z) - KL$. Up to a constant, $\frac1\beta \log N(x; Wz + b,
# \sigma^2 I)$ is $\log N(x; Wz + b, \beta\sigma^2 I)$: **$\beta$ multiplies the noise variance.**
# So the best $q$ is the posterior at the noise variance $t = \beta\sigma^2$, and the bound with it
# is $\log N(x; b, WW^\top + tI)$. Let $b$ be the data's mean, and the columns of $W$ lie along
# eigenvectors of the data's covariance (then the posterior is diagonal). A column of length $s$, at
# the eigenvalue $\lambda_d$, adds on average
#
# $$-\tfrac12 \log 2\pi(s^2 + t) - \tfrac12\, \frac{\lambda_d}{s^2 + t} ,$$
#
# which rises until $s^2 + t = \lambda_d$ and falls from there. If $\lambda_d > t$, the best is
# $s^2 = \lambda_d - t$. **If $\lambda_d \le t$, the best is $s = 0$: the dimension collapses, and
# this is the optimum** (Lucas et al.). That no other $W$ is better is Tipping and Bishop's theorem,
# which a claim below tries to refute. In a direction that is kept, the posterior's variance is then
# $t/\lambda_d$, the variance of its mean $1 - t/\lambda_d$, and so (S5.11)
#
# $$KL_d = \tfrac12 \log \frac{\lambda_d}{t}, \qquad \text{squared error}_d = t ,$$
#
# and a collapsed one the KL 0 and the error $\lambda_d$. Information theory calls this reverse
# water-filling; $t$ is the water level.

# %%
digits = load_digits("image+label")
counts, validation = digits.train.x["image"], {"image": digits.validation.x["image"]}
x = (counts - counts.mean(axis=0)) / 4  # for the linear VAE
eigenvalues = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
print("the digits' largest eigenvalues", eigenvalues[:12].round(1).tolist())


def train(model, x, beta, steps, rate, seed=0, watch=lambda: None):
    """Climb the bound by Adam, with β = beta(share of the steps done); return 20 records."""
    rng, records, size = np.random.default_rng(seed), [], 256
    model.theta = theta = model.init(rng)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for step in range(1, steps + 1):
        batch = {name: part[rng.integers(0, len(part), size)] for name, part in x.items()}
        noise = model.draw_noise(rng, size, 1)
        _, pullback = model.bound(theta, batch, beta=beta(step / steps), **noise)
        dtheta = pullback(np.full(size, -1 / size))
        now = rate * min(1, 2 - 2 * (step - 1) / steps)  # falls in the second half
        model.backend(theta).adam_step(theta, dtheta, m, v, step=step, learning_rate=now)
        if step % (steps // 20) == 0:
            records.append(watch())
    return np.array(records)


# %% [markdown]
# ## Predict, then run
#
# $\sigma = 1$ and 16 latent dimensions, trained at five values of $\beta$.

# %%
predict("08-collapse", "How many of the 16 dimensions does the optimum keep at β = 4?")
levels = np.geomspace(1, 12, 60)  # β σ², at σ = 1
curve = [reverse_water_filling(eigenvalues, noise=1.0, beta=beta) for beta in levels]
figure, (left, right) = plots.canvas(9.5, 4, 1, 2)
left.plot(*np.sum(curve, axis=2).T, color=plots.INK, label="exact, β from 1 to 12")
numbers, off = [["β", "dimension", "KL trained", "KL exact"]], []
for colour, beta in zip(plots.COLOURS, (1, 2, 4, 8, 12), strict=False):
    linear = VAE({"x": Normal(64, scale=1.0)}, latent=16, hidden=())
    train(linear, {"x": x}, lambda share, beta=beta: beta, 300 if FAST else 1500, 1e-2)
    mu, log_var = linear.encode({"x": x})
    kl, w = np.sort(kl_per_dimension(mu, log_var))[::-1], linear.tree.views(linear.theta)["x"]
    W, b = w["decoder"]["W0"], w["decoder"]["b0"]
    error = ((x - mu @ W - b) ** 2).sum(axis=1).mean() + (np.exp(log_var) @ W**2).sum(axis=1).mean()
    exact, _ = reverse_water_filling(eigenvalues[:16], noise=1.0, beta=beta)
    print(
        f"β {beta:2}: active units {active_units(mu).sum():2}, exact {(exact > 0).sum():2}",
        end="; ",
    )
    print(f"rate {kl.sum():.3f}, exact {exact.sum():.3f} nats")
    if beta == 4:
        outcome("08-collapse", (exact > 0).sum())
    left.plot(kl.sum(), error, "o", color=colour, label=f"trained, β = {beta}")
    right.plot(range(1, 17), exact, color=colour)
    right.plot(range(1, 17), kl, "o", color=colour)
    numbers += [[beta, d + 1, kl[d], exact[d]] for d in range(16)]
    off.append(abs(kl.sum() - exact.sum()))
finding = f"Trained linear VAEs end within {max(off):.2f} nats of the exact rate (lines)"
figure.suptitle(finding, x=0.01, ha="left", fontsize=12)
left.set(xlabel="rate, nats", ylabel="squared error")
left.legend(frameon=False)
right.set(xlabel="dimension, in the order of its KL", ylabel="KL, nats")
keep(figure, "08-water-filling", alt=finding, numbers=numbers)

# %% [markdown]
# At $\sigma = 1$ the distortion is half the squared error plus a constant. Its slope against the
# rate is $-\beta$ (a claim below): $\beta$ is the price of a nat. A $\sigma$ that is fixed too
# large collapses dimensions as a large $\beta$ does.
#
# ## A decoder that does not need z
#
# Let two pixels mostly agree. A decoder $p(x_1|z)\,p(x_2|z)$ needs $z$ for this; the chain rule of
# slide 4, $p(x_1|z)\,p(x_2|x_1, z)$, does not. Collapsed, the first reaches at best the product of
# the marginals, the second the data's own distribution. No model has a higher bound than that:
# $\mathbb{E}_x L^v \le \mathbb{E}_x \log p(x) \le \mathbb{E}_x \log p_\text{data}(x)$. So **with
# the second decoder collapse is an optimum**, and a $z$ in use does as well only if $q$ is exact.

# %%
data = np.array([[0.48, 0.02], [0.02, 0.48]])
highest = (data * np.log(data)).sum()
product = (data * np.log(product_of_marginals(data))).sum()
print(f"highest bound {highest:.4f}; the first decoder, collapsed, at best {product:.4f} nats")
print(f"the difference is the total correlation, {total_correlation(data):.4f} nats")

# %% [markdown]
# ## Predict, then run: annealing
#
# A deeper VAE, 32 dimensions, three seeds each: $\beta = 1$ throughout, or rising from 0 to 1 in
# the first half.

# %%
schedules = {"β = 1": lambda share: 1.0, "β rises": lambda share: min(1.0, 2 * share)}
choices = "neither", *schedules
predict("08-annealing", "Which ends with more dimensions whose KL is above 0.1?", *choices)
figure, (left, right) = plots.canvas(9.5, 4, 1, 2)
steps, used, bounds = 200 if FAST else 2000, {}, {}
numbers = [["schedule", "seed", "step", *range(1, 33)]]
for name, beta in schedules.items():
    for seed in range(1 if FAST else 3):
        model = VAE({"image": Binomial(64, n=16)}, latent=32, hidden=(128, 128))
        kls = train(
            model, {"image": counts}, beta, steps, 2e-3, seed,
            lambda model=model: kl_per_dimension(*model.encode(validation)),
        )  # fmt: skip
        noise = model.draw_noise(np.random.default_rng(0), len(validation["image"]), 10)
        bound = model.bound(model.theta, validation, **noise)[0].mean()
        used[name, seed], bounds[name, seed] = (kls[-1] > 0.1).sum(), bound
        active = active_units(model.encode(validation)[0]).sum()
        print(f"{name:8} seed {seed}: KL > 0.1 in {used[name, seed]}, active {active}", end="; ")
        print(f"rate {kls[-1].sum():.2f}, bound at β = 1 {bound:.2f} nats")
        style = {"color": plots.COLOURS[list(schedules).index(name)], "label": name}
        style |= {"linestyle": ["-", "--", ":"][seed], "label": name if seed == 0 else None}
        left.plot(range(1, 33), np.sort(kls[-1])[::-1], **style)
        right.plot(steps / 20 * np.arange(1, 21), (kls > 0.1).sum(axis=1), **style)
        numbers += [[name, seed, (i + 1) * steps // 20, *kls[i]] for i in range(20)]


def means(found):
    """The mean over the seeds, for each schedule."""
    return {name: np.mean([v for (n, _), v in found.items() if n == name]) for name in schedules}


finding = "Dimensions with KL > 0.1: "
finding += ", ".join(f"{value:.1f} ({name})" for name, value in means(used).items())
finding += "; validation bound: "
finding += ", ".join(f"{value:.1f}".replace("-", "−") for value in means(bounds).values())
figure.suptitle(finding, x=0.01, ha="left", fontsize=12)
left.set(xlabel="dimension, in the order of its KL", ylabel="KL at the end, nats")
right.set(xlabel="step", ylabel="dimensions with KL > 0.1")
left.legend(frameon=False)
outcome("08-annealing", choices[int(np.sign(np.subtract(*means(used).values())))])
keep(figure, "08-annealing", alt=finding, numbers=numbers)

# %% [markdown]
# (A line is a seed.) In these trainings both schedules end with collapsed dimensions. With a small
# $\beta$ at first, all dimensions are used, and more of them stay (Bowman et al., Sønderby et al.);
# the rate is higher. But the bound, which both maximise in the end, is lower after as many steps,
# half at a smaller $\beta$: **more active dimensions need not be a better model.** Whether
# the unused dimensions would pay for their rate is not known here.
#
# ## Line by line, and the claims

# %%
derived("s06_rate")
holds(
    "the_kl_splits_into_dimensions",
    "the_kls_complete_the_elbo",
    "an_active_unit_has_a_mean_that_varies",
    "the_best_linear_vae_fills_from_below",
    "no_linear_decoder_has_a_higher_weighted_elbo",
    "a_dimension_collapses_at_its_eigenvalue",
    "beta_is_the_slope_of_distortion_against_rate",
)

# %% [markdown]
# Next: L09 asks for which weights the objective is still a bound. Your turn: `mmvae-edu check L08`.

# %% [markdown]
# ## Sources
#
# - Higgins et al. (2017), *beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
#   Framework*: the weight $\beta$.
# - Alemi, Poole, Fischer, Dillon, Saurous and Murphy (2018), *Fixing a Broken ELBO*: rate and
#   distortion, and $\beta$ as the slope.
# - Hoffman and Johnson (2016), *ELBO surgery: yet another way to carve up the variational evidence
#   lower bound*: the rate as information and a divergence.
# - Lucas, Tucker, Grosse and Norouzi (2019), *Don't Blame the ELBO! A Linear VAE Perspective on
#   Posterior Collapse*; Tipping and Bishop (1999), *Probabilistic Principal Component Analysis*.
# - Cover and Thomas (2006), *Elements of Information Theory*: reverse water-filling.
# - Chen, Kingma, Salimans, Duan, Dhariwal, Schulman, Sutskever and Abbeel (2017), *Variational
#   Lossy Autoencoder*: a decoder that does not need $z$.
# - Burda, Grosse and Salakhutdinov (2015), *Importance Weighted Autoencoders*: active units.
# - Bowman, Vilnis, Vinyals, Dai, Jozefowicz and Bengio (2016), *Generating Sentences from a
#   Continuous Space*; Sønderby, Raiko, Maaløe, Sønderby and Winther (2016), *Ladder Variational
#   Autoencoders*: a weight of the KL that rises.
