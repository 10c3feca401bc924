"""Tables of measured numbers beside the slides': as text, Markdown, LaTeX and a figure."""

import json
import tomllib
from functools import partial
from pathlib import Path

import numpy as np

from ...report import plots
from ...report.page import Table
from ...slides.s08_table_2 import student_interval
from .experiments import experiments
from .store import without_sharing

SLIDES = Path(__file__).with_name("slides.toml")


def slides():
    """Read the slides' tables by equation id: columns, and rows by data set and system."""
    return tomllib.loads(SLIDES.read_text("utf-8"))


def parts(rows):
    """List the tables to which an experiment's numbers belong, in order: [""] if only one."""
    return list(dict.fromkeys(v.get("part", "") for row in rows for v in row["numbers"].values()))


def table(name, rows, part=""):
    """Make a report.Table of one part of an experiment's results: a row a system, ours (slides').

    A cell is the mean over the seeds; "±" is half of Student's 95% interval of that mean.  One seed
    has no such interval: its "±" is the standard error over examples, and the caption says so.
    """
    rows = _of_part(_in_order(name, rows), part)
    columns = list(dict.fromkeys(key for row in rows for key in row["numbers"]))
    known = {column: printed(name, column) for column in columns}
    slides_too = any(row["job"]["system"] in theirs for row in rows for theirs in known.values())
    units = {key: unit(value) for row in rows for key, value in row["numbers"].items()}
    several = len({*units.values()}) > 1
    header = [f"{column}, {units[column]}" if several else column for column in columns]
    body = []
    for label, found in _over_seeds(rows).items():
        theirs = [known[column].get(found[0]["job"]["system"]) for column in columns]
        body.append([label, *map(partial(_cell, found), columns, theirs)])
    what = ". ".join(filter(None, [experiments()[name]["title"], part]))
    beside = ". In parentheses the slides' numbers" if slides_too else ""
    return Table(f"{what}, {_units(rows)}. {_budget(rows)}{beside}", ["system", *header], body)


def _over_seeds(rows):
    """Group rows that differ in the seed alone: label → rows.

    The label is the system, the settings in which its groups differ if it has several, and the
    group's seeds if it lacks some.
    """
    groups, every = {}, {row["job"]["seed"] for row in rows}
    for row in rows:
        groups.setdefault(json.dumps(row["job"] | {"seed": None}), []).append(row)
    systems = [found[0]["job"]["system"] for found in groups.values()]
    settings = [_settings(found[0]["job"]) for found in groups.values()]
    found = {}
    for system, own, group in zip(systems, settings, groups.values(), strict=True):
        seeds = [str(row["job"]["seed"]) for row in group]
        fewer = f" ({'seeds' if len(seeds) > 1 else 'one seed,'} {', '.join(seeds)})"
        alike = [other for s, other in zip(systems, settings, strict=True) if s == system]
        differ = sorted(own - set.intersection(*alike))
        found[", ".join([system, *differ]) + fewer * (len(seeds) < len(every))] = group
    return found


def _settings(job):
    """Collect a job's settings except its seed, as a set of "name value"."""
    deep = {key: value for key, value in job.items() if isinstance(value, dict)}
    flat = {key: value for key, value in job.items() if key not in deep and key != "seed"}
    return {f"{key} {value}" for part in (flat, *deep.values()) for key, value in part.items()}


def printed(name, column):
    """Read the slides' numbers in a column: system → number, {} if they have no such column.

    Those of log p(x2) follow from two of their columns.
    """
    experiment = experiments()[name]
    theirs = slides().get(experiment["table"], {"columns": [], "rows": {}})
    rows = theirs["rows"].get(experiment["data"]["name"], {}).items()
    if column == "log p(x2)":
        return {system: row[1] - row[2] for system, row in rows if len(row) > 2 and row[1] < 0}
    if column not in theirs["columns"]:
        return {}
    at = theirs["columns"].index(column)
    return {system: row[at] for system, row in rows if at < len(row) and row[at] == row[at]}


def _in_order(name, rows):
    """Sort by the experiment's order of systems, those that it no longer has last, and by seed."""
    place = {system["name"]: i for i, system in enumerate(experiments()[name]["systems"])}

    def key(row):
        return place.get(row["job"]["system"], len(place)), row["job"]["seed"]

    return sorted(rows, key=key)


def _of_part(rows, part):
    """Keep the numbers of one part, and the rows that have some.

    A likelihood (the part "") is the same whether what is shared was measured too or not.
    """
    kept = {}
    for row in rows:
        if numbers := {k: v for k, v in row["numbers"].items() if v.get("part", "") == part}:
            job = row["job"] if part else without_sharing(row["job"])
            kept[json.dumps(job)] = row | {"job": job, "numbers": numbers}
    return list(kept.values())


