"""Methods that an exercise may demand of a kernel: how its threads divide the work.

Each is a function of a Record that returns an OtherMethod, or None where the work is done like
that.  Loops over the grid, atomics, trees of any form: all that divides the work evenly is allowed.
Limits of what a warp's accesses may cost leave room for arrays that begin within a sector and for
the last, partial warp of a row.
"""

from collections import Counter
from math import ceil, log2

from .costs import WORD
from .faults import (
    BankConflict,
    Idle,
    NotShared,
    NotShuffled,
    Overwritten,
    Repeated,
    Uncoalesced,
    verb,
)
from .warps import WARP

SHUFFLES = 12  # in a warp and then among warps, 5 each; and two that hand the sum round


def one_thread_an_element(seen):
    """Demand that no thread writes more elements of an array than its share."""
    threads = len(seen.grid.indices()) * len(seen.block.indices())
    for memory, touched in _by_memory(seen.accesses, "write").items():
        share = _share(touched, threads)
        busy = [writer for writer, places in touched.items() if len(places) > share]
        if busy:
            says = f"{seen.who(*busy[0])} writes {len(touched[busy[0]])} elements of "
            says += f"{memory.name}, where its share is {share}"
            return Idle(says, first_line(seen.accesses), len(busy))
    return _overwritten(seen)


def one_block_an_example(seen):
    """Demand that a block's threads divide its samples and exchange results in shared memory."""
    for block in seen.grid.indices():
        accesses = [a for a in seen.accesses if a.block == block]
        if found := _in_a_block(seen, block, accesses):
            kind, says, threads = found
            return kind(says, first_line(accesses), threads)
    return _overwritten(seen)


def _overwritten(seen):
    """Find an argument that is written to although the kernel reads what stood there before."""
    given, writes = {}, {}
    for a in seen.accesses:
        if not isinstance(a.memory.role, int):
            continue
        places = writes.setdefault(a.memory, {})
        if a.kind != "write" and a.at not in places:
            given.setdefault(a.memory, a)
        if a.kind != "read":
            places.setdefault(a.at, a)
    for memory, read in given.items():
        for first in writes[memory].values():
            says = f"line {first.line.number} writes {memory.element(first.at)}, but line "
            says += f"{read.line.number} reads what {memory.name} held before the launch: an array "
            says += "is an input or an output, not both"
            return Overwritten(says, first.line.number, len(writes[memory]))
    return None


def _in_a_block(seen, block, accesses):
    """Return an OtherMethod's kind, sentence and number of threads in a block, or None."""
    threads, samples = len(seen.block.indices()), 0
    for memory, touched in _by_memory(accesses, "read").items():
        samples += (of_all := len(set.union(*touched.values())))
        most, share = max(map(len, touched.values())), _share(touched, threads)
        if most <= share + 1:  # one more, to begin with
            continue
        reads = sum(map(len, touched.values()))
        says = f"a thread of {seen.which(block)} reads {most} elements of {memory.name}, where its "
        says += f"share is {share}"
        if reads > of_all + threads:
            says += f": {len(touched)} threads read {reads} for {of_all}"
            return Repeated, says, len(touched)
        idle = threads - len(touched)
        return Idle, f"{says}: {idle} of {threads} threads are idle", idle
    if lone := _lone_reads(accesses, threads):
        (thread, reads), idle = lone, threads - 1
        says = f"{seen.who(block, thread)} alone reads {reads} elements, "
        says += f"while {idle} of {threads} threads are idle between two barriers"
        return Idle, says, idle
    exps = [call.thread for call in seen.exps if call.block == block]
    if len(exps) > 2 * (samples + threads):
        says = f"{seen.which(block)} computes exp {len(exps)} times for {samples} samples"
        return Repeated, says, len(set(exps))
    shuffles = any(wait.kind.startswith("shfl") for wait in seen.waits)
    if samples > 1 and not shuffles and not _is_shared(accesses):
        return NotShared, f"no value goes through shared memory in {seen.which(block)}", threads
    return None


def _by_memory(accesses, kind):
    """Map each argument, then each (block, thread), to the elements that it reads or writes."""
    found = {}
    for a in accesses:
        if a.kind in (kind, "atomic") and isinstance(a.memory.role, int):
            touched = found.setdefault(a.memory, {})
            touched.setdefault((a.block, a.thread), set()).add(a.at)
    return found


