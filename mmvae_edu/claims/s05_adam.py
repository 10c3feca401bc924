"""Claims about Adam, on no slide: it climbs a bound by going down the gradient of minus it."""

import math

import numpy as np

from ..kernels.reference import adam_step
from .registry import T0, claim


def _adam_by_loops(theta, grads, *, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """theta, m and v after these gradients, coordinate by coordinate."""
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
