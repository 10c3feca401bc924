# %% [markdown]
# # L20  The mixture of experts and its bounds
#
# Slide 12 proves $\mathcal{L}_{ELBO} \le \mathcal{L}_{IWAE}^{MoE}$. It does not prove that
# $\mathcal{L}_{IWAE}^{MoE}$ is tight. How close to $\log p(x)$ does it come with many samples?
#
# Here $x$ means $x_{1:M}$, all modalities together, and $q_m$ means $q_{\phi_m}(z|x_m)$.

# %%
import math

import numpy as np

from mmvae_edu.course import FAST, derived, holds, keep, outcome, predict
from mmvae_edu.data import load_digits
from mmvae_edu.models import MMVAE
from mmvae_edu.objectives import effective_sample_size, mixture_iwae, stratified_iwae
from mmvae_edu.oracles import iwae_exact, mixture_iwae_exact, stratified_iwae_exact
from mmvae_edu.report import plots
from mmvae_edu.slides.s11_mixture import looseness_gap, responsibility
from mmvae_edu.tour.digits import MODALITIES

# %% [markdown]
# ## The slide's proof
#
# The posterior is a mixture of the experts. MMVAE weighs them evenly, $\alpha_m = 1/M$:
#
# $$q_\Phi(z|x) = \sum_m \alpha_m\, q_m(z)$$  (S11.3)
#
# With $w(z) = p(z, x)/q_\Phi(z|x)$ the ELBO and the IWAE bound of this posterior are
#
# $$\mathcal{L}_{ELBO} = \mathbb{E}_{z \sim q_\Phi} \log w(z)$$  (S11.1)
#
# $$\mathcal{L}_{IWAE} = \mathbb{E}_{z^{1:K} \sim q_\Phi} \log \frac1K \sum_k w(z^k)$$  (S11.2)
#
# A mean under a mixture is the mean of the means under its components. So
#
# $$\mathcal{L}_{ELBO} = \frac1M \sum_m \mathbb{E}_{z_m \sim q_m} \log w(z_m)$$  (S12.1)
#
# and Jensen's inequality, once for each expert, gives
#
# $$\mathcal{L}_{ELBO} \le \frac1M \sum_m \mathbb{E}_{z_m^{1:K} \sim q_m} \log \frac1K
# \sum_k w(z_m^k)$$  (S12.2)
#
# whose right side is the objective of MMVAE:
#
# $$\mathcal{L}_{IWAE}^{MoE} = \frac1M \sum_m \mathbb{E}_{z_m^{1:K} \sim q_m} \log \frac1K \sum_k
# \frac{p(z_m^k, x)}{q_\Phi(z_m^k|x)}$$  (S11.4)
#
# Slide 12 ends with this name for it (S12.3) and "Multimodal IWAE!!!!" (S12.remark): an average of
# $M$ IWAE bounds, whose denominator is the *mixture*, also for samples of one expert.
#
# ## The catch
#
# An IWAE is tight in the limit because $\mathbb{E}_q w = p(x)$. In (S11.4) the samples of one
# logarithm come from one expert, but the weight divides by the mixture. For expert $m$
#
# $$\mathbb{E}_{q_m} w = \sum_z q_m(z)\,\frac{p(z|x)\,p(x)}{\frac1M \sum_j q_j(z)} = M\,p(x)\,a_m,
# \qquad a_m = \mathbb{E}_{p(z|x)} \frac{q_m(z)}{\sum_j q_j(z)} .$$
#
# If the experts together cover the posterior, the $a_m$ sum to 1: $a_m$ is expert $m$'s share of
# it. As $K \to \infty$ each logarithm tends to $\log p(x) + \log(M a_m)$, and their mean to
#
# $$\lim_{K \to \infty} \mathcal{L}_{IWAE}^{MoE} = \log p(x) + \frac1M \sum_m \log (M a_m) =
# \log p(x) - KL(\mathrm{Unif} \,\|\, a) .$$
#
# The limit is $\log p(x)$ only if all shares are equal.
#
# ## Three relatives
#
# **Independent samples**, (S11.2): draw the expert anew for each sample, $K$ or $MK$ times.
# **Stratified**: $K$ samples from each expert, all $MK$ in one logarithm. In Frullani's integral
# (L16), with $\Lambda_m(t) = \mathbb{E}_{q_m} e^{-tw}$, what is subtracted from $e^{-t}$ is
#
# - $\frac1M\sum_m \Lambda_m^K$ for (S11.4) and $(\frac1M\sum_m \Lambda_m)^K$ for $K$ independent
#   samples: the first is the larger, since $u^K$ is convex;
# - $(\frac1M\sum_m \Lambda_m)^{MK}$ for $MK$ independent samples and $\prod_m \Lambda_m^K$ for the
#   strata: the first is the larger, since a geometric mean is at most the arithmetic one.
#
# The more is subtracted, the lower the bound (in each pair the number of weights is the same; the
# inequality in the middle is L16's):
#
# $$\mathcal{L}_{IWAE}^{MoE} \le \mathcal{L}^{iid}_K \le \mathcal{L}^{iid}_{MK} \le
# \mathcal{L}^{strat}_K \le \log p(x) .$$
#
# One expert is near the posterior, the other far from it:

