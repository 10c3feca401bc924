"""Claims about slide 5 as a whole: layers, the bound of a VAE and its gradients, and Adam."""

import math

import numpy as np

from ..gaussian import gaussian_sample
from ..kernels.reference import adam_step
from ..likelihoods import binomial_log_prob
from ..models.one_function.vae import mlp, vae_bound
from ..ops import linear, softplus
from ..oracles import NonlinearModel
from ..oracles.fifty_digits import exp, log1p, number
from .instances import noise_grid
from .registry import T0, T1, claim, terms

# ---- y = x W + b ------------------------------------------------------------------------------


@claim("S5.12", "S5.13", of=linear, tol=T0, oracle="plain loops")
def a_layer_is_a_sum_of_products(f, rng):
    """A layer's output is y_nh = Σ_p x_np W_ph + b_h."""
    x, W, b = _layer(rng)
    exact = np.array([[math.fsum(row * column) for column in W.T] for row in x])
    return f(x, W, b)[0], exact + b


def _layer(rng):
    return rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), rng.normal(size=5)


# ---- softplus ---------------------------------------------------------------------------------


@claim("S5.13", of=softplus, tol=T0, oracle="O5 mpmath, 50 digits")
def softplus_to_fifty_digits(f, rng):
    """softplus(a) = log(1 + exp(a)) to the last digits from −700 to 800: 4.2e-18 at −40, not 0."""
    a = np.append(rng.normal(size=(3, 2)), [[-700, 800], [-40, 30], [16, 21]], axis=0)
    exact = log1p(exp(number(a))).astype(float)
    return f(a)[0] / exact, np.ones(a.shape)


@claim("S5.13", of=softplus, tol=T0, oracle="O5 mpmath, 50 digits")
def softplus_has_the_slope_sigmoid(f, rng):
    """The slope of softplus is 1 / (1 + exp(−a)), from −800 to 800."""
    a = np.append(3 * rng.normal(size=(3, 2)), [[-800, 800], [-40, 30], [16, 21]], axis=0)
    dy = rng.normal(size=a.shape)
    slope = 1 / (1 + exp(-number(a)))
    return f(a)[1](dy), dy * slope.astype(float)


# ---- networks ---------------------------------------------------------------------------------


def _network(rng, *sizes):
    """Draw weights of a tanh network with these layer sizes, and four inputs."""
    weights = {}
    for i, (P, H) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        weights |= {f"W{i}": rng.normal(size=(P, H)) / np.sqrt(P), f"b{i}": rng.normal(size=H)}
    return weights, rng.normal(size=(4, sizes[0]))


@claim("S5.12", "S5.13", of=mlp, tol=T0, oracle="plain loops")
def a_network_is_layers_with_tanh_between(f, rng):
    """A network is affine layers with tanh between them, and none after the last."""
    weights, x = _network(rng, 3, 5, 2, 6)
    outputs = []
    for h in x:
        for i in range(3):
            h = np.tanh(h) if i else h
            columns = zip(weights[f"W{i}"].T, weights[f"b{i}"], strict=True)
            h = np.array([math.fsum([*(h * column), bias]) for column, bias in columns])
        outputs.append(h)
    return f(weights, x)[0], np.array(outputs)


def _vae(rng, *, N=5, K=3, D=2, P=7):
    """Draw weights w of a VAE, counts x (N, P) and noise eps (K, N, D), all sizes distinct."""
    shapes = {"encoder": (P, 6, 2 * D), "decoder": (D, 8, P)}
    w = {}
    for network, (first, hidden, last) in shapes.items():
        w[network] = {
            "W0": rng.normal(size=(first, hidden)),
            "b0": rng.normal(size=hidden),
            "W1": 0.4 * rng.normal(size=(hidden, last)),
            "b1": 0.4 * rng.normal(size=last),
        }
    return w, {"x": rng.integers(0, 17, (N, P)).astype(float), "eps": rng.normal(size=(K, N, D))}


def _forward(weights, x):
    return np.tanh(x @ weights["W0"] + weights["b0"]) @ weights["W1"] + weights["b1"]


@claim("S5.10", "S5.13", of=vae_bound, tol=T0, oracle="plain loops")
def vae_bound_by_loops(f, rng):
    """L^v is L1 plus the mean of log p(x|z) over K samples z = μ + σ ε, for every example."""
    w, data = _vae(rng)
    K, N, D = data["eps"].shape
    bound = np.zeros(N)
    for n, x in enumerate(data["x"]):
        heads = _forward(w["encoder"], x / 16)
        mu, log_var = heads[:D], heads[D:]
        L1 = [0.5 * (1 + v - m * m - math.exp(v)) for m, v in zip(mu, log_var, strict=True)]
        scores = []
        for eps in data["eps"][:, n]:
            for l, count in zip(
                _forward(w["decoder"], mu + np.exp(log_var / 2) * eps), x, strict=True
            ):
                softplus = max(l, 0) + math.log1p(math.exp(-abs(l)))
                scores.append(math.log(math.comb(16, int(count))) + count * l - 16 * softplus)
        bound[n] = math.fsum(L1) + math.fsum(scores) / K
    return f(w, **data)[0], bound


