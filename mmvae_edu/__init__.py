"""Multimodal variational autoencoders in NumPy, every gradient written by hand.

The names below are imported when they are first used, so `import mmvae_edu` stays light.
"""

import sys
from importlib import import_module
from pathlib import Path

from .version import __version__

_HOMES = {
    "likelihoods": "Bernoulli Binomial Categorical Laplace Normal",
    "gradcheck": "check_pullback check_unbiased",
    "data": "load_digits",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
_HOME |= dict.fromkeys(import_module(".models", __name__).SYSTEMS, "models")  # imports none of them

__all__ = ["__version__", *_HOME]

_clone = Path(__file__).resolve().parent.parent
_beside = {
    name: (_clone / name).is_file() for name in ("kernels/__init__.py", "lessons/lessons.toml")
}
if any(_beside.values()) or (_clone / "setup.py").is_file():  # a clone, not an installation
    __path__.append(str(_clone))
    for _name in [name for name, there in _beside.items() if not there]:
        print(f"mmvae_edu: the clone {_clone} lacks {_name}", file=sys.stderr)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
