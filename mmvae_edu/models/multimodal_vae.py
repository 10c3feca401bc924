"""The user's part of all systems: a model that keeps its parameters; training, use, files."""

import warnings
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from .. import estimators, training
from ..kernels.arrays import FLOATS
from ..likelihoods import LIKELIHOODS
from ..support import archives, files
from ..support.checks import finite_numbers, random_generator, whole_number
from ..support.devices import like, to_host
from ..support.parameters import leaves
from .base import FunctionalModel, number
from .settings import choice


class Term(NamedTuple):
    """A term of a bound: bound = Σ weight · (reconstruction − kl + gain), nats, (N,) each.

    subset          the modalities that its posterior q(z|X) is given; under a mask, what an example
                    has of them
    weight          its factor in the bound, 0 where an example does not have the term
    reconstruction  the mean over the samples of Σ_m λ_m log p(x_m|z), of the modalities scored
    kl              β KL(q ‖ p(z)), in closed form or by the samples as the bound has it; of a
                    mixture the mean of β [log q_Φ(z) − log p(z)] over this component's samples
    gain            what a logarithm of the mean weight adds to the mean of log w; 0 in an ELBO
    """

    subset: tuple
    weight: np.ndarray
    reconstruction: np.ndarray
    kl: np.ndarray
    gain: np.ndarray


