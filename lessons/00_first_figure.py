# %% [markdown]
# # L00  What this course is about
#
# The slides *Incomplete Multimodal Learning* (S1.title) by Li Xiaolou present four papers. This
# course derives and checks each of their lines. What has a variational autoencoder (VAE) that an
# autoencoder lacks? And when are data incomplete?
#
# ## Four papers
#
# **VAE** (S2.vae), Doersch 2016; slides 3 to 5, L02 to L08. A code $z$ is drawn from a prior
# $p(z)$; a network, the decoder, makes of it a distribution of data, $p(x|z)$. Another, the
# encoder, gives for each $x$ a distribution $q(z|x)$ of codes that may have made it. Both are
# trained by raising a lower bound of $\log p(x)$, the ELBO.
#
# **MVAE** (S2.mvae), Wu and Goodman 2018; slides 6 to 8, L09 to L15. Data may have several
# *modalities*, as an image and its text, and some may be missing. Each has an encoder, an *expert*
# on $z$; the MVAE multiplies the experts of those that are there.
#
# **IWAE** (S2.iwae), Burda, Grosse and Salakhutdinov 2015; slide 9, L16 and L17. Averaging several
# samples of $z$ inside the logarithm gives a tighter bound.
#
# **MMVAE** (S2.mmvae), Shi, Siddharth, Paige and Torr 2019; slides 10 to 13, L18 to L22. It
# averages the experts, trains with such a bound, and asks four things of a multimodal model, one of
# them that an image and a text generated together agree.

# %%
import numpy as np

from mmvae_edu import VAE
from mmvae_edu.claims import CLAIMS, mutants_of, run
from mmvae_edu.course import FAST, holds, keep, outcome, predict
from mmvae_edu.data import load_digits
from mmvae_edu.likelihoods import Binomial
from mmvae_edu.oracles import DiscreteModel, iwae_exact
from mmvae_edu.report import plots
from mmvae_edu.slides.s05_evidence import elbo

# %% [markdown]
# ## Autoencoder against VAE
#
# (S3.vs) An autoencoder, two networks, learns to reproduce $x$ from its code. A VAE adds noise,
# $z = \mu + \sigma\varepsilon$ with $\varepsilon \sim N(0, I)$, and a cost, the KL divergence of
# $q(z|x)$ from the prior $N(0, I)$. The data are 8×8 images of digits; codes have two numbers.


# %%
class Autoencoder(VAE):
    """A VAE without noise and without the KL (its weight β is 0)."""

    def bound(self, theta, x, *, eps, beta, **options):
        return super().bound(theta, x, eps=0 * eps, beta=0.0, **options)


digits = load_digits("image+label")
train, test, label = digits.train.x["image"], digits.test.x["image"], digits.test.label
models, codes = {"autoencoder": Autoencoder, "VAE": VAE}, {}
for name, system in models.items():
    model = system({"image": Binomial(64, n=16)}, latent=2, hidden=(128,), activation="tanh")
    steps = 300 if FAST else 3000
    model.fit({"image": train}, steps=steps, learning_rate=4e-3, progress=False)
    models[name], codes[name] = model, model.encode({"image": test})[0]
    off = np.abs(model.decode(codes[name])["image"] - test).mean()
    print(f"{name:12} decoded test codes are off by {off:.2f} of 16 a pixel")

# %% [markdown]
# ## Predict, then run
#
# A dashed circle will hold 95% of $N(0, I)$. The darker a place, the less an image decoded there
# resembles any training image.

# %%
SHARES = "under a third", "in between", "over two thirds"
predict("00-circle", "How many of the autoencoder's codes lie in the circle?", *SHARES)


def nearest(images):
    """Find the training image nearest to each image: its distance (rms, ink) and its label."""
    squared = (images**2).sum(axis=1)[:, None] - 2 * images @ train.T + (train**2).sum(axis=1)
    return np.sqrt(squared.min(axis=1) / 64), digits.train.label[squared.argmin(axis=1)]


