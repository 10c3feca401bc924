"""Claims about slide 11: the mixture's IWAE bound, and how loose it stays."""

import math

import numpy as np

from ..objectives import mixture_elbo, mixture_iwae, stratified_iwae
from ..oracles import iwae_exact, mixture_iwae_exact, stratified_iwae_exact
from ..slides.s11_mixture import looseness_gap, responsibility
from .differentiate import gradients
from .instances import discrete_mixture, expected_bound, log_mean
from .registry import T0, T1, T2C, claim, mutant

# S11.4: L_IWAE^MoE = (1/M) Σ_m E log (1/K) Σ_k p(z_m^k, x_1:M) / q_Φ(z_m^k|x_1:M)


@claim("S11.4", of=mixture_iwae, tol=T1, oracle="O4 Frullani")
def mixture_iwae_in_expectation(f, rng):
    """Averaged over all outcomes of K draws from each of M experts it is L^MoE_K, exactly."""
    _, _, q, log_w, _ = discrete_mixture(rng, 3, 2)
    rhs = [mixture_iwae_exact(q, np.exp(log_w), K) for K in (1, 2, 3)]
    return np.array([expected_bound(f, q, log_w, K) for K in (1, 2, 3)]), np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T0, oracle="plain sums")
def every_expert_has_its_own_logarithm(f, rng):
    """It is the mean over present experts of log (1/K) Σ_k w, at any scale of log w."""
    log_w = np.array([-6237.0, 0.0, 30.0, -90.0]) + rng.normal(0, 3, size=(3, 2, 4))
    present = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    strata = log_mean(log_w, axis=1)
    rhs = [strata[kept, n].sum() / kept.sum() for n, kept in enumerate(present.T)]
    return f(log_w, present=present)[0], np.array(rhs)


@claim("S11.4", of=mixture_iwae, tol=T2C, oracle="O7 complex step")
def mixture_iwae_has_this_gradient(f, rng):
    """With M' experts present a sample gets w̃ / M', normalised among its own expert's K."""
    present = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]], bool)
    log_w = 2 * rng.standard_normal((3, 2, 4))
    return gradients(f, mixture_iwae, log_w, rng=rng, present=present)


@mutant(mixture_iwae, says="Σ_m without the 1/M of S11.4")
def without_1_over_M(log_w, *, present=None):
    bound, pullback = mixture_iwae(log_w, present=present)
    count = len(log_w) if present is None else present.sum(axis=0)

    def summed_pullback(dbound):
        return pullback(dbound * count)

    return bound * count, summed_pullback


@mutant(
    mixture_iwae, says="the mean over m inside the log: the stratified bound, not S11.4", hint=1
)
def log_outside_the_experts(log_w, *, present=None):
    return stratified_iwae(log_w, present=present)


@mutant(mixture_iwae, says="the mean of log w: that is the ELBO of S11.1 for every K", hint=1)
def mean_of_mixture_logs(log_w, *, present=None):
    return mixture_elbo(log_w, present=present)


@mutant(mixture_iwae, says="−log K is missing from S11.4")
def mixture_without_log_K(log_w, *, present=None):
    bound, pullback = mixture_iwae(log_w, present=present)
    return bound + math.log(log_w.shape[1]), pullback


@mutant(mixture_iwae, says="the weights are exp(−log w): S11.4 has w itself, not a loss")
def mixture_of_losses(log_w, *, present=None):
    bound, pullback = mixture_iwae(-log_w, present=present)
    return -bound, pullback


@mutant(mixture_iwae, says="uniform weights in the gradient: S9.4 weighs by w̃", hint=3)
def uniform_mixture_gradient(log_w, *, present=None):
    return mixture_iwae(log_w, present=present)[0], mixture_elbo(log_w, present=present)[1]


@mutant(mixture_iwae, says="1/M² in the gradient: S11.4 has 1/M", hint=3)
def one_over_M_squared(log_w, *, present=None):
    bound, pullback = mixture_iwae(log_w, present=present)

    def twice_averaged_pullback(dbound):
        return pullback(dbound / len(log_w))

    return bound, twice_averaged_pullback


@claim("S11.4", of=mixture_iwae_exact, tol=T0, oracle="a fixture")
def the_slides_bound_stays_loose(f, rng):
    """Two experts, K = 10⁴: L^MoE is −5.03988 where log p(x) is −4.60517, 0.4347 nats above."""
    q, w, log_evidence = _loose_fixture()
    bounds = f(q, w, 10**4), iwae_exact(q.mean(axis=0), w, 10**4)
    lhs = [*np.round([bounds[0], log_evidence], 5), np.round(bounds[1], 6)]
    lhs.append(np.round(stratified_iwae_exact(q, w, 10**4), 6))
    return np.array(lhs), np.array([-5.03988, -4.60517, -4.605210, -4.605176])


def _loose_fixture():
    """Experts (2, 4), the mixture's weights (4,) and log p(x) = log 0.01."""
    posterior = np.array([0.70, 0.20, 0.07, 0.03])
    q = np.array([[0.65, 0.25, 0.07, 0.03], [0.02, 0.03, 0.15, 0.80]])
    return q, 0.01 * posterior / q.mean(axis=0), math.log(0.01)


@mutant(mixture_iwae_exact, says="the mean over m inside the log: the stratified bound, not S11.4")
def stratified_for_mixture(q, w, K):
    return stratified_iwae_exact(q, w, K)


@mutant(mixture_iwae_exact, says="K samples of the mixture: that is S11.2, S11.4 fixes the expert")
def iid_for_mixture(q, w, K):
    return iwae_exact(np.asarray(q).mean(axis=0), w, K)


