"""A training step on a GPU as one CUDA graph.

A step is a hundred small kernels, which Python takes longer to launch than the GPU to run.
Recorded once, they are launched as one.
"""

import threading

_of_this_thread = threading.local()  # its stream to record on: cuBLAS keeps memory for each stream
_recording = threading.Lock()  # to wait for the whole GPU spoils what another thread records


class Recorded:
    """function(), whose arrays stay where they are: write new numbers into them, and call this.

    The function may not copy from or to the host, nor wait for the GPU, once it has run before.
    What it returned stays in `outputs`, and every call writes it anew.
    """

    def __init__(self, function):
        import cupy

        self.function = function  # holds the arrays that the graph reads and writes
        self.pool = cupy.cuda.MemoryPool()  # the graph's own: nobody else is given its memory
        if not hasattr(_of_this_thread, "stream"):
            _of_this_thread.stream = cupy.cuda.Stream(non_blocking=True)
        stream = _of_this_thread.stream
        with _recording:
            cupy.cuda.Device().synchronize()  # what made the arrays, on other streams
            with stream, cupy.cuda.using_allocator(self.pool.malloc):
                function()  # compiles kernels, fills caches
                stream.begin_capture()
                try:
                    self.outputs = function()
                finally:
                    self.graph = stream.end_capture()
            stream.synchronize()

    def __call__(self):
        """Launch the graph on the current stream; its outputs."""
        self.graph.launch()
        return self.outputs