inside = {name: (np.exp((mu**2).sum(axis=1) / -2) > 0.05).mean() for name, mu in codes.items()}
finding = "Codes inside the circle that holds 95% of N(0, I): "
finding += ", ".join(f"{name} {share:.0%}" for name, share in inside.items())
figure, axes = plots.canvas(11, 5.6, 1, 2, title=finding)
for axis, (name, mu) in zip(axes, codes.items(), strict=True):
    plots.code_plane(axis, mu[::4], label[::4], name)
    ends = [*axis.get_xlim(), *axis.get_ylim()]
    grid = np.meshgrid(np.linspace(*ends[:2], 60), np.linspace(*ends[2:], 60))
    far, _ = nearest(models[name].decode(np.stack(grid, axis=-1).reshape(-1, 2))["image"])
    options = {"extent": ends, "origin": "lower", "cmap": "Greys", "vmin": 0, "vmax": 8}
    ground = axis.imshow(far.reshape(60, 60), **options)
figure.colorbar(ground, ax=axes, label="distance to the nearest training image")
rows = [[name, *row] for name, mu in codes.items() for row in np.c_[label, mu][::4]]
outcome("00-circle", SHARES[int(2.99 * inside["autoencoder"])])
keep(figure, "00-planes", alt=finding, numbers=[["model", "digit", "z1", "z2"], *rows])

# %% [markdown]
# Nothing tells an autoencoder where to put its codes. The KL gathers the VAE's around the prior,
# and by the noise its decoder learns the surroundings of each code.
#
# ## Predict, then run
#
# Draw $z$ from $N(0, I)$, or from a Gaussian fitted to the codes, and decode it.

# %%
question = "Of the ten digits, how many does the autoencoder draw from N(0, I)?"
predict("00-kinds", question, *SHARES)
rng = np.random.default_rng(0)
strips, kinds, noise = [], {}, rng.standard_normal((2000, 2))
ends = [np.flatnonzero(label == digit)[0] for digit in (0, 7)]
for name, mu in codes.items():
    fitted = rng.multivariate_normal(mu.mean(axis=0), np.cov(mu.T), 2000)
    for law, z in {"N(0, I)": noise, "fitted": fitted}.items():
        images = models[name].decode(z)["image"]
        share = np.bincount(nearest(images)[1], minlength=10) / len(images)
        kinds[name, law] = (share > 0.02).sum()  # by the label of the nearest training image
        print(f"{name}, z ~ {law}: {kinds[name, law]} digits, each in over 2% of draws")
        strips.append((f"{name}\nz ~ {law}", images[:10]))
    strips.append(
        (f"{name}\nfrom 0 to 7", models[name].decode(np.linspace(*mu[ends], 10))["image"])
    )

finding = f"Draws of N(0, I) show {kinds['autoencoder', 'N(0, I)']} of the ten digits by the "
finding += f"autoencoder, {kinds['VAE', 'N(0, I)']} by the VAE"
figure = plots.digit_grid(strips, finding)
rows = [[name, *image] for name, images in strips for image in images]
outcome("00-kinds", SHARES[int(0.299 * kinds["autoencoder", "N(0, I)"])])
keep(figure, "00-draws", alt=finding, numbers=[["row", *range(64)], *rows])

# %% [markdown]
# A fitted Gaussian mends the autoencoder's draws. What sets a VAE apart is that it is a
# **probability model**, $p(z)\,p(x|z)$: it says how probable an image is, which codes may explain
# it, and with several modalities what some tell of the others.
#
# ## Incomplete multimodal data
#
# An example has an image of a digit and the strokes of a pen that wrote one. A **mask** says which
# are present. Here each is lost in 30% of the examples, independently.

# %%
predict("00-whole", "What percentage of the pairs stays whole?")
pairs = load_digits("image+strokes", pairs=1).test.x
mask = rng.random((2, len(pairs["image"]))) > 0.3  # True = present
finding = f"Of {mask.shape[1]} pairs {mask.all(axis=0).mean():.0%} are whole; "
finding += f"{mask.any(axis=0).mean():.0%} have a modality"
strips, rows = [], [["modality", *range(10)]]
for (name, values), present in zip(pairs.items(), mask[:, :10], strict=True):
    strips.append((name, np.where(present[:, None], values[:10], np.nan)))
    rows.append([name, *present.astype(int)])