@claim("S11.4", of=responsibility, tol=T0, oracle="O1 enumeration")
def an_experts_mean_weight_is_its_share(f, rng):
    """E_{q_m} w = M p(x) a_m: what expert m finds of p(x) is its share a_m of the posterior."""
    model, x, q, log_w, _ = discrete_mixture(rng, 5, 3)
    found = [math.fsum(q_m * np.exp(log_w)) for q_m in q]
    return f(model.posterior(x), q), np.array(found) / (3 * math.exp(model.log_evidence(x)))


@claim("S11.4", of=responsibility, tol=T0, oracle="hand calculation")
def what_no_expert_covers_must_be_impossible(f, rng):
    """A state that no expert covers adds nothing if p(z|x) is 0 there, else it is a ValueError."""
    q, r, p = rng.uniform(0.2, 0.8, size=3)
    experts = np.array([[q, 1 - q, 0.0], [r, 1 - r, 0.0]])
    share = p * q / (q + r) + (1 - p) * (1 - q) / (2 - q - r)
    refused = _raises(f, np.array([p, 0.9 - p, 0.1]), experts)
    found = f(np.array([p, 1 - p, 0.0]), experts)
    return np.append(found, refused), np.array([share, 1 - share, 1])


def _raises(f, *args):
    try:
        f(*args)
    except Exception:  # an exercise's check compares its class with the library's
        return True
    return False


@mutant(responsibility, says="no ValueError where the posterior has mass that no expert covers")
def uncovered_mass_dropped(posterior, experts):
    total = experts.sum(axis=0)
    return (posterior * experts / np.where(total > 0, total, 1)).sum(axis=1)


@mutant(responsibility, says="0/0 = NaN: a state that has no mass anywhere adds nothing")
def share_nan_at_zero(posterior, experts):
    responsibility(posterior, experts)  # raises where it must
    return (posterior * experts / experts.sum(axis=0)).sum(axis=1)


@mutant(
    responsibility, says="the average is under the mixture q_Φ: a_m averages under p(z|x)", hint=1
)
def share_under_the_mixture(posterior, experts):
    responsibility(posterior, experts)  # raises where it must
    return responsibility(experts.mean(axis=0), experts)


@mutant(responsibility, says="E q_m over Σ E q_j: a_m is the expectation of the ratio", hint=3)
def ratio_of_expectations(posterior, experts):
    responsibility(posterior, experts)
    return (posterior * experts).sum(axis=1) / (posterior * experts).sum()


@mutant(responsibility, says="not divided by Σ_j q_j: the shares a_m sum to 1")
def share_without_the_others(posterior, experts):
    responsibility(posterior, experts)
    return (posterior * experts).sum(axis=1)


@mutant(responsibility, says="each state goes to its most likely expert: a_m splits it by q_m")
def winner_takes_all(posterior, experts):
    responsibility(posterior, experts)
    return np.bincount(experts.argmax(axis=0), posterior, minlength=len(experts))


@claim("S11.4", "S12.3", of=looseness_gap, tol=T1, oracle="O4 Frullani")
def no_number_of_samples_closes_the_gap(f, rng):
    """As K grows, log p(x) − L^MoE_K tends to KL(uniform ‖ a), not to 0."""
    model, x, q, log_w, _ = discrete_mixture(rng, 4, 3)
    a = np.array([math.fsum(model.posterior(x) * q_m / q.sum(axis=0)) for q_m in q])
    return f(a), np.float64(model.log_evidence(x) - mixture_iwae_exact(q, np.exp(log_w), 10**12))


@claim("S11.4", of=looseness_gap, tol=T0, oracle="a fixture")
def the_gap_of_the_fixture(f, rng):
    """With a = (.88103, .11897) the slides' bound stays 0.434637 nats below log p(x)."""
    q, w, _ = _loose_fixture()
    a = (q * w).sum(axis=1) / (2 * 0.01)
    return np.append(np.round(a, 5), np.round(f(a), 6)), np.array([0.88103, 0.11897, 0.434637])


@claim("S11.4", of=looseness_gap, tol=T0, oracle="plain loops")
def every_observation_has_its_own_gap(f, rng):
    """Of the shares of several observations, a column each, it is one gap per column."""
    a = rng.dirichlet(np.full(3, 2.0), size=4).T
    gaps = [-math.log(3) - math.fsum(map(math.log, column)) / 3 for column in a.T]
    return f(a), np.array(gaps)


@mutant(looseness_gap, says="the mean over all axes: only the experts are averaged, axis 0")
def gap_over_all_axes(a):
    return -np.log(len(a)) - np.log(a).mean() + np.zeros(a.shape[1:])


@mutant(looseness_gap, says="KL(a ‖ uniform): the limit of S11.4 loses KL(uniform ‖ a)")
def gap_the_other_way(a):
    return np.log(len(a)) + (a * np.log(a)).sum(axis=0)


@mutant(looseness_gap, says="−log M is missing from KL(uniform ‖ a)", hint=3)
def gap_without_log_M(a):
    return -np.log(a).mean(axis=0)


@mutant(looseness_gap, says="the sum over experts: in KL(uniform ‖ a) each weighs 1/M", hint=3)
def gap_summed_over_experts(a):
    return len(a) * looseness_gap(a)


@mutant(
    looseness_gap, says="the log of the mean of a is −log M for any a: KL averages log a", hint=3
)
def gap_of_the_mean_share(a):
    return -np.log(len(a)) - np.log(a.mean(axis=0))
