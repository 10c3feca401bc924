"""The figure of two Gaussian experts: drawn here as SVG, moved in the browser by experts.js."""

import numpy as np

from ..oracles import log_normal
from ..posteriors import product_of_experts, quotient_of_experts

LESSONS = {"11", "19"}  # of slides 7 and 11
MEANS, VARIANCES = (-1.0, 1.5), (0.4, 0.8)  # where the figure begins; the script reads them
WIDTH, HEIGHT, FOOT, REACH, HIGHEST = 480, 260, 24, 5, 1.35  # z in ±REACH, densities to HIGHEST
CURVES = {
    "prior": "prior", "expert1": "expert 1", "expert2": "expert 2",
    "product": "product with the prior (4)", "quotient": "quotient (3)", "mixture": "mixture",
}  # fmt: skip


def figure():
    """Return the figure as HTML; without JavaScript it stays as it is here."""
    z = np.linspace(-REACH, REACH, 201)
    mu, log_var = np.array(MEANS)[:, None, None], np.log(VARIANCES)[:, None, None]
    pairs = dict(expert1=(mu[0], log_var[0]), expert2=(mu[1], log_var[1]))
    pairs["product"] = product_of_experts(mu, log_var)[0]
    pairs["quotient"] = quotient_of_experts(mu, log_var)[0][:2]
    moments = {"prior": (0.0, 0.0)} | {n: (m.item(), v.item()) for n, (m, v) in pairs.items()}
    curves = {name: np.exp(log_normal(z, *pair)) for name, pair in moments.items()}
    curves["mixture"] = (curves["expert1"] + curves["expert2"]) / 2
    spread = (MEANS[0] - MEANS[1]) ** 2 / 4
    moments["mixture"] = sum(MEANS) / 2, np.log(sum(VARIANCES) / 2 + spread)
    paths = "".join(f'<path class="{name}" d="{_path(z, y)}"/>' for name, y in curves.items())
    ticks = "".join(
        f'<text x="{_x(int(t)):g}" y="{HEIGHT - 6}">{t.replace("-", "−")}</text>'
        for t in ("-4", "-2", "0", "2", "4")
    )
    live = ' role="status"'  # a screen reader says when the quotient becomes no density
    rows = "".join(
        f'<li class="{name}"><svg viewBox="0 0 40 8" aria-hidden="true"><path d="M0 4H40"/></svg> '
        f"{title}: <span{live if name == 'quotient' else ''}>{describe(*moments[name])}</span></li>"
        for name, title in CURVES.items()
    )
    base = HEIGHT - FOOT
    return (
        f'<figure class="experts" data-experts="{MEANS[0]} {VARIANCES[0]} {MEANS[1]} '
        f'{VARIANCES[1]}"><svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Densities of two Gaussian experts, the prior, and their product, quotient and '
        f'mixture; the numbers stand below"><path class="axis" d="M0 {base}H{WIDTH}"/>{ticks}'
        f'{paths}</svg><div class="controls"></div><ul>{rows}</ul>'
        "<figcaption>Two Gaussian experts of z. The product takes them as experts without the "
        "prior; the quotient takes them as posteriors, which hold it. The quotient is a density "
        "only if the sum of their precisions, 1/variance, exceeds the prior’s precision 1. The "
        "mixture weighs both by 1/2.</figcaption></figure>"
    )


def describe(mean, log_var):
    return f"mean {mean:.2f}, variance {np.exp(log_var):.2f}".replace("-", "−")


def _x(z):
    return WIDTH * (z + REACH) / (2 * REACH)


def _path(z, y):
    heights = (HEIGHT - FOOT) * (1 - y / HIGHEST)
    return "M" + "L".join(f"{_x(a):.1f} {b:.1f}" for a, b in zip(z, heights, strict=True))
