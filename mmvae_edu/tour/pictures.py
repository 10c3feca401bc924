"""The tour's second half: four systems on real digits, slide 13's tables, and the pictures."""

import numpy as np

from ..measure.tables.tables import slides
from ..report import plots
from ..report.page import Paragraph, Section, Table
from . import digits

BOTH = ("MMVAE", "MVAE")
COHERENCES = ("joint", "image → strokes", "strokes → image")


def systems_sections(console, out, seeds, fast):
    """Train and measure the systems, and draw the pictures; returns the report's sections."""
    steps = digits.FAST_STEPS if fast else digits.STEPS
    runs = []
    for seed in seeds:
        console.print(f"\nTraining on the embedded digits, seed {seed}, {steps} steps each")
        runs.append(digits.train(seed=seed, steps=steps))
    measured = [digits.measure(run) for run in runs]
    numbers = {name: float(np.median([m[name] for m in measured])) for name in measured[0]}
    tables = [latent_table(numbers), coherence_table(numbers), likelihood_table(numbers)]
    for table in tables:
        table.show(console)
    kind = (
        f"Medians of seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"Seed {seeds[0]}"
    )
    note = (
        f"{kind}; {steps} steps of 128 pairs; digits by writers unseen in training; one z drawn an "
        f"example; classifiers right on {percent(numbers['classifier image'])}% of test images and "
        f"{percent(numbers['classifier strokes'])}% of test strokes. The slides' columns are "
        "theirs, on MNIST and SVHN: compare the pattern, not the figures."
    )
    console.print(f"\n{note}", highlight=False, style="dim")
    return [
        Section("Slide 13's tables, in small", [*tables, Paragraph(note)]),
        Section("Pictures", draw(runs[0], numbers, out)),
    ]


def percent(fraction):
    return f"{100 * fraction:.1f}"


def printed(equation):
    """Read slide 13's table, image ↔ MNIST and strokes ↔ SVHN: system → strings."""
    rows = slides()[equation]["rows"]["mnist-svhn"]
    return {system: ["–" if v != v else str(v) for v in row] for system, row in rows.items()}


def latent_table(numbers):
    """Make Table 1: the accuracy of a linear classifier of z."""
    keys = {
        "MMVAE": ("MMVAE latent image", "MMVAE latent strokes"),
        "MVAE (single)": ("MVAE latent image", "MVAE latent strokes"),
        "MVAE (both)": ("MVAE latent both", "MVAE latent both"),
        "single-VAE": ("VAE latent image", "VAE latent strokes"),
    }
    theirs = printed("S13.T1")
    rows = [
        [label, *(percent(numbers[key]) for key in ours), *theirs[label]]
        for label, ours in keys.items()
    ]
    header = ["z from", "image", "strokes", "slide: MNIST", "slide: SVHN"]
    return Table("Table 1. Digit read from z by a linear classifier, accuracy %", header, rows)


def coherence_table(numbers):
    """Make Table 2: how often modalities generated from one z show one digit."""
    theirs = printed("S13.T2")
    rows = [
        [name, *(percent(numbers[f"{name} {c}"]) for c in COHERENCES), *theirs[name]]
        for name in BOTH
    ]
    header = ["model", "joint", "I → S", "S → I", "slide: joint", "M → S", "S → M"]
    return Table("Table 2. Generated digits that match, %", header, rows)


def likelihood_table(numbers):
    """Compare VAE and IWAE with the same networks and steps."""
    rows = [[name, f"{numbers[f'{name} log p(image)']:.2f}"] for name in ("VAE", "IWAE")]
    caption = (
        f"log p(image) of test images, nats, by 100 importance samples; IWAE was trained with "
        f"K = {digits.IWAE_SAMPLES}"
    )
    return Table(caption, ["model", "log p(image)"], rows)


