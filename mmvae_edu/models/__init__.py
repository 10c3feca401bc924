"""The systems of the slides, one short file each."""

from .bivcca import BiVCCA
from .cvae import CVAE
from .iwae import IWAE
from .jmvae import JMVAE
from .mmvae import MMVAE
from .mmvae_laplace import LaplaceMMVAE
from .mopoe import MoPoE
from .mvae import MVAE
from .mvae_q import MVAEQ
from .vae import VAE

__all__ = [
    "CVAE",
    "IWAE",
    "JMVAE",
    "MMVAE",
    "MVAE",
    "MVAEQ",
    "VAE",
    "BiVCCA",
    "LaplaceMMVAE",
    "MoPoE",
]