def _units(rows):
    """Name the unit, the number of examples, and the least effective sample size."""
    values = [value for row in rows for value in row["numbers"].values()]
    units = " or ".join(dict.fromkeys(map(unit, values)))
    if not (ess := [value["ess"] for value in values if "ess" in value]):
        return units
    evaluation, n = rows[0]["job"]["evaluation"], values[0].get("n")
    K, split = evaluation.get("K"), evaluation.get("on", "test")
    many = f", {n} {split} examples" if n else ""
    return f"{units}{many}; at least {min(ess):.1f} effective samples of K = {K} (column medians)"


def unit(value):
    """Return a number's unit: nats, unless it has another."""
    return value.get("unit", "nats")


def _cell(found, column, theirs):
    values = [row["numbers"][column] for row in found if column in row["numbers"]]
    if not values:
        return "–"
    means = [value["mean"] for value in values]
    half = values[0]["error"] if len(means) == 1 else np.ptp(student_interval(means)) / 2
    beside = "" if theirs is None else f" ({_number(theirs)})"
    fewer = f", {len(means)} of {len(found)} seeds" * (len(means) < len(found))
    return f"{_number(np.mean(means))} ± {_number(half)}{fewer}{beside}"


def _number(value):
    return f"{value:.2f}".replace("-", "−")


def _budget(rows):
    seeds = sorted({row["job"]["seed"] for row in rows})
    epochs = sorted({row["job"]["training"]["epochs"] for row in rows})
    dates = sorted(row["date"] for row in rows)
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
    alone = [len(group) == 1 for group in _over_seeds(rows).values()]
    if all(alone):
        each = " each" * (len(seeds) > 1)
        many = f"one seed{each} ({', '.join(map(str, seeds))}), ± standard error over examples"
    else:
        many = f"{len(seeds)} seeds, ± half the 95% interval of their mean"
        many += ", of one seed the standard error over examples" * any(alone)
    return f"{many}, {' or '.join(map(str, epochs))} epochs, measured {when}"


def markdown(table):
    """Write the table in Markdown."""
    lines = [f"**{table.caption}**", "", _line(table.header), _line(["---"] * len(table.header))]
    return "\n".join([*lines, *map(_line, table.rows)]) + "\n"


def _line(cells):
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def latex(table):
    """Write the table as a LaTeX tabular (booktabs)."""
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
    """Draw a panel for each column; a seed is a dot, the slides' number a diamond.

    A bar is Student's 95% interval of the mean over the seeds; a single seed has none.  Where the
    slides print columns, the panels are theirs; the other numbers stand in the tables.
    """
    rows = _in_order(name, rows)
    plain = [row | {"job": without_sharing(row["job"])} for row in rows]
    systems = {row["id"]: label for label, group in _over_seeds(plain).items() for row in group}
    by_part = [_of_part(rows, part) for part in parts(rows)]
    columns = [list(dict.fromkeys(c for row in part for c in row["numbers"])) for part in by_part]
    theirs = slides().get(experiments()[name]["table"], {"columns": []})["columns"]
    if shared := [column for column in columns[0] if column in theirs and printed(name, column)]:
        by_part, columns = by_part[:1], [shared]
    wide, height = max(map(len, columns)), 0.35 * len({*systems.values()}) + 1.6
    size = (3.2 * wide + 1, height * len(by_part))
    picture, axes = plots.canvas(*size, len(by_part), wide, squeeze=False, sharey=True)
    for line, title, part, names in zip(axes, parts(rows), by_part, columns, strict=False):
        for axis, column in zip(line, names, strict=False):
            _panel(axis, column, part, systems, printed(name, column))
        for axis in line[len(names) :]:
            axis.set_visible(False)
        if title:  # stands above the first panel's title, which makes room for it
            line[0].set_title(f"\n\n{names[0]}")
            above = line[0].annotate(title, (0, 1), (0, 30), "axes fraction", "offset points")
            above.set(weight="bold", in_layout=False)
    axes[0][0].invert_yaxis()
    axes[0][0].legend(loc="lower left", frameon=False, fontsize=9)
    return picture


def _panel(axis, column, rows, systems, theirs):
    labels = list(dict.fromkeys(systems.values()))
    ours = [row for row in rows if column in row["numbers"]]
    lines = [labels.index(systems[row["id"]]) for row in ours]
    points = [(row["numbers"][column]["mean"], line) for row, line in zip(ours, lines, strict=True)]
    slides_own = (theirs.get(row["job"]["system"]) for row in ours)
    known = [(v, line) for v, line in zip(slides_own, lines, strict=True) if v is not None]
    for place in {*lines}:
        values = [value for value, line in points if line == place]
        if len(values) > 1:
            axis.plot(student_interval(values), [place, place], color=plots.COLOURS[0], alpha=0.4)
    axis.plot(*np.transpose(points), "o", color=plots.COLOURS[0], label="measured, a dot a seed")
    if known:
        style = {"color": plots.COLOURS[1], "fillstyle": "none", "label": "slides"}
        axis.plot(*np.transpose(known), "D", **style)
    axis.set(title=column, xlabel=unit(ours[0]["numbers"][column]))
    axis.set(yticks=range(len(labels)), yticklabels=labels)
    axis.locator_params(axis="x", nbins=4)
    axis.margins(y=0.12)
    axis.grid(axis="y", alpha=0.3)