def draw(run, numbers, out):
    """Draw all pictures of one training run into the folder `out`: a list of Pictures."""
    test, rng = run.digits.test, np.random.default_rng(run.seed)
    shown = [np.flatnonzero(test.label == digit)[run.seed] for digit in range(10)]
    x = {name: values[shown] for name, values in test.x.items()}
    drawn = {
        "image-to-strokes": cross_generation(run, x, "image", "strokes", numbers, rng),
        "strokes-to-image": cross_generation(run, x, "strokes", "image", numbers, rng),
        "reconstructions": reconstructions(run, x, rng),
        "prior-samples": prior_samples(run, numbers, rng),
        "latent-space": latent_space(run, numbers, rng),
        "training": training(run),
    }
    return [
        plots.save(figure, out / f"{name}.png", alt=title, caption=caption, numbers=rows)
        for name, (figure, title, caption, rows) in drawn.items()
    ]


# A picture is a figure, its title, its caption, and rows of the numbers drawn.


def cross_generation(run, x, source, target, numbers, rng):
    """Draw one modality generated from the other."""
    rows = [(f"given\n{source}", x[source])]
    for name in BOTH:
        given = {source: x[source]}
        rows.append((name, run.models[name].generate(given, target, rng=rng)[target]))
    m, v = (percent(numbers[f"{name} {source} → {target}"]) for name in BOTH)
    title = f"From {source} to {target}: MMVAE keeps the digit in {m}% of cases, MVAE in {v}%"
    caption = "One z ~ q(z|given) an example, decoded. Digits by writers unseen in training."
    return plots.digit_grid(rows, title), title, caption, labelled(rows)


def reconstructions(run, x, rng):
    """Draw the digits that a VAE of one modality makes of test digits."""
    rows = []
    for name in x:
        given = {name: x[name]}
        rows.append((f"test\n{name}", x[name]))
        rows.append(("VAE", run.models[f"VAE {name}"].generate(given, rng=rng)[name]))
    title = "Reconstructions by the single-modality VAEs"
    return plots.digit_grid(rows, title), title, "Decoded means.", labelled(rows)


def prior_samples(run, numbers, rng):
    """Draw both modalities of the same z ~ p(z)."""
    rows = []
    for name in BOTH:
        sample = run.models[name].sample(10, rng=rng)
        rows += [(f"{name}\n{modality}", sample[modality]) for modality in sample]
    joint = ", ".join(f"{name} {percent(numbers[f'{name} joint'])}%" for name in BOTH)
    title = f"Drawn from the prior, image and strokes of one z show one digit: {joint}"
    caption = "Each column of a pair of rows decodes one z ~ p(z); MMVAE above MVAE."
    return plots.digit_grid(rows, title), title, caption, labelled(rows)


def latent_space(run, numbers, rng):
    """Draw the latents of test digits given either modality."""
    test = run.digits.test
    few = rng.permutation(len(test.label))[:400]
    draws = {
        name: {
            source: run.models[name].posterior_sample({source: test.x[source][few]}, rng=rng)[0]
            for source in digits.MODALITIES
        }
        for name in BOTH
    }
    readings = ", ".join(f"{name} {percent(numbers[f'{name} shared'])}%" for name in BOTH)
    title = f"A linear classifier of z given strokes reads z given an image: {readings}"
    caption = "400 test digits, each drawn as its label; one plane a row."
    flat = [(f"{name}|{source}", z) for name, d in draws.items() for source, z in d.items()]
    return plots.latent_space(draws, test.label[few], title), title, caption, labelled(flat)


def training(run):
    """Draw each system's bound over the steps."""
    rising = sum(h[-1]["bound"] > h[0]["bound"] for h in run.histories.values())
    title = f"Training raised {rising} of {len(run.histories)} bounds"
    caption = (
        f"Means over {digits.INTERVAL} steps; the last one in each title. Not to be compared "
        f"with one another: IWAE's has K = {digits.IWAE_SAMPLES}, MVAE's is three ELBOs."
    )
    rows = [["system", "step", "bound"]]
    for name, history in run.histories.items():
        rows += [[name, h["step"], h["bound"]] for h in history]
    return plots.training_curves(run.histories, title), title, caption, rows


def labelled(rows):
    """Make rows for a CSV file: the label, then the values."""
    return [
        [label.replace("\n", " "), *np.round(values, 4).tolist()]
        for label, array in rows
        for values in array
    ]
