"""Calls of a warp, in which lanes meet and exchange values: shuffles, votes and syncwarp.

A call waits for all lanes that its mask names; those beyond the end of the block are not waited
for.  A lane that has ended is missed, though a GPU would go on without it: what a shuffle takes
from it is undefined.  syncwarp orders the memory accesses of its lanes, a shuffle or a vote does
not.
"""

import math
from typing import NamedTuple

from .arrays import Access

WARP = 32
SOURCES = {  # (lane, which) → the lane whose value a shuffle gives; outside of the warp its own
    "shfl_sync": lambda lane, which: which,
    "shfl_up_sync": lambda lane, which: lane - which,
    "shfl_down_sync": lambda lane, which: lane + which,
    "shfl_xor_sync": lambda lane, which: lane ^ which,
}
VOTES = {  # lane → its predicate, for the lanes of the mask; what all of them get
    "all_sync": lambda votes: all(votes.values()),
    "any_sync": lambda votes: any(votes.values()),
    "ballot_sync": lambda votes: sum(1 << lane for lane, vote in votes.items() if vote),
}
CALLS = {  # name → its arguments
    "syncwarp": ("mask",),
    **dict.fromkeys(VOTES, ("mask", "predicate")),
    **dict.fromkeys(SOURCES, ("mask", "value", "lane")),
}


class Call(NamedTuple):
    """A lane's call: lanes meet in calls of one name and mask."""

    name: str
    mask: int
    value: object
    which: int
    event: Access

    def names(self, lane):
        return bool(self.mask >> lane & 1)

    def meets(self, other):
        return isinstance(other, Call) and self[:2] == other[:2]


def meet(warp, undefined):
    """Complete one call for which all of its lanes wait: (thread, result) of each; [] if none.

    warp: the threads of a warp.  A lane whose source takes no part gets NaN, and stands then in the
    list `undefined`: (its event, the source).
    """
    for call in (t.call for t in warp if isinstance(t.call, Call) and t.call.names(t.lane)):
        lanes = {t.lane: t for t in warp if call.names(t.lane)}
        if all(call.meets(t.call) for t in lanes.values()):
            if call.name == "syncwarp":
                _order(lanes)
            return [(t, _result(t, lanes, undefined)) for t in lanes.values()]
    return []


def _order(lanes):
    """Let what any of these lanes does from now on lie after what they all have done."""
    latest = map(max, zip(*(t.clock for t in lanes.values()), strict=True))
    clock = tuple(count + (lane in lanes) for lane, count in enumerate(latest))
    for thread in lanes.values():
        thread.clock = clock


def _result(thread, lanes, undefined):
    call = thread.call
    if call.name in VOTES:
        return VOTES[call.name]({lane: t.call.value for lane, t in lanes.items()})
    if call.name in SOURCES:
        source = SOURCES[call.name](thread.lane, call.which % WARP)  # as PTX: the last five bits
        source = source if 0 <= source < WARP else thread.lane
        if source in lanes:
            return lanes[source].call.value
        undefined.append((call.event, source))
        return math.nan
    return None
