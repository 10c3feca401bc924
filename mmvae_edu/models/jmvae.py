"""JMVAE: a joint encoder, and one more for each modality alone (Suzuki et al. 2017).       [S8]"""

import numpy as np

from ..gaussian import gaussian_sample, kl_gauss
from ..networks import bias_and_activation, init_mlp, mlp, mlp_shapes
from ..posteriors import only_expert
from ..support.checks import finite_number
from ..support.devices import to_host
from ..support.parameters import Tree
from .base import cotangent, number
from .multimodal_vae import MultimodalVAE, Term
from .settings import KL, choice

JOINT = "joint encoder"  # stands beside the modalities in the tree of weights


class JMVAE(MultimodalVAE):
    """The joint multimodal VAE ("JMVAE-kl").

    `alpha` weighs the KL from the joint encoder to each modality's; `kl` is "closed_form" [S5.11]
    or "monte_carlo".  The joint encoder has the sizes of the first modality's: a first layer for
    each modality, whose outputs are joined, and the other layers on top.
    """

    own_arguments = ("alpha", "kl")
    fusion = ("joint encoder",)

    def __init__(self, modalities, *, alpha=0.1, kl="closed_form", **options):
        super().__init__(modalities, **options)
        if len(modalities) < 2:
            raise ValueError(f"JMVAE: expected at least 2 modalities, found {list(modalities)}")
        if JOINT in modalities:
            raise ValueError(f"JMVAE: {JOINT!r} is the name of its own network, not of a modality")
        finite_number("alpha", alpha, 0)
        self.alpha = float(alpha)
        self.kl = choice("kl", kl, KL)
        self.tree = Tree(self.tree.shapes | {JOINT: self._joint_shapes()})

    def _joint_shapes(self):
        sizes, _ = self._sizes(next(iter(self.modalities)))
        inputs = {name: likelihood.features for name, likelihood in self.modalities.items()}
        first = {
            name: mlp_shapes((P, sizes[0]), first_bias=not self.modalities[name].one_hot)
            for name, P in inputs.items() if sizes
        }  # fmt: skip
        width = len(inputs) * sizes[0] if sizes else sum(inputs.values())
        return {"first": first, "rest": mlp_shapes((width, *sizes[1:], 2 * self.latent))}

    def init(self, rng, dtype=np.float32):
        """Draw an initial parameter vector."""
        theta = super().init(rng, dtype)
        joint = self.tree.views(theta)[JOINT]
        for weights in (*joint["first"].values(), joint["rest"]):
            init_mlp(weights, rng, self.initial)
        return theta

    def bound(self, theta, x, *, mask=None, eps, beta=1.0):
        """Compute ELBO(x_1..M) of the joint encoder − α Σ_m KL(q(z|x_1..M) ‖ q(z|x_m)).

            ELBO(X) = E_q(z|X)[Σ_m λ_m log p(x_m|z)] − β KL(q(z|X) ‖ p(z))                [S6.3]

        theta (size,), x dict name → (N, P) with every modality, eps (1, K, N, D); returns the
        bound (N,) in nats, higher is better, and its pullback.
        """
        batch, w = self.checked_batch(theta, x, mask, eps)
        beta = number(beta, theta)
        self._need_all(batch)
        (mean, joint_log_var), joint_pullback = self.encode_jointly(w, batch)  # q(z|x_1..M)
        (mu, log_var), encode_pullback = self.encode_experts(w, batch)  # q(z|x_m): (M, N, D)
        z, sample_pullback = gaussian_sample(mean, joint_log_var, eps=eps)  # (1, K, N, D)
        log_px_z, decode_pullback = self.log_likelihood(w, batch, z, weights=self.weights)
        log_ratio, ratio_pullback = self.log_ratio(z, mean, joint_log_var)
        kl, kl_pullback = kl_gauss(mean, joint_log_var, mu, log_var)  # to each q(z|x_m): (M, N)
        bound = (log_px_z + beta * log_ratio)[0].mean(axis=0) - self.alpha * kl.sum(axis=0)

        def bound_pullback(dbound):
            dbound = cotangent(dbound, bound)
            dtheta = np.empty_like(theta)
            dw = self.tree.views(dtheta)
            dlog_w = np.broadcast_to(dbound / eps.shape[1], log_px_z.shape)
            dz, dmean, djoint_log_var = ratio_pullback(beta * dlog_w)
            path = sample_pullback(dz + decode_pullback(dlog_w, dw))
            dkl = np.broadcast_to(-self.alpha * dbound, kl.shape)
            *from_kl, dmu, dlog_var = kl_pullback(dkl)
            dmean, djoint_log_var = (
                own + sampled + each.sum(axis=0)
                for own, sampled, each in zip((dmean, djoint_log_var), path, from_kl, strict=True)
            )
            joint_pullback(dmean, djoint_log_var, dw)
            encode_pullback(dmu, dlog_var, dw)
            return dtheta

        return bound, bound_pullback

    def terms(self, theta, x, *, mask=None, eps, beta=1.0):
        """List the terms of `bound`: the joint encoder's ELBO, and the KL to each modality's."""
        elbo = super().terms(theta, x, mask=mask, eps=eps, beta=beta)
        batch, w = self.checked_batch(theta, x, mask)
        joint, experts = self.encode_jointly(w, batch)[0], self.encode_experts(w, batch)[0]
        kl = to_host(kl_gauss(*joint, *experts)[0])
        zero = np.zeros_like(kl[0])
        return elbo + [
            Term((name,), zero + self.alpha, zero, kl_m, zero)
            for name, kl_m in zip(batch.x, kl, strict=True)
        ]

    def parts(self, w, batch, eps):
        """Return what `terms` needs of the joint encoder's ELBO."""
        self._need_all(batch)
        (mean, log_var), _ = self.encode_jointly(w, batch)
        z, _ = gaussian_sample(mean[None], log_var[None], eps=eps)
        weight = np.ones((1, batch.size), dtype=mean.dtype)
        log_ratio, _ = self.log_ratio(z, mean[None], log_var[None])
        return [tuple(batch.x)], weight, None, z, log_ratio

    def _need_all(self, batch):
        if len(batch.x) < len(self.modalities) or batch.mask is not None:
            raise ValueError("JMVAE: its joint encoder trains on every modality of every example")

    def encode_jointly(self, w, batch):
        """Encode q(z|x_1..M): mu, log_var (N, D), of a batch with every modality."""
        joint = w[JOINT]
        kernels = self.backend(joint["rest"]["W0"])
        blocks = [self.modalities[name].network_input(x) for name, x in batch.x.items()]
        first_pullbacks = []
        for i, weights in enumerate(joint["first"].values()):
            blocks[i], first_pullback = mlp(
                weights, blocks[i], input_gradient=False, kernels=kernels
            )
            first_pullbacks.append(first_pullback)
        h, slope = np.concatenate(blocks, axis=-1), None
        if first_pullbacks:
            activate = bias_and_activation(self.activation, kernels)
            h, slope = activate(h, np.zeros_like(h[0]))
        output, rest_pullback = mlp(joint["rest"], h, activation=self.activation, kernels=kernels)

        def encode_jointly_pullback(dmu, dlog_var, dw):
            """Write the joint encoder's gradient into dw."""
            doutput = np.concatenate([dmu, dlog_var], axis=-1)
            _, dh = rest_pullback(doutput, out=dw[JOINT]["rest"])
            if first_pullbacks:
                dblocks = np.split(dh * slope, len(first_pullbacks), axis=-1)
                out = dw[JOINT]["first"].values()
                for first_pullback, dblock, dweights in zip(
                    first_pullbacks, dblocks, out, strict=True
                ):
                    first_pullback(dblock, out=dweights)

        return tuple(np.split(output, 2, axis=-1)), encode_jointly_pullback

    def infer(self, w, batch):
        """Compute mu, log_var (N, D) of q(z|x_1..M) for complete rows, q(z|x_m) for single ones."""
        M, count = len(self.modalities), batch.present.sum(axis=0)
        neither = np.flatnonzero((count > 1) & (count < M))
        if len(neither):
            raise ValueError(
                f"JMVAE has a posterior given one modality or all {M}; "
                f"example {neither[0]} has {count[neither[0]]} (an estimate takes one of them, "
                "or {} for the prior, as its proposal)"
            )
        experts, _ = self.encode_experts(w, batch)
        alone = only_expert(*experts, batch.on_device(batch.present & (count == 1)))
        if not (count == M).any():
            return alone
        complete = batch.on_device(count == M)[:, None]
        joint, _ = self.encode_jointly(w, batch)
        return tuple(np.where(complete, a, b) for a, b in zip(joint, alone, strict=True))