def _share(touched, threads):
    """Return the number of elements for each thread where they are divided evenly."""
    return -(-len(set.union(*touched.values())) // threads)


def _lone_reads(accesses, threads):
    """Find a thread, alone in an epoch, that reads more of an array than a block has threads.

    The last step may be one thread's, which goes through what each thread has found.
    """
    active, reads = {}, {}
    for a in accesses:
        active.setdefault(a.epoch, set()).add(a.thread)
        if a.kind != "write":
            reads.setdefault((a.epoch, a.thread, a.memory), set()).add(a.at)
    for (epoch, thread, _), places in reads.items():
        if len(active[epoch]) == 1 and len(places) > threads > 1:
            return thread, len(places)
    return None


def _is_shared(accesses):
    """Do two threads touch an element of shared memory?  One then reads what the other wrote."""
    users = {}
    for a in accesses:
        if a.memory.role == "shared":
            users.setdefault((a.memory, a.at), set()).add(a.thread)
    return any(len(threads) > 1 for threads in users.values())


def first_line(accesses):
    return accesses[0].line.number if accesses else None


# ---- warps ---------------------------------------------------------------------------------------


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
            says = f"{len(threads)} threads in {warps} warps run line {line.number} together, "
            says += f"where {fewest} would hold them"
            return Idle(says, line.number, WARP * warps - len(threads))
    return None


def _long_sum(seen):
    """Find a thread that takes more of what others left than a number in each step of a tree.

    Or a block whose threads put more sums back than a tree needs.
    """
    writers, taken, sums = {}, {}, {}
    threads = len(seen.block.indices())
    most = ceil(log2(threads)) + 2
    for a in _shared(seen, "read", "write", "atomic"):
        place, who = (a.block, a.memory, a.at), (a.block, a.thread)
        if a.kind == "read" and writers[place] != a.thread:
            taken.setdefault(who, []).append(a)
        elif a.kind != "read":
            writers[place] = a.thread
            if who in taken:
                sums.setdefault(a.block, []).append(a)
    if long := {who: reads for who, reads in taken.items() if len(reads) > most}:
        who, reads = next(iter(long.items()))
        says = f"{seen.who(*who)} reads {len(reads)} numbers that others left in shared "
        says += f"memory, where a tree over {threads} threads needs at most {most}"
        return Idle(says, reads[-1].line.number, sum(map(len, long.values())))
    for block, writes in sums.items():
        if len(writes) > threads:
            says = f"the threads of {seen.which(block)} put {len(writes)} sums into shared memory, "
            says += f"where a tree has {threads - 1}"
            return Repeated(says, writes[-1].line.number, len(writes))
    return None


def _not_shuffled(seen):
    """Find a block without shuffles, with too many, or a warp that leaves others several numbers.

    The warp that writes the result may use shared memory freely: for zeros, or for a tree.
    """
    shuffles = [wait for wait in seen.waits if wait.kind.startswith("shfl")]
    if not shuffles:
        says = "no value goes from lane to lane by a shuffle"
        threads = len(seen.block.indices())
        return NotShuffled(says, first_line(seen.accesses), WARP * ceil(threads / WARP))
    who, most = Counter((a.block, a.thread) for a in shuffles).most_common(1)[0]
    if most > SHUFFLES:
        says = f"{seen.who(*who)} takes part in {most} shuffles, where 5 add up what 32 lanes have"
        return NotShuffled(says, shuffles[-1].line.number, len(shuffles))
    left, last = {}, set()
    for a in seen.accesses:
        warp = a.block, seen.number(a.thread) // WARP
        if a.kind != "read" and a.memory.role == "shared":
            left.setdefault(warp, {})[a.memory, a.at] = a
        elif a.kind != "read":
            last.add(warp)
    for (block, warp), writes in left.items():
        if len(writes) > 1 and (block, warp) not in last:
            says = f"warp {warp} of {seen.which(block)} leaves {len(writes)} numbers in shared "
            says += "memory, where one holds its sum"
            return NotShuffled(says, [*writes.values()][-1].line.number, len(writes))
    return None


def _shared(seen, *kinds):
    return [a for a in seen.accesses if a.memory.role == "shared" and a.kind in kinds]


def _mean(count, cost):
    return f"{count / cost.accesses:.2g}"
