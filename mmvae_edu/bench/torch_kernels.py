"""The peers of `kernels`: the same functions as one would write them in PyTorch."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from ..kernels import reference


def product_of_experts(mu, log_var):
    log_precision = torch.cat([torch.zeros_like(log_var[:1]), -log_var])
    share = torch.softmax(log_precision, 0)[1:]
    return (share * mu).sum(0), -torch.logsumexp(log_precision, 0)


def product_of_experts_vjp(dmean, djoint_log_var, mu, log_var, mean, joint_log_var):
    share = torch.exp(joint_log_var - log_var)
    return share * dmean, share * (djoint_log_var - (mu - mean) * dmean)


def mixture_log_prob(z, mu, log_var, log_alpha):
    s = (z - mu[:, None]) * torch.exp(-0.5 * log_var)[:, None]
    log_q = -0.5 * ((s * s).sum(-1) + (math.log(2 * math.pi) + log_var).sum(-1)[:, None])
    scores = log_alpha[:, None] + log_q
    return torch.logsumexp(scores, 0), torch.softmax(scores, 0)


def mixture_log_prob_vjp(dlog_q, r, z, mu, log_var):
    inverse_std = torch.exp(-0.5 * log_var)[:, None]
    s = (z - mu[:, None]) * inverse_std
    weight = (dlog_q * r)[..., None]
    dmu = weight * s * inverse_std
    return -dmu.sum(0), dmu.sum(1), (0.5 * weight * (s * s - 1)).sum(1)


def importance_weights(log_w):
    return torch.logsumexp(log_w, 0) - math.log(len(log_w)), torch.softmax(log_w, 0)


def binomial_log_prob(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def binomial_log_prob_value_and_grad(logits, x):
    return binomial_log_prob(logits, x), x - torch.sigmoid(logits)


def bias_swish(a, b):
    a = a + b
    gate = torch.sigmoid(a)
    y = a * gate
    return y, gate + y * (1 - gate)


def adam_step(theta, grad, m, v):
    m.lerp_(grad, 0.1)
    v.mul_(0.999).addcmul_(grad, grad, value=0.001)
    denominator = (v / (1 - 0.999**3)).sqrt_().add_(1e-8)
    theta.addcdiv_(m, denominator, value=-1e-3 / (1 - 0.9**3))


def make(kernel, arguments, compiled, threads, device):
    """The call, after a check that it computes what ours does, and the function that waits."""
    torch.set_num_threads(threads)
    function = globals()[kernel]
    tensors = [torch.from_numpy(a).to(device) for a in arguments if a is not None]
    check(kernel, function, arguments, [tensor.clone() for tensor in tensors])
    if kernel == "adam_step" and not compiled:
        return fused_adam(tensors), _wait(device)
    call = torch.compile(function) if compiled else function

    def run():
        with torch.no_grad():
            call(*tensors)

    return run, _wait(device)


def check(kernel, function, arguments, tensors):
    """An AssertionError unless the function computes what the reference does."""
    if kernel == "adam_step":  # works in place
        expected, found = [a.copy() for a in arguments], tensors
        reference.adam_step(*expected, step=3, learning_rate=1e-3)
        function(*tensors)
    else:
        expected, found = getattr(reference, kernel)(*arguments), function(*tensors)
        expected, found = (v if isinstance(v, tuple) else (v,) for v in (expected, found))
    for ours, theirs in zip(expected, found, strict=True):
        scale = np.abs(ours).max()
        np.testing.assert_allclose(theirs.cpu(), ours, rtol=1e-3, atol=1e-4 * scale)


def fused_adam(tensors):
    """PyTorch's own fast one."""
    theta, grad, _, _ = tensors
    parameter = torch.nn.Parameter(theta)
    parameter.grad = grad
    return torch.optim.Adam([parameter], lr=1e-3, fused=True).step


def _wait(device):
    return torch.cuda.synchronize if device == "cuda" else _nothing


def _nothing():
    """The CPU has nothing to wait for."""
