"""The importance weighted bound."""

from mmvae_edu.course import todo


def importance_weights(log_w):
    """The bound log (1/K) sum_k w_k and the normalised weights.                [S9.2, S9.5]

    (K, N) -> (N,), (K, N).  -inf weighs 0; a column of only -inf gives -inf and weights 0.
    """
    return todo("L12.importance_weights")


def iwae(log_w):
    """log (1/K) sum_k w_k, the bound of IWAE.                                  [S9.2, S9.4]

    (K, N) -> (N,), and its pullback: (N,) -> (K, N)
    """
    return todo("L12.iwae")
