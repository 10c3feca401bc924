"""Packaging.  kernels/ and lessons/ are top-level folders here and subpackages once installed."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

version = {}
exec(Path("mmvae_edu/version.py").read_text(encoding="utf-8"), version)

packages = find_packages(include=["mmvae_edu*"])
beside = {"mmvae_edu.kernels": "kernels", "mmvae_edu.lessons": "lessons"}
if "editable_wheel" in sys.argv:  # the clone is put on Python's path: mmvae_edu finds the two there
    package_dir = {"": "."}
else:
    packages += [*beside, "mmvae_edu.kernels.simulator"]
    package_dir = {"mmvae_edu": "mmvae_edu", **beside}

not_mac = '; sys_platform != "darwin"'
setup(
    name="mmvae_edu",
    version=version["__version__"],
    description="Multimodal variational autoencoders in NumPy: every gradient by hand, "
    "every equation checked against an exact oracle",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=packages,
    package_dir=package_dir,
    package_data={
        "mmvae_edu.data": ["*.npz", "README.md"],
        "mmvae_edu.claims.hunt": ["*.toml"],
        "mmvae_edu.measure.tables": ["*.toml"],
        "mmvae_edu.mistakes": ["*.toml"],
        "mmvae_edu.report": ["*.css"],
        "mmvae_edu.book": ["*.css", "*.js"],
        "mmvae_edu.kernels": ["*.cu"],
        "mmvae_edu.lessons": [
            "*.toml",
            "exercises/*",
            "derivations/*.derive",
            "checks/*.toml",
            "bug_hunt/*.py",
        ]
        + ["results/*.jsonl", "results/*.md", "results/*.png"],
    },
    install_requires=["numpy>=2.0", "numba>=0.61", "matplotlib>=3.8", "mpmath>=1.3", "rich>=13"]
    + ["latex2mathml>=3.77", "markdown-it-py>=3", "pygments>=2.17", "packaging>=22"],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14" + not_mac, "numba-cuda[cu12]>=0.20" + not_mac],
        "cuda13": ["cupy-cuda13x[ctk]>=14" + not_mac, "numba-cuda[cu13]>=0.20" + not_mac],
        "bench": ["torch>=2.4"],
        "data": ["pooch>=1.8", "scipy>=1.12"],
        "notebook": ["jupytext>=1.16", "ipywidgets>=8"],
        "symbolic": ["sympy>=1.13"],
        "sweep": ["dask[distributed]>=2024.1"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3",
            "hypothesis>=6.100",
            "scipy>=1.12",
            "autograd>=1.8",
            "jupytext>=1.16",
            "pooch>=1.8",
            "dask[distributed]>=2024.1",
            "cuda-bindings>=13" + not_mac,
            "nvidia-cuda-nvrtc>=13" + not_mac,
            "nvidia-nvvm>=13" + not_mac,
            "numba-cuda>=0.20" + not_mac,
            "sympy>=1.13",
            "build",
            "setuptools>=64",
            "wheel",
        ],
    },
    entry_points={"console_scripts": ["mmvae-edu = mmvae_edu.__main__:main"]},
)