# %%
posterior, evidence = np.array([0.7, 0.2, 0.07, 0.03]), 0.01
experts = np.array([[0.65, 0.25, 0.07, 0.03], [0.02, 0.03, 0.15, 0.80]])
mixture = experts.mean(axis=0)
w = evidence * posterior / mixture
a = responsibility(posterior, experts)
print(f"log p(x) {math.log(evidence):.6f}   shares a {np.round(a, 5).tolist()}")
print("mean weight of each expert / (M p(x)):", np.round(experts @ w / (2 * evidence), 5).tolist())
print(f"KL(uniform || a) {looseness_gap(a):.6f} nats\n")
print("    K        MoE       iid K      iid MK  stratified")
sizes = np.array([1, 10, 100, 1000, 10_000])
bounds = np.array(
    [
        [
            mixture_iwae_exact(experts, w, K),
            iwae_exact(mixture, w, K),
            iwae_exact(mixture, w, 2 * K),
            stratified_iwae_exact(experts, w, K),
        ]
        for K in sizes.tolist()
    ]
)
for K, row in zip(sizes, bounds, strict=True):
    print(f"{K:5d}  " + "  ".join(f"{bound:.6f}" for bound in row))

# %% [markdown]
# ## Predict, then run
#
# On logarithmic axes the gap $\log p(x) - \mathcal{L}$ of a bound that closes as $1/K$ becomes a
# straight line of slope −1.

# %%
names = "slide's bound (S11.4)", "K independent", "MK independent", "stratified"
predict("20-bounds", "One of the four gaps does not close. Which?", *names)
gaps = math.log(evidence) - bounds
finding = f"K = 10 000 an expert: the slide's bound is {gaps[-1, 0]:.3f} nats short, "
finding += f"the stratified {gaps[-1, 3]:.1e}"
series = {name: (sizes, gap) for name, gap in zip(names, gaps.T, strict=True)}
figure = plots.lines(series, finding, "K", "log p(x) − bound, nats", log_x=True, log_y=True)
axis = figure.axes[0]
axis.axhline(looseness_gap(a), color=plots.INK, linewidth=1)
axis.text(1500, 1.25 * looseness_gap(a), "KL(uniform ‖ a)", ha="left")
rows = [[K, *row] for K, row in zip(sizes, gaps, strict=True)]
outcome("20-bounds", names[np.argmax(gaps[-1] / gaps[0])])
keep(figure, "20-bounds", alt=finding, numbers=[["K", *names], *rows])

# %% [markdown]
# The slide's bound is a bound and rises with $K$, but not to $\log p(x)$. In the code that the
# paper's authors released (iffsid/mmvae), `m_iwae` is the stratified bound, and the flag
# `--looser` gives (S11.4). The README recommends the flag: it "removes unbalanced weighting of
# modalities". What does that mean? On the same draws, with $\bar w_m$ the mean weight of expert
# $m$'s samples and $\hat a_m = \bar w_m/\sum_j \bar w_j$,
#
# $$\text{stratified} - \text{S11.4} = \log \frac1M \sum_m \bar w_m - \frac1M \sum_m \log \bar w_m =
# KL(\mathrm{Unif} \,\|\, \hat a),$$
#
# and the stratified gradient gives expert $m$'s samples the share $\hat a_m$, where (S11.4) gives
# them $1/M$.
#
# ## Predict, then run: image and strokes
#
# An MMVAE with two latent dimensions is trained on digits as 8×8 images and pen strokes. The
# experts share the joint posterior.

# %%
predict("20-share", "Which expert has the larger share?", "the image's", "the strokes'")
predict("20-digits", "Has it the larger share of every digit?", "yes", "no")
digits = load_digits("image+strokes")
model = MMVAE(MODALITIES, latent=2, hidden=(64,), activation="relu")
model.fit(digits.train.x, steps=200 if FAST else 1200, progress=False)
rng, N, mean_gaps = np.random.default_rng(0), 300, []
label = digits.test.label[:N]
x = {name: values[:N] for name, values in digits.test.x.items()}
for K in 10, 100, 500:
    eps = model.draw_noise(rng, N, K)["eps"]
    log_w, _, _ = model.log_weights(model.theta, x, eps=eps)
    (stratified, pullback), (slides, _) = stratified_iwae(log_w), mixture_iwae(log_w)
    share = pullback(np.ones_like(stratified)).sum(axis=1)  # â, (M, N)
    gap = stratified - slides
    mean_gaps.append(f"{gap.mean():.1f}")
    ess = [np.median(effective_sample_size(part)) for part in log_w]
    image, strokes = share.mean(axis=1)
    print(f"K {K:3d}  mean share: image {image:.2f}, strokes {strokes:.2f}", end="  ")
    print(f"gap: mean {gap.mean():.1f}, median {np.median(gap):.1f} nats", end="  ")
    print(f"median ESS: {ess[0]:.0f}, {ess[1]:.0f}")

