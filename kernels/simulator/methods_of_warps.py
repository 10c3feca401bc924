"""Methods that an exercise may demand of a kernel's warps: what their accesses may cost.

As in `methods`, each is a function of a Record that returns an OtherMethod, or None.  The limits
leave room for arrays that begin within a sector and for the last, partial warp of a row.
"""

from math import ceil, log2

from .costs import WORD
from .faults import BankConflict, Idle, NotShuffled, Uncoalesced, verb
from .methods import first_line, one_block_an_example, one_thread_an_element
from .warps import WARP


def by_neighbours(seen):
    """Demand that threads divide the elements, and that those of a warp take neighbours."""
    return _uncoalesced(seen) or one_thread_an_element(seen)


def by_tiles(seen):
    """Demand neighbours in the arrays, and no bank conflict in shared memory."""
    return by_neighbours(seen) or _bank_conflict(seen)


def by_whole_warps(seen):
    """Demand besides that a block adds up what its threads find in few warps and few steps."""
    return (
        one_block_an_example(seen)
        or _uncoalesced(seen)
        or _bank_conflict(seen)
        or _idle_lanes(seen)
        or _long_sum(seen)
    )


def by_shuffles(seen):
    """Demand besides that lanes add up by shuffles, and a warp leaves one number to the others."""
    return by_whole_warps(seen) or _not_shuffled(seen)


def _uncoalesced(seen):
    """Find a line that touches over two sectors an access more than would hold its elements."""
    for cost in seen.costs:
        held = (cost.used or 0) * cost.sectors
        if cost.sectors > held + 2 * cost.accesses:
            says = f"line {cost.line.number} {verb(cost)} {_mean(cost.sectors, cost)} sectors of "
            says += f"{cost.memory} a warp access, where {_mean(held, cost)} hold its bytes"
            return Uncoalesced(says, cost.line.number, cost.accesses)
    return None


def _bank_conflict(seen):
    """Find a line with more passes an access than a warp's elements have words for each bank."""
    shared = {a.memory.name: a.memory for a in _shared(seen, "read", "write", "atomic")}
    for cost in seen.costs:
        if cost.memory not in shared:
            continue
        fewest = max(1, shared[cost.memory].values.itemsize // WORD)
        if cost.passes > fewest * cost.accesses:
            says = f"line {cost.line.number} {verb(cost)} {cost.memory} in "
            says += f"{_mean(cost.passes, cost)} passes of shared memory a warp access, where "
            says += f"{fewest} would do"
            return BankConflict(says, cost.line.number, cost.passes)
    return None


def _idle_lanes(seen):
    """Find a read of shared memory by threads of more warps than they would fill."""
    together = {}
    for a in _shared(seen, "read"):
        together.setdefault((a.block, a.line, a.memory, a.turn), set()).add(seen.number(a.thread))
    for (_, line, _, _), threads in together.items():
        warps, fewest = len({t // WARP for t in threads}), ceil(len(threads) / WARP)
        if warps > fewest:
            says = (
                f"{len(threads)} threads in {warps} warps run line {line.number} together, where "
            )
            says += f"{fewest} would hold them"
            return Idle(says, line.number, WARP * warps - len(threads))
    return None


def _long_sum(seen):
    """Find a thread that reads more of shared memory than the two parts of each step of a tree."""
    reads, threads = {}, len(seen.block.indices())
    for a in _shared(seen, "read"):
        reads.setdefault((a.block, a.thread), []).append(a)
    for who, found in reads.items():
        if len(found) > (most := 2 * ceil(log2(threads)) + 2):
            says = (
                f"{seen.who(*who)} reads {len(found)} numbers of shared memory, where a tree over "
            )
            says += f"{threads} threads needs at most {most} in each"
            return Idle(says, found[-1].line.number, len(found))
    return None


def _not_shuffled(seen):
    """Find a block without shuffles, or one whose warps leave more than a number each."""
    warps = ceil(len(seen.block.indices()) / WARP)
    if not any(wait.kind.startswith("shfl") for wait in seen.waits):
        says = "no value goes from lane to lane by a shuffle"
        return NotShuffled(says, first_line(seen.accesses), WARP * warps)
    left = {}
    for a in _shared(seen, "write", "atomic"):
        left.setdefault(a.block, []).append(a)
    for block, writes in left.items():
        if len(writes) > warps + 1:  # one more, to begin with
            says = f"{seen.which(block)} writes {len(writes)} numbers to shared memory, where "
            says += f"{warps} hold a sum of each warp"
            return NotShuffled(says, writes[-1].line.number, len(writes))
    return None


def _shared(seen, *kinds):
    return [a for a in seen.accesses if a.memory.role == "shared" and a.kind in kinds]


def _mean(count, cost):
    return f"{count / cost.accesses:.2g}"
