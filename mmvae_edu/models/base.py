"""The functional part of all systems: networks on one flat vector, encoders, decoders, noise.

A system says three things in a file of its own: how the experts become a posterior, which
subsets are encoded and decoded, and how log-weights reduce to a bound.
"""

import numpy as np

from ..gaussian import gaussian_log_prob, gaussian_sample, standard_normal_log_prob
from ..kernels import inner
from ..kernels.arrays import check, check_kernels, check_rng
from ..networks import ACTIVATIONS, INITIAL, init_mlp, mlp, mlp_by_class, mlp_shapes
from ..objectives import log_prior_ratio
from ..support.batches import check_batch
from ..support.checks import finite_number, float_type, whole_number
from ..support.devices import generator, like
from ..support.parameters import Tree, leaves
from .settings import check_hidden, check_modalities, choice, number_per_modality


class FunctionalModel:
    """A latent z ~ N(0, I) of D dimensions, and an encoder and a decoder for each modality.

    modalities   dict name → likelihood, in the model's order: {"image": Binomial(64, n=16)}
    latent       D, the number of latent dimensions
    hidden       hidden layer sizes, of every encoder and, reversed, of every decoder; or a dict
                 name → (encoder sizes, decoder sizes)
    activation   "swish", "relu" or "tanh"
    initial      the initial weights: "glorot" or "pytorch", see `networks.init_mlp`; they can
                 decide which of two local optima training finds
    weights      λ_m of the training objective, dict name → number; 1 where absent       [S6.3]
    kernels      a backend module of mmvae_edu.kernels; by default the best for the arrays

    Every method is a function of its arguments: theta is one flat vector, w its named views.
    """

    own_arguments = ()  # the constructor's arguments that a system adds, kept under their names
    condition = ()  # the modalities on which a system is conditioned
    fusion = ()  # how the experts become q(z|X), step by step

    def __init__(
        self,
        modalities,
        *,
        latent=16,
        hidden=(256, 256),
        activation="swish",
        initial="glorot",
        weights=None,
        kernels=None,
    ):  # fmt: skip
        check_modalities(modalities)
        whole_number("latent", latent, 1)
        check_hidden(hidden, modalities)
        self.modalities, self.latent, self.hidden = dict(modalities), int(latent), hidden
        self.activation = choice("activation", activation, ACTIVATIONS)
        self.initial = choice("initial", initial, INITIAL)
        if kernels is not None:
            check_kernels(kernels)
        self.kernels = kernels
        self.weights = number_per_modality("weights", weights, modalities)
        self.tree = Tree({name: self._shapes(name) for name in modalities})

    def _sizes(self, name):
        """Return a modality's hidden layer sizes: (its encoder's, its decoder's)."""
        if isinstance(self.hidden, dict):
            return self.hidden[name]
        return self.hidden, tuple(reversed(self.hidden))

    def _shapes(self, name):
        likelihood, D = self.modalities[name], self.latent
        encoder, decoder = self._sizes(name)
        P = likelihood.features
        return {
            "encoder": mlp_shapes((P, *encoder, 2 * D), first_bias=not likelihood.one_hot),
            "decoder": mlp_shapes((D, *decoder, P)),
            "likelihood": likelihood.shapes(),
        }

    def init(self, rng, dtype=np.float32):
        """Draw an initial parameter vector."""
        check_rng(rng)
        float_type(dtype)
        theta = np.zeros(self.tree.size, dtype=dtype)
        w = self.tree.views(theta)
        for name in self.modalities:
            init_mlp(w[name]["encoder"], rng, self.initial)
            init_mlp(w[name]["decoder"], rng, self.initial)
        return theta

    def noise_shape(self, N, K):
        """Return the shape of `eps`, (T, K, N, D): T terms of the objective, K samples.

        eps[t, k, n] is the noise of term t's sample k of example n; here there is one term.  eps
        keeps its shape under a mask and with an absent modality, whose noise is then not read.
        """
        return (1, K, N, self.latent)

    def draw_noise(self, rng, N, K, dtype=np.float32, xp=np):
        """Draw the random arguments of `bound`: a dict with eps, an array of the library `xp`."""
        check_rng(rng)
        float_type(dtype)
        whole_number("N", N, 1)
        whole_number("K", K, 1)
        return {"eps": self.noise(generator(rng, xp), self.noise_shape(N, K), dtype)}

    def noise(self, rng, shape, dtype):
        """Draw eps ~ N(0, I), from which samples are reparameterised."""
        return rng.standard_normal(shape, dtype=dtype)

    def checked_batch(self, theta, x, mask=None, eps=...):
        """Check data, and noise if there is some; returns (batch, nested views of theta)."""
        if theta is None:
            raise ValueError("theta: found None; `fit` or `load` first, then it is in model.theta")
        w = self.tree.views(theta)
        batch = check_batch(self.modalities, x, mask, theta)
        if eps is not ...:
            if not hasattr(eps, "dtype"):
                raise ValueError(f"eps: expected an array, as of draw_noise, found {eps!r}")
            check("eps", eps)
            K = eps.shape[1] if eps.ndim == 4 else 1
            expected = self.noise_shape(batch.size, K)
            if eps.shape != expected or K == 0:
                shape = f"({expected[0]}, K, {expected[2]}, {expected[3]}) with K at least 1"
                raise ValueError(f"eps: expected shape {shape}, found {eps.shape}")
            if eps.dtype != theta.real.dtype:
                raise ValueError(
                    f"eps: expected {theta.real.dtype} as theta, found {eps.dtype}; "
                    "draw_noise takes a dtype, and arrays have .astype"
                )
        return batch, w

    def backend(self, array):
        """Return the kernels for arrays like this one, without input checks."""
        return inner(array, self.kernels)

    def encode_experts(self, w, batch):
        """Run every encoder once: mu, log_var (M, N, D) of the modalities in the batch."""
        outputs, pullbacks = [], []
        for name, x in batch.x.items():
            likelihood = self.modalities[name]
            few = likelihood.one_hot and likelihood.features < batch.size  # fewer classes than rows
            network = mlp_by_class if few else mlp
            output, mlp_pullback = network(
                w[name]["encoder"],
                likelihood.network_input(x),
                activation=self.activation,
                input_gradient=False,
                kernels=self.backend(x),
            )
            outputs.append(output)
            pullbacks.append(mlp_pullback)
        mu, log_var = split(outputs)

        def encode_experts_pullback(dmu, dlog_var, dw):
            """Write the encoders' gradients into dw; those of absent modalities are 0."""
            zero_absent(dw, batch, "encoder")
            doutputs = np.concatenate([dmu, dlog_var], axis=-1)
            for name, mlp_pullback, doutput in zip(batch.x, pullbacks, doutputs, strict=True):
                mlp_pullback(doutput, out=dw[name]["encoder"])

        return (mu, log_var), encode_experts_pullback

    def run_decoder(self, w, name, z, pullback=True):
        """Run the decoder of one modality: what parametrises its likelihood, and the pullback."""
        options = {"activation": self.activation, "kernels": self.backend(z)}
        return mlp(w[name]["decoder"], z, pullback=pullback, **options)

    def log_likelihood(self, w, batch, z, *, weights, scored=None, pullback=True):
        """Compute Σ_m λ_m log p(x_m|z) over the scored modalities.           [S6.2, S6.3]

        z (T, K, N, D) for T terms; scored (T, M, N) bool, None = all; returns (T, K, N), nats.
        Each decoder runs once, without the terms of which no row scores its modality.  Without
        `pullback` the pullback is None, which saves time and memory.
        """
        total = np.zeros_like(z, shape=z.shape[:-1])
        decoded = []
        for m, name in enumerate(batch.x):
            terms = slice(None)
            if scored is not None and not scored[:, m].any(axis=-1).all():
                terms = evenly(np.flatnonzero(scored[:, m].any(axis=-1)).tolist())
            counts = None if scored is None else scored[terms, m]
            counts = None if counts is None or counts.all() else batch.on_device(counts)
            outputs, mlp_pullback = self.run_decoder(w, name, z[terms], pullback=pullback)
            log_px_z, likelihood_pullback = self.modalities[name].log_prob(
                w[name]["likelihood"], outputs, x=batch.x[name], kernels=self.backend(z)
            )
            total[terms] += _weighted(weights[name], log_px_z, counts)
            if pullback:
                decoded.append((name, terms, counts, mlp_pullback, likelihood_pullback))

        def log_likelihood_pullback(dtotal, dw):
            """Return dz, and write the decoders' gradients into dw, 0 for absent modalities."""
            zero_absent(dw, batch, "decoder", "likelihood")
            dtotal, dz = without_negligible(dtotal), np.zeros_like(z)
            for name, terms, counts, mlp_pullback, likelihood_pullback in decoded:
                dlog_px_z = _weighted(weights[name], dtotal[terms], counts)
                _, doutputs = likelihood_pullback(dlog_px_z, out=dw[name]["likelihood"])
                dz[terms] += mlp_pullback(doutputs, out=dw[name]["decoder"])[1]
            return dz

        return total, log_likelihood_pullback if pullback else None

    def infer(self, w, batch):
        """Compute the posterior's parameters given a batch."""
        (mu, log_var), _ = self.encode_experts(w, batch)
        return self.posterior(mu, log_var, batch)

    def posterior_samples(self, w, batch, K, rng):
        """Draw z ~ q(z|batch) and compute log q(z|batch): (K, N, D), (K, N)."""
        mu, log_var = self.infer(w, batch)
        eps = like(self.noise(rng, (K, *mu.shape), mu.dtype), mu)
        z, _ = gaussian_sample(mu, log_var, eps=eps)
        return z, gaussian_log_prob(z, mu, log_var)[0]

    def prior_samples(self, theta, shape, rng):
        """Draw z ~ p(z) = N(0, I), of shape (K, N, D)."""
        return like(self.noise(rng, shape, theta.dtype), theta)

    def log_ratio(self, z, mu, log_var):
        """Compute log p(z) − log q(z|x), or its expectation where `kl` is "closed_form"."""
        return log_prior_ratio(z, mu, log_var, closed_form=self.kl == "closed_form")

    def log_prior(self, w, z):
        """Compute log p(z), nats: z (…, D) → (…); and its pullback (dlog_pz, dw) → dz."""
        log_pz, standard_normal_pullback = standard_normal_log_prob(z)

        def log_prior_pullback(dlog_pz, dw):
            return standard_normal_pullback(dlog_pz)

        return log_pz, log_prior_pullback


