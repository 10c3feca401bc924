"""The .cu files as CuPy has them compiled, from sm_75 to sm_100, without a GPU.

Plain pytest compiles for sm_90 only; the others have the marker `static`.
"""

import re
import sys
from pathlib import Path

import pytest
from mmvae_edu.kernels import compiled
from mmvae_edu.kernels._cuda_source import expressions, source

from mmvae_edu import cli, kernels

SOURCES = sorted(Path(kernels.__file__).parent.glob("*.cu"))
SPILL = {"importance_weights_v2<double>", "importance_weights_v3<double>"}  # blocks of 1024 threads


def architectures():
    """Those for which NVRTC compiles, or the reason why it is not there."""
    try:
        found = compiled.architectures()
    except ValueError as problem:
        return [pytest.param(90, marks=pytest.mark.skip(reason=str(problem)))]
    return [arch if arch == 90 else pytest.param(arch, marks=pytest.mark.static) for arch in found]


ARCHITECTURES = architectures()
ONE = [arch for arch in ARCHITECTURES if arch == 90] or ARCHITECTURES  # or the reason


def faults(code, arch):
    """Sentences on a warning, double arithmetic where numbers are float, and local memory."""
    every, warnings = compiled.compile_file(code, arch)
    found = [warnings] if warnings else []
    for kernel in every:
        if "<float" in kernel.name and (double := re.search(r"\S+\.f64.*", kernel.ptx)):
            found.append(f"{kernel.name}: {double[0]}")
        local = ".local" in kernel.ptx or kernel.stack or kernel.spilled
        if local and kernel.name not in SPILL:
            found.append(f"{kernel.name}: {kernel.stack} bytes of stack, {kernel.spilled} spilled")
    return found


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_kernels_compile_without_warnings_doubles_and_local_memory(path, arch):
    assert faults(source(path.stem), arch) == []


@pytest.mark.parametrize("arch", ONE)
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("x[0] = x[1] * 0.1;", r"\.f64"),
        ("Real all[64]; for (int i = 0; i < 64; i++) all[int(x[i])] = x[i]; x[0] = all[int(x[1])];",
         "256 bytes of stack, 0 spilled"),
        ("int unused;", "never referenced"),
    ],
)  # fmt: skip
def test_a_fault_is_found(body, fault, arch):
    found, *_ = faults(f"template <typename Real>\n__global__ void f(Real *x) {{ {body} }}", arch)
    assert re.search(fault, found)


@pytest.mark.parametrize("arch", ONE)
def test_what_nvrtc_does_not_compile_is_shown(arch):
    with pytest.raises(ValueError, match=f"sm_{arch}: (.*\n)*.*undefined"):
        compiled.compile_file("template <typename Real>\n__global__ void f(Real *x) { g(); }", arch)


@pytest.mark.parametrize(
    ("arch", "registers", "shared", "threads", "warps"),
    [
        (90, 32, 0, 1024, 64),  # as many as there can be
        (90, 33, 0, 256, 48),  # 40 registers a thread: 12 warps in each quarter of 16,384
        (90, 128, 0, 32, 16),
        (90, 64, 16384, 1024, 32),
        (90, 32, 100 << 10, 256, 16),  # two blocks' shared memory
        (90, 32, (228 << 10) // 15 - 1024, 32, 14),  # 15 blocks' but for the unit of 128 bytes
        (75, 32, (64 << 10) // 11, 32, 10),  # 11 blocks' but for the unit of 256 bytes
        (75, 16, 0, 32, 16),  # 16 blocks
        (86, 40, 0, 1024, 32),  # 1536 threads: one block
    ],
)
def test_warps_at_once(arch, registers, shared, threads, warps):
    assert compiled.Compiled("", arch, "", registers, shared, 0, 0).warps(threads) == warps


@pytest.mark.parametrize("arch", ONE)
def test_the_command_prints_every_kernel(arch, capsys):
    assert cli.main(["kernels", "--static"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^adam_step<float, 4> +\d\d +0 +0 +256 +\d\d$", out, re.M)
    kernels = {name for path in SOURCES for name in expressions(source(path.stem))}
    assert kernels <= set(re.findall(r"^\w+<[^>]+>", out, re.M))


def test_the_command_says_which_architectures_it_knows_and_that_nvrtc_is_absent(
    capsys, monkeypatch
):
    assert cli.main(["kernels", "--static", "sm_70"]) == 64
    assert "--static: expected one of sm_75, sm_80" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert cli.main(["kernels", "--static"]) == 64
    assert re.search(r"needs NVRTC: pip install .*\)\n$", capsys.readouterr().err)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_file_opens_with_its_layout_thread_and_block(path):
    text = path.read_text(encoding="utf-8")
    titles = r"// .*\n(//.*\n)*// Layout .*\n(//.*\n)*// Thread .*\n(//.*\n)*// Block "
    assert re.match(titles, text)