class MultimodalVAE(FunctionalModel):
    """A functional model and its parameters `theta`, which `fit` or `load` sets.

    `bound(theta, x, ...)` takes any theta, and its pullback returns the gradient; `encode`,
    `generate` and the methods below use `self.theta`.
    """

    theta = None

    def fit(self, x, **options):
        """Train on x, a dict name → (n, P), by `training.fit`, which has the options."""
        return training.fit(self, x, **options)

    def encode(self, x, *, mask=None):
        """Compute the posterior's parameters given these modalities, as the system defines it."""
        batch, w = self.checked_batch(self._trained(), x, mask)
        return self.infer(w, batch)

    def posterior_sample(self, x, *, mask=None, K=1, rng):
        """Draw K samples z ~ q(z|x): (K, N, D).  `rng`: a generator, or a seed for one."""
        batch, w = self.checked_batch(self._trained(), x, mask)
        whole_number("K", K, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            z = self.posterior_samples(w, batch, K, random_generator(rng))[0]
        if not np.isfinite(z).all():
            raise ValueError("x: a draw of z is not finite; are values as in the training data?")
        return z

    def decode(self, z, names=None):
        """Compute the mean of each (or each named) modality given z (…, D): dict name → (…, P)."""
        theta = self._trained()
        w, z = self.tree.views(theta), self._latents(z, theta)
        means = {}
        for name in self.modalities if names is None else self._known(names):
            means[name] = self.modalities[name].mean(self.run_decoder(w, name, z)[0])
        return means

    def _latents(self, z, theta):
        """Return z (…, D) in theta's dtype and on its device."""
        z = like(finite_numbers("z", z), theta).astype(theta.dtype, copy=False)
        if z.shape[-1:] != (self.latent,):
            raise ValueError(f"z: expected shape (…, {self.latent}), found {z.shape}")
        return z

    def sample(self, n, *, rng):
        """Decode n draws z ~ p(z): dict name → (n, P) of means."""
        whole_number("n", n, 1)
        rng = random_generator(rng)
        return self.decode(self.prior_samples(self._trained(), (1, n, self.latent), rng)[0])

    def generate(self, given, target=None, *, mask=None, rng):
        """Decode one z ~ q(z|given) an example: dict name → (N, P) of means, of `target` names."""
        z = self.posterior_sample(given, mask=mask, rng=rng)[0]
        return self.decode(z, target)

    def estimate_marginal(self, x, *, given=None, mask=None, K=1000, rng):
        """Estimate log p(x) by K samples of q(z|given): an Estimate; see `estimators.marginal`.

        Its fields are log_p, its standard error and ess, the effective sample size, (N,) each.
        """
        theta = self._trained()
        return estimators.marginal(self, theta, x, given=given, mask=mask, K=K, rng=rng)

    def estimate_conditional(self, x, given, *, mask=None, K=1000, rng, **proposals):
        """Estimate log p(x|given) by K samples: an Estimate; see `estimators.conditional`."""
        options = {"mask": mask, "K": K, "rng": rng, **proposals}
        return estimators.conditional(self, self._trained(), x, given, **options)

    def log_marginal(self, x, *, given=None, mask=None, K=1000, rng):
        """Return `estimate_marginal`'s log p(x), (N,) nats; warns if an ess is below 10."""
        return _log_p(self.estimate_marginal(x, given=given, mask=mask, K=K, rng=rng))

    def log_conditional(self, x, given, *, mask=None, K=1000, rng, **proposals):
        """Return `estimate_conditional`'s log p(x|given), (N,) nats; warns like log_marginal."""
        options = {"mask": mask, "K": K, "rng": rng, **proposals}
        return _log_p(self.estimate_conditional(x, given, **options))

    def terms(self, theta, x, *, mask=None, eps, beta=1.0, **sampled):
        """List the terms of `bound` at the same arguments, in the order of eps, as `Term`s.

        bound = Σ weight · (reconstruction − kl + gain); a term that no example has is left out.
        JMVAE's last terms are its α KL(q(z|x_1..M) ‖ q(z|x_m)), with weight α.
        """
        batch, w = self.checked_batch(theta, x, mask, eps)
        subsets, weight, scored, z, log_ratio = self.parts(w, batch, eps, **sampled)
        log_px_z, _ = self.log_likelihood(
            w, batch, z, weights=self.weights, scored=scored, pullback=False
        )
        log_ratio = number(beta, theta) * log_ratio
        gain = self.gains(log_px_z + log_ratio, weight)
        columns = weight, *map(to_host, (log_px_z.mean(axis=1), -log_ratio.mean(axis=1), gain))
        rows = map(Term, subsets, *columns)
        return [row for row in rows if row.weight.any()]

    def gains(self, log_w, weight):
        """Compute the terms' gains (T, N) from their log-weights (T, K, N): 0 in an ELBO."""
        return np.zeros_like(log_w[:, 0])

    @property
    def parameters(self):
        """Return the weights by name: dict such as "image/encoder/W0" → a view into `theta`.

        W0 (P, H), b0 (H,), W1, … are a network's layers, y = x W + b; an encoder's last columns are
        mu and log_var side by side.  Writing into a view changes the model.  Assigning a mapping of
        all names to arrays sets theta: `np.savez(path, **model.parameters)` exports them, and
        `model.parameters = np.load(path)` imports them; a ValueError says which name is missing or
        unknown, or has another shape or values that are not finite.
        """
        return dict(leaves(self.tree.views(self._trained())))

    @parameters.setter
    def parameters(self, named):
        shapes = dict(leaves(self.tree.shapes))
        missing, unknown = sorted(shapes.keys() - {*named}), sorted({*named} - shapes.keys())
        if missing or unknown:
            raise ValueError(f"parameters: missing {missing}, unknown {unknown}")
        arrays = {name: np.asarray(named[name]) for name in shapes}
        for name, array in arrays.items():
            if array.shape != shapes[name] or array.dtype.kind not in "fiu":
                found = f"{array.dtype} of shape {array.shape}"
                raise ValueError(
                    f"parameters[{name!r}]: expected numbers of shape {shapes[name]}, found {found}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"parameters[{name!r}]: expected finite numbers")
        dtype = np.result_type(np.float32, *arrays.values())
        self.theta = np.concatenate([array.ravel() for array in arrays.values()], dtype=dtype)

    def config(self):
        """List the constructor's arguments, as JSON can hold them."""
        kinds = {
            name: {"likelihood": type(likelihood).__name__, **asdict(likelihood)}
            for name, likelihood in self.modalities.items()
        }
        return {
            "modalities": kinds,
            "latent": self.latent,
            "hidden": self.hidden,
            "activation": self.activation,
            "initial": self.initial,
            "weights": self.weights,
            **{name: getattr(self, name) for name in self.own_arguments},
        }

    def save(self, path):
        """Write the system and its parameters to one .npz file, whole or not at all."""
        header = {"kind": "model", "system": type(self).__name__, "config": self.config()}
        archives.write_arrays(path, header, {"theta": to_host(self._trained())})

    @classmethod
    def load(cls, path):
        """Read a model that `save` wrote; a ValueError if the file holds another system."""
        header, arrays = archives.read_arrays(path, "model")
        if header.get("system") != cls.__name__:
            raise ValueError(f"{path}: expected a {cls.__name__}, found a {header.get('system')}")
        try:
            model = cls._from_config(header["config"])
            model.theta = arrays["theta"]
            model.tree.views(model.theta)  # checks the size
        except Exception as problem:  # whatever the constructor makes of a wrong type
            raise archives.damaged(path, problem) from None
        if len(arrays) != 1 or model.theta.dtype not in (np.float32, np.float64):
            found = ", ".join(f"{name} ({array.dtype})" for name, array in arrays.items())
            why = f"expected theta, float32 or float64, found {found}"
            raise archives.damaged(path, ValueError(why))
        return model

    @classmethod
    def _from_config(cls, config):
        """Make a model from its `config`, which older versions wrote with fewer keys."""
        kinds = {name: dict(row) for name, row in config["modalities"].items()}
        modalities = {
            name: LIKELIHOODS[choice("likelihood", row.pop("likelihood"), LIKELIHOODS)](**row)
            for name, row in kinds.items()
        }
        model = cls(**{**config, "modalities": modalities})
        kept = model.config()
        for key, value in config.items():  # as JSON, in which 1, 1.0 and true differ
            if files.as_json(value) != files.as_json(kept.get(key)):
                raise ValueError(f"{key}: expected {kept.get(key)!r}, found {value!r}")
        return model

    def _trained(self):
        if self.theta is None:
            raise ValueError(f"this {type(self).__name__} has no parameters yet: fit or load first")
        theta = finite_numbers("theta", self.theta, (self.tree.size,))
        if theta.dtype not in FLOATS:
            raise ValueError(f"theta: expected float32 or float64, found {theta.dtype}")
        return theta

    def _known(self, names):
        """Return a list of names, also of one alone; a ValueError for an unknown one."""
        names = [names] if isinstance(names, str) or not np.iterable(names) else list(names)
        for name in names:
            if name not in tuple(self.modalities):
                known = list(self.modalities)
                raise ValueError(f"names: unknown modality {name!r}; this model has {known}")
        return names


def _log_p(estimate):
    """Return the log p of an Estimate, with one warning if an effective sample size is below 10."""
    few = estimate.ess < 10
    if few.any():
        warnings.warn(
            f"the effective sample size is below 10 for {few.sum()} of {len(few)} examples, at "
            f"worst {estimate.ess.min():.1f} of K = {estimate.K}: take more samples or another "
            "proposal; estimate_marginal and estimate_conditional return error and ess",
            RuntimeWarning,
            stacklevel=3,
        )
    return estimate.log_p
