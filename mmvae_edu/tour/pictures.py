"""The tour's second half: four systems on real digits, slide 13's tables, and the pictures."""

import numpy as np

from ..report import plots
from ..report.page import Illustration, Paragraph, Section, Table
from . import digits as systems

SLIDE = {  # slide 13, Tables 1 and 2, in percent; image ↔ MNIST, strokes ↔ SVHN
    "MMVAE latent image": 91.3,
    "MMVAE latent strokes": 68.0,
    "MVAE latent image": 95.7,
    "MVAE latent strokes": 9.1,
    "MVAE latent both": (94.9, 90.1),
    "VAE latent image": 85.3,
    "VAE latent strokes": 20.7,
    "MMVAE joint": 42.1,
    "MMVAE image → strokes": 86.4,
    "MMVAE strokes → image": 69.1,
    "MVAE joint": 12.7,
}


def systems_sections(console, out, seeds, fast):
    """Train, measure, draw: the sections of the report."""
    steps = systems.FAST_STEPS if fast else systems.STEPS
    runs = []
    for seed in seeds:
        console.print(f"\nTraining on the embedded digits, seed {seed}, {steps} steps each")
        runs.append(systems.train(seed=seed, steps=steps))
    measured = [systems.measure(run) for run in runs]
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
    figures = [Illustration(picture) for picture in draw(runs[0], numbers, out)]
    return [
        Section("Slide 13's tables, in small", [*tables, Paragraph(note)]),
        Section("Pictures", figures),
    ]


def percent(fraction):
    return f"{100 * fraction:.1f}"


def latent_table(numbers):
    """Table 1: how much a linear classifier reads from z."""
    rows = []
    for label, name in ("MMVAE", "MMVAE"), ("MVAE (single)", "MVAE"), ("single-VAE", "VAE"):
        keys = f"{name} latent image", f"{name} latent strokes"
        rows.append([label, *(percent(numbers[k]) for k in keys), *(str(SLIDE[k]) for k in keys)])
    both = percent(numbers["MVAE latent both"])
    rows.insert(2, ["MVAE (both)", both, both, *map(str, SLIDE["MVAE latent both"])])
    header = ["z from", "image", "strokes", "slide: MNIST", "slide: SVHN"]
    return Table("Table 1. Digit read from z by a linear classifier, accuracy %", header, rows)


def coherence_table(numbers):
    """Table 2: whether what is generated together shows one digit."""
    columns = "joint", "image → strokes", "strokes → image"
    rows = [
        [name, *(percent(numbers[f"{name} {c}"]) for c in columns)]
        + [str(SLIDE.get(f"{name} {c}", "–")) for c in columns]
        for name in ("MMVAE", "MVAE")
    ]
    rows[1][-1] = "9.5"  # the slide's text lost a cell: 9.5 stands in one of the two cross columns
    header = ["model", "joint", "I → S", "S → I", "slide: joint", "M → S", "S → M"]
    return Table("Table 2. Generated digits that match, %", header, rows)


def likelihood_table(numbers):
    """VAE against IWAE with the same networks and steps."""
    rows = [[name, f"{numbers[f'{name} log p(image)']:.2f}"] for name in ("VAE", "IWAE")]
    caption = (
        f"log p(image) of test images, nats, by 100 importance samples; IWAE was trained with "
        f"K = {systems.IWAE_SAMPLES}"
    )
    return Table(caption, ["model", "log p(image)"], rows)


def draw(run, numbers, out):
    """All pictures of one training run, saved into `out`."""
    test, rng = run.digits.test, np.random.default_rng(run.seed)
    shown = np.array([np.flatnonzero(test.label == digit)[run.seed] for digit in range(10)])
    x = {name: values[shown] for name, values in test.x.items()}
    pictures = []

    def keep(figure, name, alt, caption, numbers):
        path = out / f"{name}.png"
        pictures.append(plots.save(figure, path, alt=alt, caption=caption, numbers=numbers))

    for source, target in ("image", "strokes"), ("strokes", "image"):
        key = f"{source} → {target}"
        rows = [(f"given\n{source}", x[source])]
        for name in "MMVAE", "MVAE":
            generated = run.models[name].generate({source: x[source]}, target, rng=rng)[target]
            rows.append((name, generated))
        m, v = (percent(numbers[f"{name} {key}"]) for name in ("MMVAE", "MVAE"))
        title = f"From {source} to {target}: MMVAE keeps the digit in {m}% of cases, MVAE in {v}%"
        caption = "One z ~ q(z|given) an example, decoded. Digits by writers unseen in training."
        keep(plots.digit_grid(rows, title), f"{source}-to-{target}", title, caption, table(rows))

    rows = []
    for name, model in (("VAE image", "image"), ("VAE strokes", "strokes")):
        given = {model: x[model]}
        rows.append((f"test\n{model}", x[model]))
        rows.append(("VAE", run.models[name].generate(given, rng=rng)[model]))
    title = "Reconstructions by the single-modality VAEs"
    keep(plots.digit_grid(rows, title), "reconstructions", title, "Decoded means.", table(rows))

    rows = []
    for name in "MMVAE", "MVAE":
        sample = run.models[name].sample(10, rng=rng)
        rows += [(f"{name}\n{modality}", sample[modality]) for modality in sample]
    joint = ", ".join(f"{name} {percent(numbers[f'{name} joint'])}%" for name in ("MMVAE", "MVAE"))
    title = f"Drawn from the prior, image and strokes of one z show one digit: {joint}"
    caption = "Each column of a pair of rows decodes one z ~ p(z); MMVAE above MVAE."
    keep(plots.digit_grid(rows, title), "prior-samples", title, caption, table(rows))

    few = rng.permutation(len(test.label))[:400]
    draws = {
        name: {
            source: run.models[name].posterior_sample({source: test.x[source][few]}, rng=rng)[0]
            for source in systems.MODALITIES
        }
        for name in ("MMVAE", "MVAE")
    }
    readings = ", ".join(
        f"{name} {percent(numbers[f'{name} shared'])}%" for name in ("MMVAE", "MVAE")
    )
    title = f"A linear classifier of z given strokes reads z given an image: {readings}"
    flat = [(f"{name}|{source}", z) for name, d in draws.items() for source, z in d.items()]
    caption = "400 test digits, each drawn as its label; one plane a row."
    figure = plots.latent_space(draws, test.label[few], title)
    keep(figure, "latent-space", title, caption, table(flat))
    rising = sum(h[-1]["bound"] > h[0]["bound"] for h in run.histories.values())
    title = f"Training raised {rising} of {len(run.histories)} bounds"
    curve = [["system", "step", "bound"]]
    for name, history in run.histories.items():
        curve += [[name, h["step"], h["bound"]] for h in history]
    caption = (
        f"Means over {systems.INTERVAL} steps; the last one in each title. Not to be compared "
    )
    caption += f"with one another: IWAE's has K = {systems.IWAE_SAMPLES}, MVAE's is three ELBOs."
    keep(plots.training_curves(run.histories, title), "training", title, caption, curve)
    return pictures


def table(rows):
    """The numbers behind a picture: label, then the values."""
    return [
        [label.replace("\n", " "), *np.round(values, 4).tolist()]
        for label, array in rows
        for values in array
    ]
