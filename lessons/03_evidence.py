# %% [markdown]
# # L03  What the lower bound misses
#
# $\log p(x)$ needs a sum over all $z$; the posterior $p(z|x)$ needs $\log p(x)$. Slide 5 brings in
# a distribution $q(z|x)$ that is ours to choose and asks how to make it approach $p(z|x)$
# (S5.question):
#
# $$\min D_{KL}(q(z|x)\,\|\,p(z|x))$$  (S5.0)
#
# How can this be minimised when $p(z|x)$ is unknown? Here $z$ has five states, so both sides of
# every line can be summed.

# %%
import numpy as np

from mmvae_edu.course import derived, holds, keep, outcome, predict
from mmvae_edu.report import plots
from mmvae_edu.slides.s05_evidence import decompose, elbo, kl, log_evidence, log_joint, posterior

log_prior = np.log([0.3, 0.25, 0.2, 0.15, 0.1])  # log p(z)
log_lik = np.log([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.95, 0.05]])  # log p(x|z)
joint = log_joint(log_prior, log_lik, 1)  # log p(x, z) at x = 1
p = posterior(joint)  # p(z|x)
q = np.array([0.05, 0.3, 0.1, 0.15, 0.4])  # q(z|x)
print("p(z|x)", p.round(3).tolist())
print("q(z|x)", q.tolist())

# %% [markdown]
# ## Six lines
#
# $$L = \log p(x)$$  (S5.1)
#
# $\log p(x)$ does not depend on $z$ and $\sum_z q(z|x) = 1$, so averaging it changes nothing:
#
# $$L = \sum_z q(z|x) \log p(x)$$  (S5.2)
#
# From $p(z, x) = p(z|x)\,p(x)$, for every $z$ with $p(z|x) > 0$:
#
# $$L = \sum_z q(z|x) \log \frac{p(z,x)}{p(z|x)}$$  (S5.3)
#
# Multiply by $q(z|x)/q(z|x) = 1$. Only states with $q > 0$ are in the sum, so this is allowed:
#
# $$L = \sum_z q(z|x) \log \left( \frac{p(z,x)}{q(z|x)} \frac{q(z|x)}{p(z|x)} \right)$$  (S5.4)
#
# The logarithm of a product is a sum:
#
# $$L = \sum_z q(z|x) \log \frac{p(z,x)}{q(z|x)}
# + \sum_z q(z|x) \log \frac{q(z|x)}{p(z|x)}$$  (S5.5)
#
# The first sum is named $L^v$, the evidence lower bound (S5.lower-bound); the second is a
# Kullback-Leibler divergence:
#
# $$L = L^v + D_{KL}(q(z|x)\,\|\,p(z|x))$$  (S5.6)
#
# No line is an approximation, and $q$ need not be good. It must only be 0 where $p(z|x)$ is 0.

# %%
L = log_evidence(joint)
log_q, log_p = np.log(q), np.log(p)
first, second = (q * (joint - log_q)).sum(), (q * (log_q - log_p)).sum()
print(f"S5.1  log p(x)                 {L:+.12f}")
print(f"S5.2  its average under q      {(q * L).sum():+.12f}")
print(f"S5.3  joint over posterior     {(q * (joint - log_p)).sum():+.12f}")
print(f"S5.4  with q/q                 {(q * ((joint - log_q) + (log_q - log_p))).sum():+.12f}")
print(f"S5.5  {first:+.4f} {second:+.4f}          {first + second:+.12f}")
bound, gap = decompose(q, joint)
print(f"S5.6  L^v {bound:+.4f}, KL {gap:+.4f}  {bound + gap:+.12f}")

