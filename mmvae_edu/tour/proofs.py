"""The report's section on pullbacks that SymPy proves to be the derivatives of their functions."""

from ..claims.proofs import entries, label, single_ops
from ..oracles import symbolic
from ..report.page import Paragraph, Section, Table

TITLE = "Proved by SymPy"
ABOUT = (
    "The library's own code runs on symbols. SymPy differentiates the value, and the difference "
    "from what the pullback gives is 0 as an expression: for all numbers, cotangents included, for "
    "which the comparisons in the code come out as they do here. Every axis has length 2."
)


def check_pullbacks(console):
    """Prove the pullbacks; print the count and return (section, whether none is open)."""
    if not symbolic.available():
        return Section(TITLE, [Paragraph(f"not run: {symbolic.INSTALL}")]), True
    rows, proved, total = [], 0, 0
    for op in single_ops():
        found = entries(op)
        open_entries = [entry.name for entry in found if not entry.proved]
        proved, total = proved + len(found) - len(open_entries), total + len(found)
        rows.append([label(op), f"{len(found)}", ", ".join(open_entries) or "proved"])
    console.print(
        f"{proved} of {total} entries of {len(rows)} pullbacks are proved by SymPy", highlight=False
    )
    table = Table("Entries of the gradient", ["function", "entries", "result"], rows)
    return Section(TITLE, [Paragraph(ABOUT), table]), proved == total
