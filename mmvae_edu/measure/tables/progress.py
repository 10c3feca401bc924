"""Progress bars of running jobs, read from their checkpoints wherever they run."""

import time
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ...support import archives
from .store import checkpoint


@contextmanager
def bars(jobs, work, seconds=2):
    """Show the epochs of each job that writes a checkpoint, on a terminal, in this context.

    Other output stands above the bars.  Yields a function that removes a job's bar.
    """
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, TextColumn("{task.fields[state]}"), transient=True) as progress:
        if not progress.console.is_terminal:
            yield lambda job: None
            return
        waiting = {checkpoint(work, job): job for job in jobs}
        since, seen, shown, ended, turn = time.time(), {}, {}, Event(), Lock()

        def remove(job):
            path = checkpoint(work, job)
            with turn:
                waiting.pop(path, None)
                if path in shown:
                    progress.remove_task(shown.pop(path))

        def follow():
            while not ended.wait(seconds):
                with turn:
                    for path, job in waiting.items():
                        with suppress(OSError, ValueError):  # of which the job itself speaks
                            if seen.get(path) != (now := path.stat().st_mtime) >= since:
                                show(path, job)
                                seen[path] = now

        def show(path, job):
            epochs = job["training"]["epochs"]
            if path not in shown:
                what = f"{job['experiment']}, {job['system']}, seed {job['seed']}"
                shown[path] = progress.add_task(what, total=epochs, state="")
            epoch, bound = epoch_and_bound(path)
            state = f"epochs, bound {bound:.2f} nats" if epoch < epochs else "trained, measuring"
            progress.update(shown[path], completed=epoch, state=state)

        thread = Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield remove
        finally:
            ended.set()
            thread.join()


def epoch_and_bound(path):
    """Read a checkpoint's epoch, and the last mean bound in nats."""
    header, _ = archives.read_arrays(path, "checkpoint")
    history = header["history"]
    bound = history[-1]["bound"] if history else float("nan")
    return header["step"] // header["identity"]["interval"], bound
