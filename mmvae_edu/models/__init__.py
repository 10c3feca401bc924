"""The systems of the slides, one short file each, imported when they are first used."""

from importlib import import_module
from typing import NamedTuple


class System(NamedTuple):
    """The file of a model class, and the modalities that its constructor takes."""

    module: str  # its file in this folder
    modalities: int | None = None  # how many it takes; None: any number
    condition: bool = False  # the last of them is also given as `condition=`


SYSTEMS = {  # the one table of models, which the command line, the tests and the package read
    "VAE": System("vae", modalities=1),
    "IWAE": System("iwae", modalities=1),
    "MVAE": System("mvae"),
    "MVAEQ": System("mvae_q"),
    "BiVCCA": System("bivcca"),
    "JMVAE": System("jmvae"),
    "CVAE": System("cvae", modalities=2, condition=True),
    "MMVAE": System("mmvae"),
    "LaplaceMMVAE": System("mmvae_laplace"),
    "MoPoE": System("mopoe"),
}
__all__ = list(SYSTEMS)


def __getattr__(name):
    if name not in SYSTEMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{SYSTEMS[name].module}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
