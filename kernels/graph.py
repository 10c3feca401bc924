"""A training step on a GPU, recorded as one CUDA graph.

Python takes longer to launch the hundred small kernels of a step than the GPU to run them.  A graph
launches them all at once.
"""

import threading
from contextlib import suppress
from textwrap import shorten

recording = threading.RLock()  # waiting for the whole GPU would spoil another thread's recording


class NotRecorded(RuntimeError):
    """Says why a function cannot be recorded."""


class Recorded:
    """A recorded call of function(); a call of this object repeats it on the same arrays.

    Write new numbers into the arrays that the function reads, then call.  From its second run on
    the function may neither copy from or to the host nor wait for the GPU: NotRecorded says where
    it does.  Every call overwrites `outputs`, which the function returned while it was recorded.
    """

    def __init__(self, function):
        import cupy

        self.function = function  # holds the arrays that the graph reads and writes
        self.pool = cupy.cuda.MemoryPool()  # the graph's own, so that its memory is not reused
        self.stream = cupy.cuda.Stream(non_blocking=True)  # cuBLAS has memory for it as long as it
        with recording:
            cupy.cuda.Device().synchronize()  # other streams may still be writing the arrays
            with self.stream, cupy.cuda.using_allocator(self.pool.malloc):
                function()  # compiles kernels, fills caches
                self.outputs, self.graph = self._record()
            self.stream.synchronize()

    def _record(self):
        try:
            self.stream.begin_capture()
            try:
                outputs = self.function()
            except BaseException:
                with suppress(Exception):  # it may have spoilt the recording, which this ends
                    self.stream.end_capture()
                raise
            return outputs, self.stream.end_capture()
        except Exception as problem:
            found = shorten(f"{type(problem).__name__}: {problem}", 120, placeholder=" …")
            raise NotRecorded(found) from problem

    def __call__(self):
        """Launch the graph on the current stream and return its outputs."""
        self.graph.launch()
        return self.outputs
