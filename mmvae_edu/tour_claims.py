"""The tour's first half: every equation of the slides, checked by its claims."""

from . import plots
from .claims import CLAIMS, run
from .ledger import load_equations
from .report import CheckedEquation, Illustration, Paragraph, Section, Table
from .variance import encoder_gradient_noise


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
    Table("The equations", ["equation", "claims", "largest error", ""], rows).show(console)
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
        "A claim compares the library's function with an oracle that shares no code with it: "
        "finite sums, quadrature, linear-Gaussian models, 50-digit arithmetic, complex steps. Each "
        "claim is also known to fail for at least one planted mistake."
    )
    blocks = [Paragraph(f"{count}. {note}"), Illustration(picture)]
    blocks += [CheckedEquation(e, claims) for e, claims in checked.items() if claims]
    blocks += gradient_noise(console, out, seed)
    return Section("The equations, checked", blocks), len(failed)


def gradient_noise(console, out, seed):
    """S9.4's gradient for the encoder: its noise, plain and doubly reparameterised, over K."""
    measured = encoder_gradient_noise(seed=seed)
    rows = [
        [r.estimator, str(r.K), f"{r.variance:.2e}", f"{r.signal_to_noise:.2f}"] for r in measured
    ]
    title = "Encoder gradients of the IWAE bound: the same mean, less noise"
    table = Table(title, ["estimator", "K", "variance", "signal / noise"], rows)
    table.show(console)
    series = {
        name: zip(*[(r.K, r.signal_to_noise) for r in measured if r.estimator == name], strict=True)
        for name in dict.fromkeys(r.estimator for r in measured)
    }
    title = "Large K drowns the plain encoder gradient, not the other one"
    figure = plots.lines(
        {name: tuple(xy) for name, xy in series.items()},
        title,
        "K samples",
        "signal / noise of a gradient entry",
        log_x=True,
        log_y=True,
    )
    path = out / "gradient-noise.png"
    picture = plots.save(
        figure, path, alt=title, caption="A linear-Gaussian IWAE.", numbers=[table.header, *rows]
    )
    return [table, Illustration(picture)]
