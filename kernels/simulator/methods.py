"""Methods that an exercise may demand of a kernel: how its threads divide the work.

Each is a function of a Record that returns an OtherMethod, or None where the work is done like
that.  Loops over the grid, atomics, trees of any form: all that divides the work evenly is allowed.
"""

from .faults import Idle, NotShared, Repeated


def one_thread_an_element(seen):
    """Demand that no thread writes more elements of an array than its share."""
    threads = len(seen.grid.indices()) * len(seen.block.indices())
    for memory, touched in _by_memory(seen.accesses, "write").items():
        share = _share(touched, threads)
        busy = [writer for writer, places in touched.items() if len(places) > share]
        if busy:
            says = (
                f"{seen.who(*busy[0])} writes {len(touched[busy[0]])} elements of {memory.name}, "
            )
            return Idle(f"{says}where its share is {share}", first_line(seen.accesses), len(busy))
    return None


def one_block_an_example(seen):
    """Demand that a block's threads divide its samples and exchange results in shared memory."""
    for block in seen.grid.indices():
        accesses = [a for a in seen.accesses if a.block == block]
        if found := _in_a_block(seen, block, accesses):
            kind, says, threads = found
            return kind(says, first_line(accesses), threads)
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
