"""Why weighted: the gradients of VAE and IWAE from those of log w."""

from mmvae_edu.course import todo


def vae_grad(g):
    """The gradient of the ELBO estimate.                                              [S9.3]

    g = the gradient of log w by P parameters, (K, N, P) -> (N, P)
    """
    return todo("L13.vae_grad")


def iwae_grad(log_w, g):
    """The gradient of the IWAE estimate.                                              [S9.4]

    (K, N), g = the gradient of log w by P parameters, (K, N, P) -> (N, P)
    """
    return todo("L13.iwae_grad")
