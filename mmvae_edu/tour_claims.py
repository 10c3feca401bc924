"""The tour's first half: every equation of the slides, checked by its claims."""

from . import plots
from .claims import CLAIMS, run
from .ledger import load_equations
from .models import IWAE, MMVAE
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
    """S9.4's and S11.4's gradient for the encoders: its noise under both estimators, over K."""
    measured = [
        row for system in (IWAE, MMVAE) for row in encoder_gradient_noise(system, seed=seed)
    ]
    rows = [
        [r.system, r.estimator, str(r.K), f"{r.variance:.2e}", f"{r.signal_to_noise:.2f}"]
        for r in measured
    ]
    caption = "Encoder gradients near the exact posterior: two estimators of one mean"
    table = Table(caption, ["system", "estimator", "K", "variance", "signal / noise"], rows)
    table.show(console)
    pairs = zip(measured[::2], measured[1::2], strict=True)
    ahead = sum(doubly.signal_to_noise > plain.signal_to_noise for plain, doubly in pairs)
    title = (
        f"Doubly reparameterised gradients carry more signal in {ahead} of {len(rows) // 2} cases"
    )
    series = {}
    for r in measured:
        series.setdefault(f"{r.system}, {r.estimator}", []).append((r.K, r.signal_to_noise))
    figure = plots.lines(
        {name: tuple(zip(*points, strict=True)) for name, points in series.items()},
        title,
        "K samples",
        "signal / noise of a gradient entry",
        log_x=True,
        log_y=True,
    )
    caption = "Linear-Gaussian IWAE and MMVAE; mean over the encoders' parameters of |mean| / std."
    path, numbers = out / "gradient-noise.png", [table.header, *rows]
    picture = plots.save(figure, path, alt=title, caption=caption, numbers=numbers)
    return [table, Illustration(picture)]