# %% [markdown]
# ## Why the bound is lower
#
# $-D_{KL}(q\,\|\,p) = \mathbb{E}_q \log \frac pq \le \log \mathbb{E}_q \frac pq
# = \log \sum_{z: q > 0} p(z|x) \le 0$ (Jensen's inequality). Equality needs $p/q$ to be constant
# where $q > 0$ and no mass of $p$ elsewhere: $q = p(z|x)$. Hence $L^v \le \log p(x)$, with
# equality only at the posterior.
#
# This answers the question of the slide. $L = \log p(x)$ is the same for every $q$. So **a change
# of $q$ that raises $L^v$ lowers $D_{KL}(q\,\|\,p(z|x))$ by as much**, and $L^v$ contains only
# $p(z,x)$ and $q$, which we can compute. A change of the model may raise $L^v$ by a higher
# $\log p(x)$ or by a smaller KL: a higher bound alone does not say that $\log p(x)$ rose.
#
# ## Predict, then run
#
# Walk from this $q$ to the posterior on a straight line, $q_t = (1-t)\,q + t\,p(z|x)$.

# %%
predict("03-sum", "What does L^v + KL do on this way?", "it rises", "it falls", "it stays")
predict("03-half", "Half of the way along, what is left of the KL?", "half", "more", "less")
t = np.linspace(0, 1, 11)
bounds, gaps = np.array([decompose((1 - s) * q + s * p, joint) for s in t]).T
print(f"L^v + KL varies by {np.ptp(bounds + gaps):.0e} nats along the way")
print(f"half of the way along, {gaps[5] / gaps[0]:.0%} of the KL is left")

finding = f"log p(x) stays at {L:.3f} nats while the KL falls from {gaps[0]:.3f} to {gaps[-1]:.3f}"
figure, axis = plots.canvas(7.2, 4.4, title=finding)
labels = ["log p(x), the same for every q", "KL(q ‖ p(z|x)): from log p(x) down to L^v"]
axis.bar(t, bounds + gaps, 0.08, color=plots.COLOURS[5], label=labels[0])
axis.bar(t, -gaps, 0.08, bottom=L, color=plots.COLOURS[1], hatch="//", ec="white", label=labels[1])
axis.plot(t, bounds, color=plots.INK, marker="o", markersize=4, label="L^v, where a bar ends")
axis.set(xlabel="t: from q (0) to the posterior (1)", ylabel="nats", xticks=t)
figure.legend(loc="outside lower center", ncols=1, frameon=False)
numbers = [["t", "L^v", "KL", "sum"], *zip(t, bounds, gaps, bounds + gaps, strict=True)]
change = bounds[-1] + gaps[-1] - L
outcome("03-sum", "it stays" if abs(change) < 1e-9 else "it rises" if change > 0 else "it falls")
outcome("03-half", "less" if gaps[5] < gaps[0] / 2 else "more")
keep(figure, "03-decomposition", alt=finding, numbers=numbers)

# %% [markdown]
# The KL is convex in $q$ and 0 at the end of the line, so at $t$ at most the share $1 - t$ of it is
# left, and equal steps gain less and less.
#
# ## Predict, then run: another model, the same q
#
# Let the decoder have a parameter $\theta$, an exponent of each state's odds. Take the posterior at
# one $\theta$ as $q$, and keep this $q$ while $\theta$ changes.

# %%
PLACES = "nowhere", "at one θ", "everywhere"
predict("03-touch", "Where does L^v with this q reach log p(x; θ)?", *PLACES)
odds = log_lik[:, 1] - log_lik[:, 0]


def joint_at(theta):
    """Compute log p(x, z; θ) at x = 1, where log p(x = 1|z) − log p(x = 0|z) = θ odds."""
    return log_joint(log_prior, -np.logaddexp(0, theta * np.c_[odds, -odds]), 1)


thetas = np.linspace(-2, 3, 101)
joints = [joint_at(theta) for theta in thetas]
evidence = np.array([log_evidence(one) for one in joints])
qs = {
    f"L^v, q = p(z|x) at θ = {thetas[i]:.1f}".replace("-", "−"): posterior(joints[i])
    for i in (20, 50, 80)
}
curves = {name: np.array([elbo(q, one) for one in joints]) for name, q in qs.items()}
touches = [int((evidence - curve < 1e-12).sum()) for curve in curves.values()]
counts = ", ".join(map(str, touches))
finding = f"The three L^v meet log p(x; θ) at {counts} of {len(thetas)} values of θ"
figure, axis = plots.canvas(7.2, 4.4, title=finding)
axis.plot(thetas, evidence, color=plots.INK, label="log p(x; θ)")
for i, (name, curve) in enumerate(curves.items()):
    at = (evidence - curve).argmin()
    style = {"color": plots.COLOURS[i], "linestyle": plots.DASHES[i + 1]}
    axis.plot(thetas, curve, label=name, marker=plots.MARKERS[i], markevery=[at], **style)