def evenly(indices):
    """Turn evenly spaced indices into a slice, which makes a view instead of a copy."""
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    if not indices or step < 1 or indices != list(range(indices[0], indices[-1] + 1, step)):
        return indices
    return slice(indices[0], indices[-1] + 1, step)


def number(beta, theta):
    """Return β as a float, which keeps the dtype of theta in a product: NumPy's float64 would not.

    One on a GPU stays there, since a step must not wait for its value.
    """
    if hasattr(beta, "dtype") and not isinstance(beta, np.ndarray | np.generic):
        return beta
    beta = beta[()] if isinstance(beta, np.ndarray) else beta
    finite_number("beta", beta, 0)
    return float(beta)


def cotangent(dbound, bound):
    """Return dbound in the dtype and the shape of the bound."""
    dbound = dbound.astype(bound.dtype, copy=False)
    return dbound if dbound.shape == bound.shape else np.broadcast_to(dbound, bound.shape)


def split(outputs):
    """Split M encoders' outputs (N, 2D): mu and log_var (M, N, D), each contiguous."""
    N, width = outputs[0].shape
    halves = np.empty_like(outputs[0], shape=(2, len(outputs), N, width // 2))
    for m, output in enumerate(outputs):
        halves[:, m] = np.moveaxis(output.reshape(N, 2, -1), 1, 0)
    return halves[0], halves[1]


def _weighted(weight, log_prob, counts):
    """Weigh log_prob (T, K, N) by λ; 0 where a term does not score a row, by counts (T, N) bool."""
    if counts is not None:
        log_prob = np.where(counts[:, None], log_prob, 0)
    return log_prob if weight == 1 else weight * log_prob


def zero_absent(dw, batch, *parts):
    """Set the gradients of these parts to 0 for the modalities that the batch lacks."""
    for name in dw.keys() - batch.x.keys():
        for part in dw[name].keys() & parts:
            for _, view in leaves(dw[name][part]):
                view[...] = 0


def without_negligible(d):
    """Set entries of d below √(least normal number) times its greatest to 0, on the CPU.

    The weight of a poor sample, e⁻⁸⁰ in float32, is lost in any sum with the others.  But its
    products with a network's matrices are subnormal numbers, on which a CPU is many times slower.
    """
    if not isinstance(d, np.ndarray) or not d.size:
        return d
    size = abs(d)
    return np.where(size < np.sqrt(np.finfo(d.dtype).tiny) * size.max(), 0, d)