@claim("S5.10", "S5.13", of=vae_bound, tol=T1, oracle="O2 quadrature")
def vae_bound_averages_to_the_elbo(f, rng):
    """Over ε the VAE's bound averages to log p(x) − KL(q ‖ p(z|x)), an integral over z."""
    w, data = _vae(rng, N=1, D=1)
    decoder = w["decoder"]
    model = NonlinearModel(decoder["W0"][0], decoder["b0"], decoder["W1"], decoder["b1"], n=16)
    mu, log_var = _forward(w["encoder"], data["x"][0] / 16)
    eps, chance = noise_grid(1, nodes=301)
    x = np.repeat(data["x"], len(chance), axis=0)
    bound, _ = f(w, x=x, eps=eps[:, :, None])
    return chance @ bound, np.array(model.elbo(mu, log_var, data["x"][0].astype(int)))


# ---- the terms --------------------------------------------------------------------------------


@terms(vae_bound)
def vae_terms(w, *, x, eps):
    """Split the gradient of the bound by its part and by the path."""
    (K, N, D), P = eps.shape, x.shape[-1]
    heads, encoder_pullback = mlp(w["encoder"], x / 16)
    mu, log_var = heads[:, :D], heads[:, D:]
    z, sample_pullback = gaussian_sample(mu, log_var, eps=eps)
    logits, decoder_pullback = mlp(w["decoder"], z.reshape(K * N, D))
    log_px_z, likelihood_pullback = binomial_log_prob(logits.reshape(K, N, P), x=x, n=16)
    values = {
        "log p(x|z)": log_px_z.mean(axis=0),
        "KL: 1": np.full(N, 0.5 * D),
        "KL: μ²": -0.5 * (mu * mu).sum(axis=-1),
        "KL: log σ²": 0.5 * log_var.sum(axis=-1),
        "KL: σ²": -0.5 * np.exp(log_var).sum(axis=-1),
    }

    def vae_terms_pullback(dbound):
        d = dbound[:, None]
        dlogits = likelihood_pullback(np.broadcast_to(dbound / K, (K, N)))
        ddecoder, dz = decoder_pullback(dlogits.reshape(K * N, P))
        dmu, dlog_var = sample_pullback(dz.reshape(K, N, D))
        nothing = {name: np.zeros_like(weight) for name, weight in w["decoder"].items()}
        paths = {
            "reconstruction → μ": (dmu, 0 * log_var),
            "reconstruction → log σ²": (0 * mu, dlog_var),
            "KL: μ²": (-d * mu, 0 * log_var),
            "KL: log σ²": (0 * mu, 0.5 * d + 0 * log_var),
            "KL: σ²": (0 * mu, -0.5 * d * np.exp(log_var)),
        }
        encoders = {
            name: encoder_pullback(np.concatenate(dheads, axis=1))[0]
            for name, dheads in paths.items()
        }
        nowhere = {name: np.zeros_like(weight) for name, weight in w["encoder"].items()}
        return {
            "reconstruction → decoder": {"encoder": nowhere, "decoder": ddecoder},
            **{name: {"encoder": d, "decoder": nothing} for name, d in encoders.items()},
        }

    return values, vae_terms_pullback


def _adam_by_loops(theta, grads, *, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Compute theta, m and v after these gradients, coordinate by coordinate."""
    after = []
    for p, gradients in zip(theta, grads.T, strict=True):
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
            p -= rate * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + epsilon)
        after.append((p, m, v))
    return np.array(after).T


@claim(of=adam_step, tol=T0, oracle="plain loops")
def adam_is_two_running_means(f, rng):
    """Adam steps by the running mean of the gradient over the root of that of its square, both
    corrected for their start at 0."""
    theta, grads = rng.normal(size=5), rng.normal(size=(4, 5)) * [1, 3, 0.1, 1e-3, 1e-7]
    options = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4}
    results = []
    for chosen in {}, options:
        state = np.array([theta, 0 * theta, 0 * theta])
        for step, grad in enumerate(grads, start=1):
            f(state[0], grad, state[1], state[2], step=step, learning_rate=0.1, **chosen)
        results.append((state, _adam_by_loops(theta, grads, rate=0.1, **chosen)))
    return tuple(np.array(side) for side in zip(*results, strict=True))


@claim(of=adam_step, tol=T0, oracle="a known length")
def adams_first_step_has_length_eta(f, rng):
    """Adam's first step is the learning rate in every coordinate, however large the gradient."""
    theta, grad = rng.normal(size=(2, 7)) * [[1], [1e5]]
    after = theta.copy()
    f(after, grad, 0 * theta, 0 * theta, step=1, learning_rate=0.01, epsilon=0.0)
    return (theta - after) / 0.01, np.sign(grad)
