"""Bring a data set's files into the cache: from the network, or from a folder."""

import tempfile
from pathlib import Path

from .files import FILES, accept, candidates, state


def fetch(source, *, progress=True):
    """Download the files of FILES[source] that are missing or damaged; returns their paths.

    Raises ValueError where no address answers or what it sends is not the file.
    """
    new = [file for file in FILES[source] if state(file, thorough=True) != "there"]
    for file in new:
        _download(file, progress)
    return [file.path for file in new]


def import_from(source, folder):
    """Copy the missing files of FILES[source] out of a folder, found by name and known by hash.

    Returns the new paths; ValueError where a file is not there, with what was found instead.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    new = [file for file in FILES[source] if state(file, thorough=True) != "there"]
    for file in new:
        problems = [f"no {file.name} or {file.name}.gz below {folder}"]
        for path in candidates(folder, file):
            try:
                accept(path, file)
                break
            except ValueError as problem:
                problems.append(str(problem))
        else:
            raise ValueError("; ".join(problems[1:] or problems))
    return [file.path for file in new]


def _download(file, progress):
    problems = []
    for address in file.urls:
        url = address.format(file.name)
        with tempfile.TemporaryDirectory() as folder:
            try:
                accept(_retrieved(url, Path(folder) / file.name, progress), file)
                return
            except ValueError as problem:
                problems.append(str(problem))
    raise ValueError(
        f"{'; '.join(problems)}. Without a network, get {file.name} or {file.name}.gz elsewhere "
        f"and `mmvae-edu data import {file.folder} --from DIR`"
    )


def _retrieved(url, path, progress):
    """The path, where what the address sends now stands; ValueError if it sends nothing."""
    try:
        import pooch
        import requests
    except ImportError:
        raise ValueError("a download needs pooch: `pip install 'mmvae_edu[data]'`") from None
    bar = _Bar(path.name) if progress else None
    downloader = pooch.HTTPDownloader(progressbar=bar or False, timeout=30)
    try:
        downloader(url, str(path), None)
    except (requests.RequestException, OSError) as problem:
        raise ValueError(f"{url}: {_reason(problem)}") from None
    finally:
        if bar:
            bar.close()
    return path


def _reason(problem):
    """Why a request failed, in a few words; requests' own text is a page of nested objects."""
    response = getattr(problem, "response", None)
    if response is not None:
        return f"answers {response.status_code} {response.reason}"
    name = type(problem).__name__
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
