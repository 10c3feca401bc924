"""A training step on a GPU, recorded as one CUDA graph.

Python takes longer to launch the hundred small kernels of a step than the GPU to run them.  A graph
launches them all at once.
"""

import threading

_of_this_thread = threading.local()  # its stream to record on: cuBLAS keeps memory for each stream
_recording = threading.Lock()  # waiting for the whole GPU would spoil another thread's recording


class Recorded:
    """A recorded call of function(); a call of this object repeats it on the same arrays.

    Write new numbers into the arrays that the function reads, then call.  From its second run on
    the function may neither copy from or to the host nor wait for the GPU.  Every call overwrites
    `outputs`, which the function returned while it was recorded.
    """

    def __init__(self, function):
        import cupy

        self.function = function  # holds the arrays that the graph reads and writes
        self.pool = cupy.cuda.MemoryPool()  # the graph's own, so that its memory is not reused
        if not hasattr(_of_this_thread, "stream"):
            _of_this_thread.stream = cupy.cuda.Stream(non_blocking=True)
        stream = _of_this_thread.stream
        with _recording:
            cupy.cuda.Device().synchronize()  # other streams may still be writing the arrays
            with stream, cupy.cuda.using_allocator(self.pool.malloc):
                function()  # compiles kernels, fills caches
                stream.begin_capture()
                try:
                    self.outputs = function()
                finally:
                    self.graph = stream.end_capture()
            stream.synchronize()

    def __call__(self):
        """Launch the graph on the current stream and return its outputs."""
        self.graph.launch()
        return self.outputs
