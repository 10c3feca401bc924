"""The report's first half: every equation of the slides, checked by its claims."""

from ..claims import CLAIMS, run, s00_first_check
from ..claims.registry import LEGEND, T0, T1, T2, T2C, T3, T4
from ..report import plots
from ..report.page import CheckedEquation, Paragraph, Section, Table
from ..slides.equations import Equation, load_equations, load_items

BEYOND = Equation("beyond", 0, "", "", "the slides", "")
ABOUT = (
    "A claim compares the library's function with an oracle that shares no code with it; a claim "
    "about a gradient compares it with complex steps through the function itself, whose value "
    "other claims check. Each claim is also known to fail for at least one planted mistake. "
    f"{LEGEND} In brackets the kind of a claim's tolerance: "
)
ABOUT += "; ".join(f"{t.name} {t.meaning}, {t.limit:g}" for t in (T0, T1, T2, T2C, T3, T4)) + "."


def check_equations(seed):
    """Check every claim: {Equation: [Result, ...]} in the order of the slides, then BEYOND's."""
    warm_up = s00_first_check.two_plus_two
    results = [run(claim, seed=seed) for claim in CLAIMS.values() if claim.of is not warm_up]
    checked = {
        equation: [result for result in results if equation.id in result.claim.equations]
        for equation in load_equations()
    }
    more = [result for result in results if not result.claim.equations]
    return checked | ({BEYOND: more} if more else {})


def distinct(checked):
    """List each result once: a claim may be about several equations."""
    return list({r.claim.name: r for results in checked.values() for r in results}.values())


def count(checked):
    """Say how many claims hold."""
    results = distinct(checked)
    held = sum(r.passed for r in results)
    about = sum(bool(found) for equation, found in checked.items() if equation is not BEYOND)
    return f"{held} of {len(results)} claims about {about} equations hold"


def show(console, checked):
    """Print the equations, the claims that fail, and the count."""
    rows = []
    for equation, results in checked.items():
        if results:
            worst = max(results, key=lambda r: r.error / r.claim.tol.limit)
            state = "holds" if all(r.passed for r in results) else "FAILS"
            name = f"{equation.id} {equation.title}"
            rows.append([name, str(len(results)), worst.numbers, state])
    Table("The equations", ["equation", "claims", "largest error", ""], rows).show(console)
    console.print()
    show_count(console, checked)


def show_count(console, checked):
    """Print the claims that fail, and how many hold."""
    for result in distinct(checked):
        if not result.passed:
            words = f"FAILS {result.claim.name}: {result.claim.statement} {result.note}"
            console.print(words, markup=False, highlight=False)
    console.print(count(checked), highlight=False)


def claims_section(checked, out):
    """Make the section of the report; its figure and numbers are saved into `out`."""
    results, words = distinct(checked), count(checked)
    numbers = [["claim", "equations", "error", "limit"]]
    numbers += [
        [r.claim.name, " ".join(r.claim.equations), r.error, r.claim.tol.limit] for r in results
    ]
    picture = plots.save(
        plots.claims_overview(results, [e.id for e, found in checked.items() if found], words),
        out / "claims.png",
        alt=f"{words}: the error of each against its tolerance",
        caption="Each dot is a claim: its achieved error as a fraction of the error allowed.",
        numbers=numbers,
    )
    equations = [CheckedEquation(equation, found) for equation, found in checked.items()]
    items = [[item.id, item.title, item.how, item.lesson] for item in load_items()]
    others = Table("What else stands on the slides", ["id", "item", "it is", "in"], items)
    blocks = [Paragraph(f"{words}. {ABOUT}"), picture, *equations, others]
    return Section("The equations, checked", blocks)
