"""The .cu files as CuPy has them compiled, without a GPU: PTX, registers, spills, occupancy."""

import re
from dataclasses import dataclass

import numpy as np

from ._cuda_source import OPTIONS, expressions, source
from ._gpu import PANEL, Device
from .table import TABLE

AS_CUPY = (*OPTIONS, "-ftz=true", "--device-as-default-execution-space")
CHIPS = {  # architecture → threads, blocks and bytes of shared memory that a multiprocessor holds
    75: (1024, 16, 64 << 10),
    80: (2048, 32, 164 << 10),
    86: (1536, 16, 100 << 10),
    87: (1536, 16, 164 << 10),
    89: (1536, 24, 100 << 10),
    90: (2048, 32, 228 << 10),
    100: (2048, 32, 228 << 10),
}


@dataclass(frozen=True)
class Compiled:
    """A kernel for one architecture; memory in bytes: shared of a block, the others of a thread."""

    name: str  # "product_of_experts_v3<float, 4>"
    arch: int
    ptx: str
    registers: int
    shared: int
    stack: int
    spilled: int

    def warps(self, threads):
        """Count the warps that a multiprocessor holds at once in blocks of so many threads."""
        most, blocks, memory = CHIPS[self.arch]
        unit = 128 if self.arch >= 80 else 256  # bytes that are allotted at once
        shared = -(-self.shared // unit) * unit + 1024 * (self.arch >= 80)  # the system's
        by_registers = 4 * (16_384 // (32 * -(-self.registers // 8) * 8))  # in each of 4 quarters
        each = -(-threads // 32)
        by_shared = memory // shared if shared else blocks
        return each * min(blocks, most // threads, by_registers // each, by_shared)


def nvrtc():
    """Return the bindings of NVRTC; a ValueError says how to install them."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()  # finds the library
    except Exception as problem:  # a wheel is absent; the library's loader has its own exceptions
        reason = str(problem).strip().partition("\n")[0]
        raise ValueError(
            f"compiling without a GPU needs NVRTC: pip install 'mmvae_edu[test]' ({reason})"
        ) from None
    return nvrtc


def architectures():
    """List those between sm_75 and sm_100 for which NVRTC compiles."""
    library = nvrtc()
    _, count = library.nvrtcGetNumSupportedArchs()
    _, found = library.nvrtcGetSupportedArchs()
    return [arch for arch in found[:count] if 75 <= arch <= 100]


def compile_file(code, arch):
    """Compile every kernel of a .cu file's text; a list of Compiled, and what else the log says."""
    library, names = nvrtc(), expressions(code)
    _, program = library.nvrtcCreateProgram(code.encode(), b"kernels.cu", 0, [], [])
    for name in names:
        library.nvrtcAddNameExpression(program, name.encode())
    options = [*AS_CUPY, f"-arch=sm_{arch}", "--ptxas-options=-v"]
    (error,) = library.nvrtcCompileProgram(program, len(options), [o.encode() for o in options])
    log = _text(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program)
    if error:
        raise ValueError(f"sm_{arch}: NVRTC cannot compile this\n{log}")
    ptx = _text(library.nvrtcGetPTXSize, library.nvrtcGetPTX, program)
    lowered = [library.nvrtcGetLoweredName(program, name.encode())[1].decode() for name in names]
    library.nvrtcDestroyProgram(program)
    said = {part.partition("'")[0]: part for part in log.split("entry function '")[1:]}
    bodies = {part.partition("(")[0]: part for part in ptx.split(".entry ")[1:]}
    compiled = []
    for name, low in zip(names, lowered, strict=True):
        sizes = (r"Used (\d+)", r"(\d+) bytes smem", r"(\d+) bytes stack", r"(\d+) bytes spill st")
        found = [int((re.findall(size, said[low]) or [0])[0]) for size in sizes]
        compiled.append(Compiled(name, arch, bodies[low], *found))
    return compiled, re.sub(r"ptxas (info|  ).*\n?", "", log).strip()


def _text(size, get, program):
    """Read a text of NVRTC's, which writes into bytes; Python shares bytes of length 1."""
    _, length = size(program)
    text = b" " * (length + 1)
    get(program, text)
    return text.rstrip(b"\0 ").decode()


def blocks(arch):
    """Compile all kernels; yields each, and the threads of its block at the benchmark's sizes."""
    device = Device("cuda_c", np, {}, None, None, panel=PANEL)
    for code in sorted({source(op) for op in TABLE} - {""}):
        for kernel in compile_file(code, arch)[0]:
            pattern = r"((\w+?)(?:_v\d+)?)<(\w+)(?:, (\d))?>"
            version, op, real, lanes = re.fullmatch(pattern, kernel.name).groups()
            row, itemsize = TABLE[op], 4 if real == "float" else 8
            sizes = (row.sizes.values(), int(lanes or 1), itemsize)
            _, (width, height) = device.layout(row, version, *sizes)
            yield kernel, width * height
