"""Names of once in a learner's older files: of lessons, and of modules that such a file imports."""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec

ONCE = "04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19"
TODAY = "05 06 07 09 10 11 12 15 16 17 18 20 21 22 24 23"
LESSONS = {f"L{a}": f"L{b}" for a, b in zip(ONCE.split(), TODAY.split(), strict=True)}
MOVED = {
    "mmvae_edu.access": "mmvae_edu.kernels.simulator",
    "mmvae_edu.by_hand": "mmvae_edu.models.one_function",
    "mmvae_edu.exact": "mmvae_edu.oracles",
}


class OldNames:
    """An importer that gives today's module for an old name."""

    def find_spec(self, name, path=None, target=None):
        old = ".".join(name.split(".")[:2])
        today = MOVED.get(old, "") + name.removeprefix(old)
        return ModuleSpec(name, self, loader_state=today) if old in MOVED else None

    def create_module(self, spec):
        """Return None: the module that is made is only a place for today's."""

    def exec_module(self, module):
        sys.modules[module.__name__] = import_module(module.__spec__.loader_state)


def allow():
    """Let this process import modules by their old names, too."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, OldNames())  # before the one that would load a second copy
