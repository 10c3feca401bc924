"""Costs of a launch, warp by warp: what each line of a kernel asks of the memory.

A warp is 32 consecutive threads of a block, x fastest.  A *warp access* is one instruction of those
of its lanes that run it together: the same access on a line, the same times round each loop.
"""

from collections import Counter
from typing import NamedTuple

from .arrays import Line
from .warps import WARP

SECTOR = 32  # bytes that global memory moves at least
BANKS, WORD = 32, 4  # shared memory serves a word of each bank at once


class Cost(NamedTuple):
    """The cost of a line's accesses of one kind to one memory, or a sum of such costs.

    accesses  the number of warp accesses
    lanes     the mean number of lanes active in them, of 32
    sectors   of arguments: the 32-byte sectors that they touch, in sum
    used      the share of the sectors' bytes that belong to elements touched; None without sectors
    passes    of shared memory: how many times its 32 banks of 4-byte words are asked, in sum.  An
              access takes as many passes as the fullest bank has distinct words; elements of 8
              bytes are served for 16 lanes at a time, of 16 bytes for 8.  Atomic updates of one
              address are counted one after the other, a pass each, in an argument's memory as well.

    A field in which the summed costs differ is None; arrays begin at a multiple of 256 bytes.
    """

    line: Line | None
    memory: str | None
    kind: str | None  # "read", "write", "atomic"; of a wait the name of the barrier or call
    accesses: int
    lanes: float
    sectors: int
    used: float | None
    passes: int


def costs(events, number):
    """List the costs of accesses by line, memory and kind; number: thread → int."""
    together, rows = {}, {}
    for event in events:
        warp, lane = divmod(number(event.thread), WARP)
        name = event.memory and event.memory.name  # local memory is another in each thread
        key = event.line, name, event.kind, event.block, warp, event.turn
        together.setdefault(key, {}).setdefault(lane, []).append(event)
    for (*row, _, _, _), lanes in together.items():
        for time in range(max(map(len, lanes.values()))):  # > 1 in a list comprehension
            active = {lane: seen[time] for lane, seen in lanes.items() if time < len(seen)}
            rows.setdefault(tuple(row), []).append(_cost(*row, active))
    return sorted(map(total, rows.values()), key=lambda cost: cost.line)


def _cost(line, name, kind, active):
    """Return the cost of one warp access; active: lane → its Access."""
    (memory, *_), sectors, used, passes = (e.memory for e in active.values()), 0, None, 0
    if memory:
        size = memory.values.itemsize
        at = {lane: memory.addresses[access.at] for lane, access in active.items()}
        if memory.role == "shared":
            passes = _passes(at, size, kind)
        elif memory.role != "local":
            sectors = len({address // SECTOR for address in at.values()})
            used = len(set(at.values())) * size / (sectors * SECTOR)
            passes = max(Counter(at.values()).values()) if kind == "atomic" else 0
    return Cost(line, name, kind, 1, len(active), sectors, used, passes)


def _passes(at, size, kind):
    """Count the passes of an access to shared memory; at: lane → the byte where its element is."""
    passes, group = 0, BANKS * WORD // max(size, WORD)  # lanes served at a time
    for first in range(0, WARP, group):
        words = [
            (address // WORD + i, lane if kind == "atomic" else None)
            for lane, address in at.items()
            if first <= lane < first + group
            for i in range(max(size // WORD, 1))
        ]
        passes += max(Counter(word % BANKS for word, _ in set(words)).values(), default=0)
    return passes


def total(costs):
    """Add costs up."""
    rows = list(costs)
    differing = [{row[i] for row in rows} for i in range(3)]
    same = [values.pop() if len(values) == 1 else None for values in differing]
    accesses, sectors = (sum(getattr(row, f) for row in rows) for f in ("accesses", "sectors"))
    lanes = sum(row.accesses * row.lanes for row in rows) / max(accesses, 1)
    used = sum(row.sectors * row.used for row in rows if row.sectors)
    used = used / sectors if sectors else None
    return Cost(*same, accesses, lanes, sectors, used, sum(row.passes for row in rows))
