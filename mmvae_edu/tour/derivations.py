"""The report's section on derivations: every line of the slides', and what it needs."""

from ..derivations import checked, course, text_of
from ..derivations.words import rows, summary
from ..report.page import Paragraph, Section, Table

ABOUT = (
    "Each line is compared with the one before in random models with a few states, where every "
    "sum is finite; an inequality is also attacked by a search uphill. Then one assumption after "
    "another is switched off: a line needs those without which it fails. This is a test, not a "
    "proof, except of the lines about Gaussians, which SymPy proves. What stands behind `by` in a "
    "file is shown, not checked."
)


def check_derivations(console):
    """Check the slides' derivations; print the count and return (section, whether all hold)."""
    blocks, held, total, untested = [Paragraph(ABOUT)], 0, 0, 0
    for name in course():
        found = rows(checked(name))
        tested = [row for row in found if "not tested" not in row["note"]]
        untested += len(found) - len(tested)
        held += sum(row["holds"] is True for row in tested)
        total += len(tested)
        blocks += derivation_blocks(name)
    console.print(
        f"{held} of {total} tested lines of {len(course())} derivations follow from the line "
        f"before; {untested} were not tested, and the report says why",
        highlight=False,
    )
    return Section("The derivations, line by line", blocks), held == total


def derivation_blocks(name):
    """Make the table of one of the slides' derivations, and the sentences that sum it up."""
    title = text_of(name).partition("\n")[0].lstrip("# ")
    cells = []
    for row in rows(checked(name)):
        if begins := row.get("begins"):
            cells.append([f"{begins['line']}", "", begins["text"], ""])
        verdict = {True: "✓", False: "✗", None: ""}[row["holds"]]
        step = f"{row['relation']} {row['text']}"
        notes = [*row["needs"], *filter(None, [row["note"]])]
        cells.append([f"{row['line']}", verdict, step, "; ".join(notes)])
    table = Table(f"{name}.derive: {title}", ["line", "", "", "needs"], cells)
    return [table, *map(Paragraph, summary(checked(name)))]
