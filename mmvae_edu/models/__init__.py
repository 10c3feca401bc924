"""The systems of the slides, one short file each."""

from .iwae import IWAE
from .mmvae import MMVAE
from .mvae import MVAE
from .vae import VAE

__all__ = ["IWAE", "MMVAE", "MVAE", "VAE"]
