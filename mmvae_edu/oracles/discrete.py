"""A discrete latent variable: every probability is a finite sum, and every x can be listed."""

import itertools
import math

import numpy as np

from ..kernels.arrays import check_calls


class DiscreteModel:
    """p(x_1..x_M, z) = p(z) prod_m p(x_m | z) with z one of S states.                     [S6.2]

    log_prior (S,), log_lik M arrays (S, V_m), one row a state; natural logarithms, -inf allowed.
    An observation x is M integers; a subset is modality indices or M booleans, None means all.
    The code is plain loops and math.fsum, and shares nothing with array code.
    Raises ValueError if a row of probabilities does not sum to 1.
    """

    def __init__(self, log_prior, log_lik):
        self.log_prior = np.asarray(log_prior, dtype=float)
        self.log_lik = [np.asarray(table, dtype=float) for table in log_lik]
        for name, table in [("log_prior", self.log_prior[None])] + [
            (f"log_lik[{m}]", table) for m, table in enumerate(self.log_lik)
        ]:
            if table.shape[0] not in (1, len(self.log_prior)):
                raise ValueError(f"{name}: expected {len(self.log_prior)} rows, found {len(table)}")
            for s, row in enumerate(table):
                if abs(math.fsum(map(math.exp, row)) - 1) > 1e-9:
                    raise ValueError(f"{name}, row {s}: probabilities do not sum to 1")

    @classmethod
    def random(cls, rng, S, M, V):
        """Draw a model: S states, M modalities of V symbols, all rows uniform on the simplex."""
        return cls(
            np.log(rng.dirichlet(np.ones(S))),
            [np.log(rng.dirichlet(np.ones(V), size=S)) for _ in range(M)],
        )

    def all_x(self):
        """List every observation, as tuples of M symbols in lexicographic order."""
        return list(itertools.product(*(range(table.shape[1]) for table in self.log_lik)))

    def sample(self, rng, N):
        """Draw N examples from the joint: states z (N,) and symbols x (N, M)."""
        z = rng.choice(len(self.log_prior), size=N, p=np.exp(self.log_prior))
        x = [[rng.choice(t.shape[1], p=np.exp(t[s])) for t in self.log_lik] for s in z]
        return z, np.array(x)

    def log_joint(self, x, subset=None):
        """Compute log p(x_subset, z) for every state, (S,), without missing modalities."""
        kept = self._indices(subset)
        return np.array(
            [
                math.fsum([self.log_prior[s]] + [self.log_lik[m][s, x[m]] for m in kept])
                for s in range(len(self.log_prior))
            ]
        )

    def log_evidence(self, x, subset=None):
        """Compute log p(x_subset) = log sum_z p(x_subset, z), in nats.                    [S5.1]"""
        log_joint = self.log_joint(x, subset)
        top = float(log_joint.max())
        if top == -math.inf:
            return top
        return top + math.log(math.fsum(math.exp(a - top) for a in log_joint))

    def posterior(self, x, subset=None):
        """Compute p(z | x_subset), (S,).  Raises ValueError if x_subset is impossible.    [S7.1]"""
        log_evidence = self.log_evidence(x, subset)
        if log_evidence == -math.inf:
            raise ValueError(f"x = {tuple(x)} has probability 0 and no posterior")
        return np.array([math.exp(a - log_evidence) for a in self.log_joint(x, subset)])

    def log_conditional(self, x, target, given):
        """Compute log p(x_target | x_given) = log p(x_target, x_given) - log p(x_given), nats."""
        target, given = self._indices(target), self._indices(given)
        if set(target) & set(given):
            raise ValueError(f"target {target} and given {given} overlap")
        return self.log_evidence(x, target + given) - self.log_evidence(x, given)

    def elbo(self, q, x, subset=None):
        """Compute sum_z q(z) log p(x_subset, z) / q(z) with 0 log 0 = 0, in nats.         [S5.7]

        q (S,); at most log_evidence.
        """
        log_joint = self.log_joint(x, subset)
        return math.fsum(p * (a - math.log(p)) for p, a in zip(q, log_joint, strict=True) if p > 0)

    def _indices(self, subset):
        M = len(self.log_lik)
        subset = np.arange(M) if subset is None else np.asarray(subset)
        if subset.dtype.kind == "b":
            if subset.shape != (M,):
                raise ValueError(f"subset: expected {M} booleans, found shape {subset.shape}")
            subset = np.flatnonzero(subset)
        kept = [int(m) for m in subset]
        if len(set(kept)) < len(kept) or not set(kept) <= set(range(M)):
            raise ValueError(f"subset {kept}: expected distinct modalities out of 0..{M - 1}")
        return kept


check_calls(globals(), "iuf")
