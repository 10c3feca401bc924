"""Peers of `kernels`: the same functions as one would write them in PyTorch."""

import math
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from ...kernels import reference


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
    x = x.expand_as(logits)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def binomial_log_prob_vjp(dlog_p, logits, x):
    return dlog_p[..., None] * (x - torch.sigmoid(logits))


def bias_swish(a, b):
    a = a + b
    gate = torch.sigmoid(a)
    y = a * gate
    return y, gate + y * (1 - gate)


def bias_activation_vjp(dy, slope):
    da = dy * slope
    return da, da.sum(0)


def adam_step(theta, grad, m, v):
    m.lerp_(grad, 0.1)
    v.mul_(0.999).addcmul_(grad, grad, value=0.001)
    denominator = (v / (1 - 0.999**3)).sqrt_().add_(1e-8)
    theta.addcdiv_(m, denominator, value=-1e-3 / (1 - 0.9**3))


def make(kernel, arguments, compiled, threads):
    """Make the call, on tensors that share the memory of the arguments, of NumPy or CuPy.

    Compiled code writes to outputs made beforehand; without a compiler that would be another pass.
    """
    torch.set_num_threads(threads)
    tensors = [torch.from_dlpack(a) for a in arguments if a is not None]
    if kernel == "adam_step" and not compiled:
        return fused_adam(tensors)
    call = globals()[kernel]
    if compiled and kernel != "adam_step":
        call = partial(torch.compile(into), call, in_a_tuple(call(*tensors)))
    elif compiled:
        call = torch.compile(call)

    def run():
        with torch.no_grad():
            call(*tensors)

    return run


def into(function, outputs, *tensors):
    """Write the results of a function to tensors: the compiler makes that one pass."""
    for output, found in zip(outputs, in_a_tuple(function(*tensors)), strict=True):
        output.copy_(found)


def in_a_tuple(found):
    return found if isinstance(found, tuple) else (found,)


def check(kernel, arguments):
    """Assert that the function of that name here computes what the reference does."""
    function, expected = globals()[kernel], [None if a is None else a.copy() for a in arguments]
    found = [torch.from_numpy(a) for a in arguments if a is not None]
    if kernel == "adam_step":  # works in place
        reference.adam_step(*expected, step=3, learning_rate=1e-3)
        function(*found)
    else:
        expected = in_a_tuple(getattr(reference, kernel)(*expected))
        found = in_a_tuple(function(*found))
    for ours, theirs in zip(expected, found, strict=True):
        scale = np.abs(ours).max()
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-4 * scale)


def fused_adam(tensors):
    """Make a step of PyTorch's own fused Adam."""
    theta, grad, _, _ = tensors
    parameter = torch.nn.Parameter(theta)
    parameter.grad = grad
    return torch.optim.Adam([parameter], lr=1e-3, fused=True).step
