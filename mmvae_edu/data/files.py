"""The larger data sets' files: kept in a cache, verified by SHA-256, written whole or not at all.

A file is known by the hash of its uncompressed content: any source will do, gzipped or not, and
files of MNIST and Fashion-MNIST, which have the same names, are told apart.
"""

import contextlib
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..support import files

CHUNK = 1 << 20  # bytes read at a time

MNIST_URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/{}.gz",
    "https://storage.googleapis.com/cvdf-datasets/mnist/{}.gz",
)
FASHION_URLS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{}.gz",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/{}.gz",
)
SVHN_URLS = ("http://ufldl.stanford.edu/housenumbers/{}",)


@dataclass(frozen=True)
class File:
    """A file as it stands in the cache, uncompressed; urls have its name in place of {}."""

    folder: str
    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]

    @property
    def path(self):
        return cache() / self.folder / self.name


def _files(folder, urls, **hashes):
    sizes = {"train-images": 47_040_016, "train-labels": 60_008}
    sizes |= {"t10k-images": 7_840_016, "t10k-labels": 10_008}
    return tuple(
        File(folder, f"{part}-idx{3 if 'images' in part else 1}-ubyte", size, hash, urls)
        for (part, size), hash in zip(sizes.items(), hashes.values(), strict=True)
    )


FILES = {
    "mnist": _files(
        "mnist",
        MNIST_URLS,
        train_images="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        train_labels="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        test_images="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        test_labels="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": _files(
        "fashion-mnist",
        FASHION_URLS,
        train_images="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        train_labels="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        test_images="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        test_labels="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "svhn": tuple(
        File("svhn", name, size, hash, SVHN_URLS)
        for name, size, hash in (
            (
                "train_32x32.mat",
                182_040_794,
                "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
            (
                "test_32x32.mat",
                64_275_384,
                "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
        )
    ),
}


def cache():
    """Name the folder of the files: $MMVAE_EDU_DATA, else the user's cache folder."""
    if given := os.environ.get("MMVAE_EDU_DATA"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache") / "mmvae_edu"


def state(file, *, thorough=False):
    """Tell whether the file is "there", "missing", "damaged" or "closed" to this user.

    thorough: by the hash, otherwise by the size alone.
    """
    try:
        if not file.path.is_file():
            return "missing"
        whole = file.path.stat().st_size == file.size
        if whole and thorough:
            with file.path.open("rb") as stream:
                whole = hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return "closed"
    return "there" if whole else "damaged"


def content(file):
    """Read the verified bytes of a cached file; otherwise a ValueError says how to get it."""
    if not file.path.exists():
        raise ValueError(
            f"{file.path} is missing: `mmvae-edu data fetch {file.folder}`, "
            f"or `mmvae-edu data import {file.folder} --from DIR`"
        )
    found = files.read_bytes(file.path)
    if hashlib.sha256(found).hexdigest() != file.sha256:
        raise ValueError(
            f"{file.path} is damaged or altered ({len(found)} bytes, {file.size} expected): "
            f"`mmvae-edu data fetch {file.folder}` replaces it"
        )
    return found


class CannotWrite(files.CannotWrite):
    """The cache cannot be written, whatever the source of the file."""


@contextlib.contextmanager
def fills_cache(file):
    """Make the cached file's folder; what cannot be written in this context raises CannotWrite."""
    try:
        with files.on_disk(files.folder(file.path.parent)):
            yield
    except files.CannotWrite as problem:
        mend = "mend that, or name another folder in MMVAE_EDU_DATA"
        raise CannotWrite(f"{problem}; {mend}") from None


def accept(source, file, *, called=None):
    """Put a file found elsewhere, gzipped or not, into the cache; errors call it `called`.

    source: its path, or an open binary file.  Raises ValueError if it is not that file or cannot
    be read, CannotWrite if the cache is full or closed.
    """
    called, digest = called or source, hashlib.sha256()
    with fills_cache(file), files.writing(file.path) as copy:
        for block in _blocks(source, called):
            digest.update(block)
            copy.write(block)
        _require(digest.hexdigest(), called, file)


def _blocks(source, called):
    """Yield the uncompressed content, CHUNK bytes at a time."""
    try:
        with source.open("rb") if isinstance(source, Path) else source as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = gzip.open(file) if gzipped else file
            while block := stream.read(CHUNK):
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ValueError(f"{called}: a damaged or truncated gzip file") from None
    except OSError as problem:
        raise ValueError(f"{called}: cannot read it: {problem.strerror}") from None


def _require(found, called, file):
    if found != file.sha256:
        names = {other.sha256: other for group in FILES.values() for other in group}
        other = names.get(found)
        what = f"it is {other.folder}'s {other.name}" if other else "truncated or altered"
        raise ValueError(f"{called} is not {file.folder}'s {file.name}: {what}")


def candidates(folder, file):
    """List files below a folder that by their name could be this one, gzipped or not."""
    pattern = file.name.replace("-idx", "?idx") + "*"  # some copies have a dot there
    return sorted(path for path in Path(folder).rglob(pattern) if path.is_file())
