"""Tables of what was timed."""

import math

from ...report.page import Table


def contender_table(title, turns, times, form, compared):
    """Make a report.Table of contenders, name → Turns: ms, compared(name), peak memory."""
    cells = [
        [name, written(t.milliseconds, form), compared(name), written(t.peak, ".0f", none="-")]
        for name, t in turns.items()
    ]
    return Table(title, ["", *times, "peak MB"], cells)


def ratio(turns, contender):
    """Divide a contender's time by ours; turns: name → Turns."""
    return turns[contender].milliseconds / turns["ours"].milliseconds


def times_ours(turns, contender):
    """Write the ratio for a table."""
    return written(ratio(turns, contender), ".2f", "×")


def written(number, form, unit="", none="failed"):
    """Write a number with its unit; `none` for NaN."""
    return none if math.isnan(number) else f"{number:{form}}{unit}"
