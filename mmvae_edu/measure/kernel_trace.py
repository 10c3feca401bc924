"""The lines of a kernel beside what they cost a GPU, counted without one."""

import textwrap

from ..kernels.launches import kernel_of, launched
from ..kernels.simulator.text import called, numbered
from ..report.page import Table

COLUMNS = {  # header → the text of a cost's cell
    "access": lambda cost: f"{cost.kind} {cost.memory or ''}".strip(),
    "times": lambda cost: f"{cost.accesses}",
    "lanes": lambda cost: f"{cost.lanes:.1f}",
    "sectors": lambda cost: f"{cost.sectors / cost.accesses:.1f}" if cost.sectors else "–",
    "used": lambda cost: f"{cost.used:.0%}" if cost.sectors else "–",
    "passes": lambda cost: f"{cost.passes / cost.accesses:.1f}" if cost.passes else "–",
}
LEGEND = (
    "\nTimes: how often warps of 32 threads run an access. The other columns are means of those: "
    "the lanes at work, the sectors of 32 bytes that they touch, the share of these bytes that is "
    "used, and the passes of shared memory, or of updates of one element.\n"
)


def print_trace(console, name):
    """Print the lines of a small launch; a ValueError for an unknown name."""
    seen, functions = trace(name)
    if not console.is_terminal:
        console.width = max(console.width, 100)
    for function, lines in functions.items():
        if any(costs for *_, costs in lines):
            _table(function, lines, console.width).show(console)
    console.print(LEGEND, highlight=False)
    console.print(_summary(seen), highlight=False)


def trace(name):
    """Record a small launch of a kernel; returns the Record, and its functions line by line.

    Each function by name is a list: (number of the line, text, list of Costs).
    """
    seen = launched(name)
    _, kernel = kernel_of(name)
    return seen, {function.__name__: _lines(function, seen) for function in called(kernel)}


def _lines(function, seen):
    text, first = numbered(function)
    costs = [c for c in seen.costs + seen.meetings if c.line.function == function.__name__]
    return [
        (number, line, [cost for cost in costs if cost.line.number == number])
        for number, line in enumerate(text.splitlines(), first)
    ]


def _table(function, lines, width):
    """Make a table with a row a line of text, which is broken to what the width leaves."""
    cells = [[list(map(cell, costs)) for cell in COLUMNS.values()] for *_, costs in lines]
    for i, header in enumerate(COLUMNS):
        width -= 2 + max(map(len, sum((row[i] for row in cells), [header])))
    rows = [
        [_broken(number, text, max(width - 2, 30)), *map("\n".join, row)]
        for (number, text, _), row in zip(lines, cells, strict=True)
    ]
    return Table(function, ["", *COLUMNS], rows)


def _broken(number, text, width):
    """Return a line's number and text, indented by half, what goes on by more."""
    code = text.lstrip()
    margin = " " * ((len(text) - len(code)) // 2)
    return textwrap.fill(
        code, width, initial_indent=f" {number}  {margin}", subsequent_indent=10 * " " + margin
    )


def _summary(seen):
    total, waits = seen.total(), sum(cost.accesses for cost in seen.meetings)
    blocks, threads = (" × ".join(map(str, side[:2])) for side in (seen.grid, seen.block))
    says = f"{blocks} blocks of {threads} threads: {total.accesses} warp accesses by "
    says += f"{total.lanes:.1f} of 32 lanes; {total.sectors} sectors, of whose bytes "
    says += f"{total.used or 0:.0%} are used; {total.passes} passes; {waits} waits of warps; "
    return says + ("; ".join(map(str, seen.faults)) or "no fault")