figure = plots.digit_grid(strips, finding)
outcome("00-whole", 100 * mask.all(axis=0).mean())
keep(figure, "00-incomplete", alt=finding, numbers=rows)

# %% [markdown]
# Expected are 49%, $0.7^2$; with five modalities 17%, $0.7^5$. A model of such data must learn from
# every row (`fit(x, mask=mask)`), infer $z$ from what is there, and generate the rest.
#
# ## How statements are checked
#
# Formulas are compared with **oracles**, models so small that the right answer is a finite sum.
# With three states of $z$: $\log p(x)$ (S5.1), the ELBO (S5.7), and between them the bound of an
# IWAE with $K = 8$ samples (S9.2).

# %%
prior = np.array([0.5, 0.3, 0.2])
likelihood = np.array([[0.4, 0.6], [0.8, 0.2], [0.95, 0.05]])  # a row for each z, a column for x
oracle = DiscreteModel(np.log(prior), [np.log(likelihood)])
log_joint, q = oracle.log_joint([1]), np.array([0.4, 0.3, 0.3])
values = [oracle.log_evidence([1]), iwae_exact(q, np.exp(log_joint) / q, 8), elbo(q, log_joint)]
print("log p(x) {:+.4f}, IWAE {:+.4f}, ELBO {:+.4f} nats".format(*values))

# %% [markdown]
# A **claim** is a statement with a check: two sides, one of the library or yours, the other usually
# of an oracle, must agree within a limit, from T0, $10^{-12}$ for a finite identity, to T4, four
# standard errors of a Monte Carlo mean. A check that no wrong program can fail proves nothing. So
# each **mutant**, a wrong implementation, must fail some claim.

# %%
claim = CLAIMS["elbo_averages_the_log_ratio"]
print(f"{claim.statement}\n  the library: {run(claim).numbers}")
for mutant in mutants_of(claim.of):
    print(f"  {mutant.says}: {run(claim, mutant.f).numbers}")

# %% [markdown]
# ## How to use a lesson
#
# *Predict*: `mmvae-edu run 00 --ask`. *Derive*: `mmvae-edu derive` tests derivations line by line.
# *Solve*: `mmvae-edu start` copies the exercises into a folder; edit `two_plus_two` there and run
# `mmvae-edu check L00`. *Step* through it in a debugger:
#
# - VS Code: choose *Run Cell* or *Debug Cell* above a `# %%`; or set a breakpoint in the margin and
#   start *Python Debugger: Debug Python File*. PyCharm, Spyder: set a breakpoint, then *Debug*.
# - A terminal: write `breakpoint()` on the line above `values = ...` and run the file. It stops
#   there, in pdb. `b elbo` sets a breakpoint in `elbo`, `c` continues to it, `n` runs a line, `s`
#   steps into a call, `p q` prints `q`, `w` shows the calls that led here. A name works once its
#   import has run. A line of a file needs the absolute path: `b /path/file.py:40`.
#   The library checks the arrays of a call first: step on to the line with the call, and in.
#   A pullback has no name before the function around it has run: in L05, stop one line below
#   `l1, pullback = ...`; there `b pullback` sets a breakpoint in it.
#
# Try it: change a sign in `elbo` (`mmvae_edu/slides/s05_evidence.py`), run again, and see which
# claim fails first.
#
# ## The claims

# %%
holds(
    "evidence_sums_the_joint",
    "elbo_averages_the_log_ratio",
    "elbo_is_a_lower_bound",
    "iwae_bound_in_expectation",
    "more_samples_tighten_the_iwae_bound",
)

# %% [markdown]
# Next: L01 computes with probabilities too small for a float.

# %% [markdown]
# ## Sources
#
# - Li Xiaolou (2023), *Incomplete Multimodal Learning*: the slides that this course executes.
# - Doersch (2016), *Tutorial on Variational Autoencoders*: slides 3 to 5.
# - Wu and Goodman (2018), *Multimodal Generative Models for Scalable Weakly-Supervised Learning*:
#   MVAE, slides 6 to 8.
# - Burda, Grosse and Salakhutdinov (2015), *Importance Weighted Autoencoders*: IWAE, slide 9.
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: MMVAE, slides 10 to 13 (slide 2 omits its second author).