# %%
by_digit = np.array([share[0, label == c].mean() for c in range(10)])
gap_by_digit = np.array([gap[label == c].mean() for c in range(10)])
finding = f"Image expert's share at K = 500: about {share[0].mean():.0%}, by digit "
finding += f"{by_digit.min():.0%} to {by_digit.max():.0%}; "
finding += f"mean gap at K = 10, 100, 500: {', '.join(mean_gaps)} nats"
figure, (left, right) = plots.canvas(9.5, 3.8, 1, 2, title=finding.replace("; ", ";\n"))
left.bar(range(10), by_digit, color=plots.COLOURS[0], label="image")
left.bar(
    range(10), 1 - by_digit, bottom=by_digit, color=plots.COLOURS[4], hatch="//", label="strokes"
)
left.axhline(0.5, color=plots.INK, linestyle="--")
left.set(xticks=range(10), xlabel="digit", ylabel="estimated share a")
right.bar(range(10), gap_by_digit, color=plots.COLOURS[2])
right.set(xticks=range(10), xlabel="digit", ylabel="stratified − S11.4, nats")
figure.legend(loc="outside lower left", ncols=2, frameon=False)
rows = [[c, by_digit[c], gap_by_digit[c]] for c in range(10)]
outcome("20-share", "the image's" if image > strokes else "the strokes'")
outcome("20-digits", "yes" if len(set(by_digit > 0.5)) == 1 else "no")
keep(figure, "20-shares", alt=finding, numbers=[["digit", "share of image", "gap"], *rows])

# %% [markdown]
# These shares are estimates: an expert far from the posterior has a mean weight that rests on few
# samples (ESS), and the gap is not yet constant in $K$. Under the stratified bound such an expert's
# samples would get only its share of the gradient. (S11.4) gives each expert the same gradient
# weight; the price is a bound lower by $KL(\mathrm{Unif}\,\|\,a)$.
#
# So (S11.4) pulls the shares $a_m$ towards $1/M$. It does not pull every expert to the posterior:
# experts may divide it between them. Nor could an expert be $p(z|x_{1:M})$ in general, since it is
# given only $x_m$.

# %%
halves, divided = np.array([0.5, 0.5]), np.eye(2)  # posterior (½, ½), experts (1, 0) and (0, 1)
w = evidence * halves / divided.mean(axis=0)
both = ", ".join(f"{mixture_iwae_exact(divided, w, K):.6f}" for K in (1, 10, 1000))
print(f"log p(x) {math.log(evidence):.6f}; divided experts, K = 1, 10, 1000: {both}")
print(f"KL of each expert from the posterior: {math.log(1 / halves[0]):.4f} nats")

# %% [markdown]
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation against the one before, in random models with
# a few states, and switches off one assumption after another to see which ones the line needs.

# %%
derived("s11_mixture", "s11_weights")

# %% [markdown]
# ## The claims

# %%
holds(
    "the_mixture_averages_densities",
    "the_mixture_is_a_density",
    "present_experts_share_the_mass",
    "mixture_elbo_is_the_elbo_of_the_mixture",
    "iwae_of_the_mixture_in_expectation",
    "mixture_iwae_in_expectation",
    "every_expert_has_its_own_logarithm",
    "the_mixtures_expectation_is_the_mean_over_experts",
    "jensen_holds_in_every_draw",
    "with_one_sample_the_inequality_is_an_equality",
    "the_slides_bound_rises_to_its_limit",
    "an_experts_mean_weight_is_its_share",
    "no_number_of_samples_closes_the_gap",
    "the_gap_of_the_fixture",
    "experts_may_divide_the_posterior",
    "the_slides_bound_stays_loose",
    "the_slides_bound_is_below_iwae_of_the_mixture",
    "strata_are_tighter_than_independent_samples",
    "the_stratified_bound_wins_by_the_gap",
)

# %% [markdown]
# Next: L21 differentiates (S11.4) by hand and trains the MMVAE beside the MVAE.
#
# Your turn: `mmvae-edu check L20`, from `mixture_log_prob` to `looseness_gap`.

# %% [markdown]
# ## Sources
#
# - Shi, Siddharth, Paige and Torr (2019), *Variational Mixture-of-Experts Autoencoders for
#   Multi-Modal Deep Generative Models*: the mixture and slide 12's inequality; their released code.
# - Morningstar et al. (2021), *Automatic Differentiation Variational Inference with Mixtures*: the
#   stratified bound.
