"""CVAE: a VAE of one modality, given the others (Sohn et al. 2015).                       [S8]"""

import numpy as np

from ..networks import mlp, mlp_shapes
from ..support.batches import Batch
from ..support.checks import random_generator
from .vae import VAE


class CVAE(VAE):
    """The conditional VAE: p(x_1|x_2) = ∫ p(x_1|z, x_2) p(z) dz with the prior N(0, I).

    `condition` names x_2: one modality or several, which the encoder and the decoder of the
    remaining one, x_1, take as extra inputs.  It does not model p(x_2), so it has no joint.  It
    has one target: MVAE and MMVAE generate several modalities given others.
    """

    own_arguments = ("condition", "kl")

    def __init__(self, modalities, *, condition, **options):
        names = condition if isinstance(condition, list | tuple) else (condition,)
        self.condition = tuple(dict.fromkeys(names))
        unknown = [name for name in self.condition if name not in modalities]
        if unknown or not self.condition:
            raise ValueError(
                f"condition: expected some of {list(modalities)}, found {list(self.condition)}"
            )
        super().__init__(modalities, **options)
        (self.target,) = (name for name in modalities if name not in self.condition)

    def _shapes(self, name):
        if name in self.condition:
            return {"encoder": {}, "decoder": {}, "likelihood": {}}
        C = sum(self.modalities[other].features for other in self.condition)
        encoder, decoder = self._sizes(name)
        P = self.modalities[name].features
        return {
            "encoder": mlp_shapes((P + C, *encoder, 2 * self.latent)),
            "decoder": mlp_shapes((self.latent + C, *decoder, P)),
            "likelihood": self.modalities[name].shapes(),
        }

    # `bound` is VAE's, E_q(z|x_1,x_2)[λ log p(x_1|z, x_2)] − β KL(q(z|x_1, x_2) ‖ p(z)), by:

    def encode_experts(self, w, batch):
        """Encode q(z|x_1, x_2): mu, log_var (1, N, D)."""
        self._need(batch, *self.modalities)
        x = self.modalities[self.target].network_input(batch.x[self.target])
        output, mlp_pullback = mlp(
            w[self.target]["encoder"],
            self._beside_condition(x, batch),
            activation=self.activation,
            input_gradient=False,
            kernels=self.backend(x),
        )

        def encode_experts_pullback(dmu, dlog_var, dw):
            doutput = np.concatenate([dmu, dlog_var], axis=-1)
            mlp_pullback(doutput[0], out=dw[self.target]["encoder"])

        return tuple(np.split(output[None], 2, axis=-1)), encode_experts_pullback

    def log_likelihood(self, w, batch, z, *, weights, scored=None, pullback=True):
        """Compute λ log p(x_1|z, x_2): z (T, K, N, D) → (T, K, N), nats."""
        self._need(batch, *self.modalities)
        row = list(batch.x).index(self.target)
        target = Batch(
            {self.target: batch.x[self.target]}, batch.present[[row]], [batch.index[row]]
        )
        log_px_z, decode_pullback = super().log_likelihood(
            w, target, self._beside_condition(z, batch), weights=weights, pullback=pullback
        )

        def log_likelihood_pullback(dtotal, dw):
            return decode_pullback(dtotal, dw)[..., : self.latent]

        return log_px_z, log_likelihood_pullback if pullback else None

    def infer(self, w, batch):
        """Compute mu, log_var (N, D) of q(z|x_1, x_2), or of the prior if x_1 is no key of x."""
        if self.target in batch.x:
            return super().infer(w, batch)
        self._need(batch, *self.condition)
        prior = np.zeros_like(batch.x[self.condition[0]], shape=(batch.size, self.latent))
        return prior, prior

    def decode(self, z, names=None, *, given):
        """Compute the mean of x_1 given z (…, N, D) and x_2, in `given`: dict name → (…, N, P)."""
        for name in self._known(names or ()):
            if name in self.condition:
                raise ValueError(f"CVAE explains {self.target!r} only, not {name!r}")
        theta = self._trained()
        batch, w = self.checked_batch(theta, given)
        z = self._latents(z, theta)
        self._need(batch, *self.condition)
        if z.ndim < 2 or z.shape[-2] != batch.size:
            raise ValueError(f"z: expected {batch.size} rows as in given, found shape {z.shape}")
        outputs, _ = self.run_decoder(w, self.target, self._beside_condition(z, batch))
        return {self.target: self.modalities[self.target].mean(outputs)}

    def sample(self, n, *, rng):
        """Raise a ValueError: the model has no distribution of its condition."""
        given = ", ".join(self.condition)
        raise ValueError(f"CVAE has no p({given}) to sample from: generate takes {given} as given")

    def generate(self, given, target=None, *, mask=None, rng):
        """Decode one z an example beside x_2: z ~ p(z), or q(z|x_1, x_2) where x_1 is given."""
        batch, w = self.checked_batch(self._trained(), given, mask)
        z, _ = self.posterior_samples(w, batch, 1, random_generator(rng))
        return self.decode(z[0], target, given=batch)

    def _beside_condition(self, values, batch):
        """Append x_2 to values (…, N, P): (…, N, P + C)."""
        given = [self.modalities[name].network_input(batch.x[name]) for name in self.condition]
        C = sum(x.shape[-1] for x in given)
        given = np.broadcast_to(np.concatenate(given, axis=-1), (*values.shape[:-1], C))
        return np.concatenate([values, given], axis=-1)

    def _need(self, batch, *names):
        present = dict(zip(batch.x, batch.present.all(axis=1), strict=True))
        for name in names:
            if not present.get(name, False):
                raise ValueError(
                    f"CVAE models p({self.target} | {', '.join(self.condition)}): "
                    f"every example needs its {name!r}"
                )
