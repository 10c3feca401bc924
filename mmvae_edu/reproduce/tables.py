"""What was measured beside what the slides print: as text, Markdown, LaTeX and a figure."""

import math
import tomllib
from pathlib import Path

import numpy as np

from .. import plots
from ..report import Table
from .experiments import experiments

SLIDES = Path(__file__).with_name("slides.toml")


def slides():
    """The slides' tables by equation id: columns, and rows by data set and system."""
    return tomllib.loads(SLIDES.read_text("utf-8"))


def table(name, rows):
    """The results of one experiment as a report.Table: a row a system, ours and the slides'.

    A cell is the mean over the seeds; "±" is the standard error over the test examples where there
    is one seed, else half the range of the seeds.
    """
    experiment = experiments()[name]
    printed = slides().get(experiment["table"], {"columns": [], "rows": {}})
    theirs = printed["rows"].get(experiment["data"]["name"], {})
    by_system = {}
    for row in rows:
        by_system.setdefault(row["job"]["system"], []).append(row)
    columns = list(dict.fromkeys(key for row in rows for key in row["numbers"]))
    known = [column for column in printed["columns"] if theirs]
    body = [
        [system, *(_cell(found, column) for column in columns)]
        + [_number(value) for value in _padded(theirs.get(system, []), len(known))]
        for system, found in by_system.items()
    ]
    header = ["system", *columns, *(f"slide: {column}" for column in known)]
    return Table(f"{experiment['title']}. {_budget(rows)}", header, body)


def _cell(found, column):
    values = [row["numbers"][column] for row in found if column in row["numbers"]]
    if not values:
        return "–"
    means = [value["mean"] for value in values]
    spread = np.ptp(means) / 2 if len(means) > 1 else values[0].get("error", math.nan)
    return f"{_number(np.mean(means))} ± {_number(spread)}"


def _number(value):
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def _padded(values, count):
    return [*values, *[math.nan] * (count - len(values))]


def _budget(rows):
    seeds = sorted({row["job"]["seed"] for row in rows})
    epochs = sorted({row["job"]["training"]["epochs"] for row in rows})
    dates = sorted({row["date"] for row in rows})
    many = f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
    return f"{many}, {' or '.join(map(str, epochs))} epochs, measured {dates[0]} to {dates[-1]}"


def markdown(table):
    """The table in Markdown."""
    lines = [f"**{table.caption}**", "", _line(table.header), _line(["---"] * len(table.header))]
    return "\n".join([*lines, *map(_line, table.rows)]) + "\n"


def _line(cells):
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def latex(table):
    """The table as a LaTeX tabular (booktabs)."""
    rows = [" & ".join(map(_escaped, cells)) + r" \\" for cells in (table.header, *table.rows)]
    columns = "l" + "r" * (len(table.header) - 1)
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", rows[0], r"\midrule", *rows[1:]]
    body += [r"\bottomrule", r"\end{tabular}"]
    return f"% {table.caption}\n" + "\n".join(body) + "\n"


def _escaped(text):
    for plain, command in {
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "|": r"$|$",
        "→": r"$\to$",
    }.items():
        text = text.replace(plain, command)
    return text


def figure(name, rows):
    """A panel a column, a line a system: each seed a dot, the slides' number a diamond."""
    theirs = slides().get(experiments()[name]["table"])
    columns = list(dict.fromkeys(key for row in rows for key in row["numbers"]))
    systems = list(dict.fromkeys(row["job"]["system"] for row in rows))
    printed = theirs["rows"].get(experiments()[name]["data"]["name"], {}) if theirs else {}
    picture, axes = plots.canvas(
        3.2 * len(columns) + 1,
        0.35 * len(systems) + 1.6,
        1,
        len(columns),
        squeeze=False,
        sharey=True,
    )
    for axis, column in zip(axes[0], columns, strict=True):
        ours = [
            (row["numbers"][column]["mean"], systems.index(row["job"]["system"]))
            for row in rows
            if column in row["numbers"]
        ]
        axis.plot(*np.array(ours).T, "o", color=plots.COLOURS[0], label="measured")
        if theirs and column in theirs["columns"]:
            at = theirs["columns"].index(column)
            known = [
                (v[at], systems.index(s))
                for s, v in printed.items()
                if at < len(v) and s in systems
            ]
            known = [(value, y) for value, y in known if not math.isnan(value)]
            if known:
                axis.plot(
                    *np.array(known).T,
                    "D",
                    color=plots.COLOURS[1],
                    fillstyle="none",
                    label="slides",
                )
        axis.set(title=column, xlabel="nats", yticks=range(len(systems)), yticklabels=systems)
        axis.margins(y=0.3)
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].invert_yaxis()
    axes[0][0].legend(frameon=False, fontsize=9)
    return picture