axis.set(xlabel="θ", ylabel="nats", ylim=(evidence.min() - 1, evidence.max() + 0.2))
figure.legend(loc="outside lower center", ncols=2, frameon=False)
numbers = [["theta", "log p", *curves], *zip(thetas, evidence, *curves.values(), strict=True)]
outcome("03-touch", {0: PLACES[0], 1: PLACES[1], len(thetas): PLACES[2]}[max(touches)])
keep(figure, "03-touching", alt=finding, numbers=numbers)

# %% [markdown]
# Both curves have the same slope where they touch: the KL is 0 there and at least 0 around it.
# Raising $L^v$ over $q$, up to the posterior, makes the curves touch at the present $\theta$. Then
# raising it over $\theta$ raises $\log p(x; \theta)$ by at least as much: this is the EM algorithm.
# A VAE moves both at once.
#
# ## Three ways to get it wrong
#
# **The KL reversed.** $D_{KL}(p\,\|\,q)$ is in general another number, and then the sum is not
# $\log p(x)$.
#
# **The prior for the posterior.** $D_{KL}(q\,\|\,p(z))$ belongs to another form of $L^v$ (L05), not
# to this sum.
#
# **A state with $q = 0$.** It adds nothing, since $t \log t \to 0$ as $t \to 0$; in floating
# point $0 \cdot \log 0$ is NaN, and such states must be left out of the sum. The other way round,
# $q > 0$ where $p(z|x) = 0$ makes the KL infinite and $L^v = -\infty$.

# %%
print(f"L^v + KL(q ‖ p)       misses log p(x) by {bound + kl(q, p) - L:+.0e}")
print(f"L^v + KL(p ‖ q)       misses log p(x) by {bound + kl(p, q) - L:+.4f}")
print(f"L^v + KL(q ‖ p(z))    misses log p(x) by {bound + kl(q, np.exp(log_prior)) - L:+.4f}")
two_states = np.array([0.5, 0, 0.5, 0, 0])
print(f"q with zeros: L^v {elbo(two_states, joint):+.4f}, KL {kl(two_states, p):.4f}")
print(f"its sum misses log p(x) by {sum(decompose(two_states, joint)) - L:+.0e}")

# %% [markdown]
# ## Line by line
#
# `mmvae-edu derive` tests each line of a derivation against the one before, in random models with
# a few states, and switches off one assumption after another to see which ones the line needs.

# %%
derived("s05_evidence")

# %% [markdown]
# ## The claims
#
# One for each line, on random models, with a random $q$, $q$ equal to the posterior, and a $q$ with
# zeros; the last with a Gaussian $z$, where the sums become integrals.

# %%
holds(
    "evidence_sums_the_joint",
    "evidence_is_its_own_average",
    "joint_over_posterior_is_evidence",
    "inserting_q_changes_nothing",
    "the_logarithm_splits",
    "the_parts_are_elbo_and_kl",
    "raising_the_bound_lowers_the_kl",
    "kl_is_the_gap",
    "kl_is_never_negative",
    "elbo_is_a_lower_bound",
    "gaussian_gap_is_the_kl",
)

# %% [markdown]
# Next: L04 asks what $q(z|x)$ gains over other ways to $p(x)$; L05 writes $L^v$ in the form that is
# computed in practice. Your turn: `mmvae-edu check L03`, from `log_joint` to `decompose`.

# %% [markdown]
# ## Sources
#
# - Doersch (2016), *Tutorial on Variational Autoencoders*: the decomposition of slide 5.
# - Jordan, Ghahramani, Jaakkola and Saul (1999), *An Introduction to Variational Methods for
#   Graphical Models*: the lower bound and the divergence that it misses.
