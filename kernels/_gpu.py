"""What the GPU backends share: inputs checked, outputs allocated, threads dealt out.

A GPU backend is one `Device`: an array library and a function that launches a kernel.  Its
methods are the functions of `reference`.  Nothing here waits for the GPU or copies to the host.
"""

from math import log, prod

from ._inputs import Inputs, counted, fitting

BLOCKS = 65_535  # a side of the grid: every kernel strides over what is left


class Device:
    """The functions of `reference` over arrays of the library `xp`.

    launch(op, grid, block, *args, lanes=) runs the kernel of that name.  A block has `threads`
    threads, at most `width` of them along the contiguous axis, or `width` by up to `tall` where a
    column is shared; a grid has at most `blocks` blocks a side.  `address(array)` is a pointer; it
    is None where kernels take one number at a time.  Of importance weights a block has a `panel` of
    so many columns, each shared by so many threads, where K is large, and as many blocks are at
    work as leave their panels in the `cache` of so many bytes, but one for each of the `cores`.
    """

    def __init__(
        self, name, xp, launch, address=None, threads=256, width=32, tall=16, blocks=BLOCKS,
        panel=None, cores=BLOCKS, cache=0,
    ):  # fmt: skip
        self.name, self.xp, self.launch, self.address = name, xp, launch, address
        self.inputs = Inputs(name, xp, f"{xp.__name__}.asarray")
        self.threads, self.width, self.tall, self.blocks = threads, width, tall, blocks
        self.panel, self.cores, self.cache = panel or (width, tall), cores, cache

    def product_of_experts(self, mu, log_var, mask=None):
        """The prior N(0, I) times the present experts: mean, log_var (N, D).              [S7.5]"""
        mu, log_var = self.inputs.floats(mu=mu, log_var=log_var)
        M, N, D = fitting("mu", mu, ("M", "N", "D"))
        fitting("log_var", log_var, mu.shape)
        mask = self.inputs.mask(mask, M, N)
        mean, joint_log_var = self._empty(mu, (N, D)), self._empty(mu, (N, D))
        args = (mu, log_var, mask, mean, joint_log_var)
        lanes = self._lanes(D, mu, log_var)
        self._launch("product_of_experts", *self._rows(N, D // lanes), M, N, D, *args, lanes=lanes)
        return mean, joint_log_var

    def product_of_experts_vjp(self, dmean, djoint_log_var, mu, log_var, mask, mean, joint_log_var):
        """Cotangents of mu and log_var, (M, N, D) each; exact zeros for masked experts."""
        mu, log_var, dmean, djoint_log_var, mean, joint_log_var = self.inputs.floats(
            mu=mu, log_var=log_var, dmean=dmean, djoint_log_var=djoint_log_var, mean=mean,
            joint_log_var=joint_log_var,
        )  # fmt: skip
        M, N, D = fitting("mu", mu, ("M", "N", "D"))
        fitting("log_var", log_var, mu.shape)
        fitting("dmean", dmean, (N, D))
        fitting("djoint_log_var", djoint_log_var, (N, D))
        fitting("mean", mean, (N, D))
        fitting("joint_log_var", joint_log_var, (N, D))
        mask = self.inputs.mask(mask, M, N)
        dmu, dlog_var = self._empty(mu, mu.shape), self._empty(mu, mu.shape)
        floats = (dmean, djoint_log_var, mu, log_var, mean, joint_log_var)
        args = (*floats[:4], mask, *floats[4:], dmu, dlog_var)
        lanes = self._lanes(D, *floats)
        grid, block = self._rows(N, D // lanes)
        self._launch("product_of_experts_vjp", grid, block, M, N, D, *args, lanes=lanes)
        return dmu, dlog_var

    def importance_weights(self, log_w):
        """log (1/K) Σ_k w_k (N,) and the normalised weights (K, N).                 [S9.2, S9.5]"""
        (log_w,) = self.inputs.floats(log_w=log_w)
        K, N = fitting("log_w", log_w, ("K", "N"))
        if K == 0:
            raise ValueError("log_w: expected at least one sample, found K = 0")
        bound, weights = self._empty(log_w, (N,)), self._empty(log_w, (K, N))
        columns, most = self.panel
        shared = _power_of_2(-(-K // 8), most)  # threads of a column
        width = min(self.width, columns * most // shared)
        at_work = max(self.cores, self.cache // (K * width * log_w.dtype.itemsize))
        at_work = at_work // self.cores * self.cores  # or the last ones would run almost alone
        grid = (min(self._blocks(N, width), at_work),)
        args = (log_w.dtype.type(log(K)), log_w, bound, weights)
        self._launch("importance_weights", grid, (width, shared), K, N, *args)
        return bound, weights

    def mixture_log_prob(self, z, mu, log_var, log_alpha):
        """log Σ_m α_m N(z; mu_m, var_m) (K, N) and the responsibilities (M, K, N).       [S11.3]"""
        z, mu, log_var, log_alpha = self.inputs.floats(
            z=z, mu=mu, log_var=log_var, log_alpha=log_alpha
        )
        K, N, D = fitting("z", z, ("K", "N", "D"))
        M, _, _ = fitting("mu", mu, ("M", N, D))
        fitting("log_var", log_var, mu.shape)
        fitting("log_alpha", log_alpha, (M, N))
        if M == 0:
            raise ValueError("mu: expected at least one expert, found M = 0")
        log_q, r = self._empty(z, (K, N)), self._empty(z, (M, K, N))
        lanes = self._lanes(D, z, mu, log_var)
        (blocks,), block = self._rows(N, D // lanes, least=8)
        grid, args = (blocks, self._blocks(K, 8)), (z, mu, log_var, log_alpha, log_q, r)
        self._launch("mixture_log_prob", grid, block, K, M, N, D, *args, lanes=lanes)
        return log_q, r

    def mixture_log_prob_vjp(self, dlog_q, responsibilities, z, mu, log_var):
        """Cotangents of z (K, N, D), mu and log_var (M, N, D)."""
        dlog_q, r, z, mu, log_var = self.inputs.floats(
            dlog_q=dlog_q, responsibilities=responsibilities, z=z, mu=mu, log_var=log_var
        )
        K, N, D = fitting("z", z, ("K", "N", "D"))
        M, _, _ = fitting("mu", mu, ("M", N, D))
        fitting("log_var", log_var, mu.shape)
        fitting("dlog_q", dlog_q, (K, N))
        fitting("responsibilities", r, (M, K, N))
        dz, dmu, dlog_var = (self._empty(z, a.shape) for a in (z, mu, log_var))
        lanes = self._lanes(D, z, mu, log_var)
        shared = _power_of_2(-(-K // 8), most=self.tall)  # threads of a dimension
        grid, block = (self._blocks(N * D // lanes, self.width),), (self.width, shared)
        args = (dlog_q, r, z, mu, log_var, dz, dmu, dlog_var)
        self._launch("mixture_log_prob_vjp", grid, block, K, M, N, D, *args, lanes=lanes)
        return dz, dmu, dlog_var

    def binomial_log_prob(self, logits, x, n=1):
        """Σ_P x·l − n·softplus(l): logits (…, N, P), x (N, P) → (…, N)."""
        logits, x = self.inputs.scored(logits, x, n)
        log_p = self._empty(logits, logits.shape[:-1])
        self._launch_scores("binomial_log_prob", logits, x, n, logits, x, log_p)
        return log_p

    def binomial_log_prob_vjp(self, dlog_p, logits, x, n=1):
        """Cotangent of the logits, (…, N, P)."""
        logits, x = self.inputs.scored(logits, x, n)
        dlog_p, _ = self.inputs.floats(dlog_p=dlog_p, logits=logits)
        fitting("dlog_p", dlog_p, logits.shape[:-1])
        dlogits = self._empty(logits, logits.shape)
        args = (dlog_p, logits, x, dlogits)
        self._launch_scores("binomial_log_prob_vjp", logits, x, n, *args)
        return dlogits

    def binomial_log_prob_value_and_grad(self, logits, x, n=1):
        """The value (…, N) and its derivative with respect to the logits (…, N, P), in one pass."""
        logits, x = self.inputs.scored(logits, x, n)
        outputs = self._empty(logits, logits.shape[:-1]), self._empty(logits, logits.shape)
        op = "binomial_log_prob_value_and_grad"
        self._launch_scores(op, logits, x, n, logits, x, *outputs)
        return outputs

    def bias_swish(self, a, b, overwrite_a=False, slope=True):
        """y = (a + b) · sigmoid(a + b) and its derivative: a (…, H), b (H,) → (…, H) each."""
        a, b = self.inputs.floats(a=a, b=b)
        fitting("b", b, a.shape[-1:])
        y, dy_da = self._empty(a, a.shape), self._empty(a, a.shape)
        if a.size:
            H = len(b)
            N, lanes = a.size // H, self._lanes(H, a, b)
            rows = [array.reshape(N, H) for array in (a, y, dy_da)]
            args = (N, H, rows[0], b, *rows[1:])
            self._launch("bias_swish", *self._rows(N, H // lanes), *args, lanes=lanes)
        return y, dy_da if slope else None

    def bias_activation_vjp(self, dy, slope, overwrite_dy=False):
        """Cotangents of a and b in y = f(a + b): dy and f's slope (…, H) → da (…, H), db (H,)."""
        da = dy * slope
        return da, da.sum(axis=tuple(range(da.ndim - 1)))

    def adam_step(
        self, theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8
    ):  # fmt: skip
        """One Adam step in one pass, in place on theta, m and v; `step` counts from 1."""
        _, grad, _, _ = self.inputs.floats(theta=theta, grad=grad, m=m, v=v)
        counted(step)
        (size,) = fitting("theta", theta, ("size",))
        for name, array in (("grad", grad), ("m", m), ("v", v)):
            fitting(name, array, (size,))
        for name, array in (("theta", theta), ("m", m), ("v", v)):
            if not array.flags.c_contiguous:
                raise ValueError(f"{name}: it is changed in place; expected a contiguous array")
        rate, scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
        real = theta.dtype.type
        constants = [real(c) for c in (rate, scale, 1 - beta1, 1 - beta2, epsilon)]
        lanes = self._lanes(size, theta, grad, m, v)
        grid, block = (self._blocks(size, lanes * self.threads),), (self.threads, 1)
        args = (size, *constants, theta, grad, m, v)
        self._launch("adam_step", grid, block, *args, lanes=lanes)

    # ---- threads and blocks ----

    def _launch(self, op, grid, block, *args, lanes=1):
        if all(grid):  # an empty array needs no threads
            self.launch(op, grid, block, *args, lanes=lanes)

    def _rows(self, N, D, least=1):
        """Blocks of rows: threads along D, the others of the block over N."""
        across = max(_power_of_2(D, most=self.width), least)
        rows = self.threads // across
        return (self._blocks(N, rows),), (across, rows)

    def _blocks(self, work, each):
        return min(-(-work // each), self.blocks)

    def _launch_scores(self, op, logits, x, n, *arrays):
        """Blocks of examples by rows of logits: arrays (…, N, P) and (…, N) become (L, N[, P])."""
        L, N, P = prod(logits.shape[:-2]), *x.shape
        lanes = self._lanes(P, logits, x)
        (blocks,), block = self._rows(N, P // lanes, least=8)
        stacked = [a if a is x else a.reshape(L, N, *a.shape[logits.ndim - 1 :]) for a in arrays]
        args = (L, N, P, logits.dtype.type(n), *stacked)
        self._launch(op, (blocks, self._blocks(L, 1)), block, *args, lanes=lanes)

    def _lanes(self, size, *arrays):
        """How many numbers 16 bytes hold, if rows of `size` numbers all begin at such a place."""
        lanes = 16 // arrays[0].dtype.itemsize
        aligned = self.address and not any(self.address(array) % 16 for array in arrays)
        return lanes if aligned and size % lanes == 0 else 1

    def _empty(self, like, shape):
        return self.xp.empty(shape, like.dtype)


def _power_of_2(size, most):
    """The least power of 2 that is not below `size`, but at most `most`."""
    return min(1 << max(size - 1, 0).bit_length(), most)
