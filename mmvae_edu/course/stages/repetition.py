"""Stage: results that depend on earlier calls; no claim can be quoted about those."""

from ..comparisons import MATCH, call, distance, pull_back
from ..trees import copied

CALLS, PULLS = 10, 3


def unrepeatable(f):
    """Say which result of f, a Recorded, differs when it is asked for again; None if none does."""
    exercise, earlier = f.exercise, None
    for sample in sorted(f.samples, key=_seems_right)[:CALLS]:
        result, again = call(exercise, f.f, sample.args, sample.constants)
        if distance(again, sample.found) > MATCH:
            return "it gives another output when called twice with the same input"
        for pull in sample.pulls[:PULLS]:
            _, first = copied(pull_back(exercise, pull.args, result, pull.cotangents))
            _, second = pull_back(exercise, pull.args, result, pull.cotangents)
            if distance(second, first) > MATCH:
                right = distance(first, pull.expected) <= MATCH
                when = "right on the first call only" if right else "another on the second call"
                return f"the pullback's result is {when}: it changes what the value has saved"
            if earlier:
                _, late = pull_back(exercise, *earlier[:3])
                if distance(late, earlier[3]) > MATCH:
                    return "a pullback changes with the next call of the function: it keeps nothing"
            earlier = pull.args, result, pull.cotangents, second
    return None


def _seems_right(sample):
    return sample.error <= MATCH and all(pull.error <= MATCH for pull in sample.pulls)
