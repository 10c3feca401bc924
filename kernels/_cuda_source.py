"""The .cu files as text: which file computes an op, and the names of its kernels."""

import re
from pathlib import Path

OPTIONS = ("-std=c++17",)  # of the compiler
BOUNDS = r"(?:__launch_bounds__\(.*\) )?"
KERNEL = rf"template <typename Real(?:, int (\w+))?>\s+__global__ void {BOUNDS}(\w+)\("


def source(op):
    """Read the .cu file with the longest name that the op's name begins with; "" without one.

    The text is in ASCII, comments too, since CuPy writes it in the system's encoding.
    """
    paths = [path for path in Path(__file__).parent.glob("*.cu") if op.startswith(path.stem)]
    if not paths:
        return ""
    text = max(paths, key=lambda path: len(path.stem)).read_text(encoding="utf-8")
    return text.encode("ascii", "replace").decode()


def templates(code):
    """Find the kernels in such a text: name → the template, f_v3<{real}, {lanes}>."""
    return {
        name: f"{name}<{{real}}, {{{number.lower()}}}>" if number else f"{name}<{{real}}>"
        for number, name in re.findall(KERNEL, code)
    }


def expressions(code):
    """List every kernel in such a text for every type and width of loads that cuda_c asks for."""
    asked = [("float", 1), ("float", 4), ("double", 1), ("double", 2)]
    each = [t.format(real=real, lanes=n) for t in templates(code).values() for real, n in asked]
    return list(dict.fromkeys(each))
