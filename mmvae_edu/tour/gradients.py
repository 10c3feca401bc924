"""The tour's section on gradients: the noise of two estimators as K grows (S9.4, S11.4)."""

from ..models import IWAE, MMVAE
from ..report import plots
from ..report.page import Section, Table
from .gradient_noise import encoder_gradient_noise


def gradients_section(console, out, seed):
    """Measure and draw the noise of the encoders' gradient under both estimators, over K."""
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
    return Section("Two estimators of a gradient", [table, picture])
