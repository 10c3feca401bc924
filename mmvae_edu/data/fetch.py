"""The arrival of a data set's files in the cache: from the network, or from a folder."""

import importlib.util
import tempfile
from pathlib import Path

from .files import FILES, CannotWrite, accept, candidates, fills_cache, state


def fetch(source, *, progress=True):
    """Download the files of FILES[source] that are missing or damaged; returns their paths.

    Raises ValueError if no address answers, or none sends the file.
    """
    new = [file for file in FILES[source] if state(file, thorough=True) != "there"]
    if new and importlib.util.find_spec("pooch") is None:
        raise ValueError("a download needs pooch: `pip install 'mmvae_edu[data]'`")
    for file in new:
        _download(file, progress)
    return [file.path for file in new]


def import_from(source, folder):
    """Copy the missing files of FILES[source] out of a folder, found by name and known by hash.

    Returns the new paths.  If some are not there, a ValueError names what was found instead, and
    the others are in the cache.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file: name its folder" if folder.exists() else "no such folder"
        raise ValueError(f"{folder}: {what}")
    new = [file for file in FILES[source] if state(file, thorough=True) != "there"]
    if problems := [problem for file in new if (problem := _take(folder, file))]:
        raise ValueError("\n".join(problems))
    return [file.path for file in new]


def _take(folder, file):
    """Put the file into the cache from below the folder; returns why, if that is impossible."""
    problems = []
    for path in candidates(folder, file):
        try:
            return accept(path, file)
        except CannotWrite:
            raise
        except ValueError as problem:
            problems.append(str(problem))
    problems = problems or [f"no {file.name} or {file.name}.gz below {folder}"]
    return f"{'; '.join(problems)}: get it from {file.urls[0].format(file.name)}"


def _download(file, progress):
    problems = []
    for address in file.urls:
        url = address.format(file.name)
        try:
            with fills_cache(file), tempfile.TemporaryFile(dir=file.path.parent) as download:
                _retrieve(url, download, file.name, progress)
                download.seek(0)
                return accept(download, file, called=f"what {url} sends")
        except CannotWrite:
            raise
        except ValueError as problem:
            problems.append(str(problem))
    raise ValueError(
        f"{'; '.join(problems)}. Without a network, get {file.name} or {file.name}.gz elsewhere "
        f"and `mmvae-edu data import {file.folder} --from DIR`"
    )


def _retrieve(url, download, name, progress):
    """Download from the address into an open file; a ValueError if it sends nothing."""
    import pooch
    import requests

    bar = _Bar(name) if progress else None
    downloader = pooch.HTTPDownloader(progressbar=bar or False, timeout=30)
    try:
        downloader(url, download, None)
    except requests.RequestException as problem:
        raise ValueError(f"{url}: {_reason(problem)}") from None
    finally:
        if bar:
            bar.close()


def _reason(problem):
    """Say why a request failed in a few words; requests' own text is a page of nested objects."""
    response = getattr(problem, "response", None)
    if response is not None:
        return f"answers {response.status_code} {response.reason}"
    name = type(problem).__name__
    if name == "ChunkedEncodingError":
        return "the connection broke in the middle"
    return f"no answer ({name})" if "Connect" in name or "Timeout" in name else str(problem)


class _Bar:
    """rich's progress bar in the form that pooch drives."""

    def __init__(self, name):
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        columns = "{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn()
        self.total = 0
        self.bar = Progress(*columns)
        self.task = self.bar.add_task(name, total=None)
        self.bar.start()

    def update(self, n):
        self.bar.update(self.task, advance=n, total=self.total or None)

    def reset(self):
        self.bar.reset(self.task)

    def close(self):
        self.bar.stop()
