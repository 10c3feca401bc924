"""The tour's first half: every equation of the slides, checked by its claims."""

from . import plots
from .claims import CLAIMS, run
from .ledger import load_equations
from .report import CheckedEquation, Illustration, Paragraph, Section, Table


def claims_section(console, out, seed):
    """Check all claims; returns the section of the report and how many claims fail."""
    results = []
    for claim in CLAIMS.values():
        results.append(run(claim, seed=seed))
    checked = {
        equation: [r for r in results if equation.id in r.claim.equations]
        for equation in load_equations()
    }
    rows = []
    for equation, claims in checked.items():
        if claims:
            worst = max(claims, key=lambda r: r.error / r.claim.tol.limit)
            state = "holds" if all(r.passed for r in claims) else "FAILS"
            name = f"{equation.id} {equation.title}"
            rows.append([name, str(len(claims)), worst.numbers, state])
    Table("The equations", ["equation", "claims", "largest error, and the limit", ""], rows).show(
        console
    )
    failed = [r for r in results if not r.passed]
    for result in failed:
        console.print(f"FAILS {result.claim.name}: {result.claim.statement} {result.note}")
    count = (
        f"{len(results) - len(failed)} of {len(results)} claims about {len(rows)} equations hold"
    )
    console.print(f"\n{count}", highlight=False)
    numbers = [["claim", "equations", "error", "limit"]]
    numbers += [
        [r.claim.name, " ".join(r.claim.equations), r.error, r.claim.tol.limit] for r in results
    ]
    picture = plots.save(
        plots.claims_overview(results, [e.id for e, c in checked.items() if c], count),
        out / "claims.png",
        alt=f"{count}: the error of each against its tolerance",
        caption="Each dot is a claim: its achieved error as a fraction of the error allowed.",
        numbers=numbers,
    )
    note = (
        "A claim compares the library's function with an oracle that shares no code with it: finite "
        "sums, quadrature, linear-Gaussian models, 50-digit arithmetic, complex steps. Each claim "
        "is also known to fail for at least one planted mistake."
    )
    blocks = [Paragraph(f"{count}. {note}"), Illustration(picture)]
    blocks += [CheckedEquation(e, claims) for e, claims in checked.items() if claims]
    return Section("The equations, checked", blocks), len(failed)
