"""The experiments as jobs: one system, one seed, everything that it depends on written out."""

import tomllib
from pathlib import Path

FILE = Path(__file__).with_name("experiments.toml")


def experiments():
    """name → experiment, those that extend another one completed."""
    found = tomllib.loads(FILE.read_text("utf-8"))
    return {name: found.get(row.get("extends"), {}) | row for name, row in found.items()}


def members(name):
    """The experiments that a name stands for: "table2" for those of slide 8, "all", or itself.

    A `long` one is meant by its own name only.
    """
    known = {one: row for one, row in experiments().items() if not row.get("long")}
    if name == "table2":
        return [one for one, experiment in known.items() if experiment["table"] == "S8.T2"]
    return list(known) if name == "all" else [name]


def jobs(name, *, seeds=None, systems=None, epochs=None):
    """The jobs of an experiment in order: every system at one seed before the next seed.

    Raises ValueError for a name that is not there.
    """
    known = experiments()
    if name not in known:
        raise ValueError(f"no experiment {name!r}; there are {', '.join(known)}")
    experiment = known[name]
    names = [row["name"] for row in experiment["systems"]]
    if unknown := set(systems or ()) - set(names):
        raise ValueError(f"{name} has no system {sorted(unknown)[0]!r}; it has {', '.join(names)}")
    return [
        _job(name, experiment, row, seed, epochs)
        for seed in (experiment["seeds"] if seeds is None else seeds)
        for row in experiment["systems"]
        if systems is None or row["name"] in systems
    ]


def _job(name, experiment, row, seed, epochs):
    training = {"samples": 1, "anneal_epochs": 0} | experiment["training"] | row.get("training", {})
    return {
        "experiment": name,
        "system": row["name"],
        "class": row.get("class", row["name"]),
        "options": experiment.get("options", {}) | row.get("options", {}),
        "modalities": row.get("modalities"),
        "seed": seed,
        "data": experiment["data"] | row.get("data", {}),
        "likelihoods": experiment["likelihoods"],
        "networks": experiment["networks"],
        "training": training | ({"epochs": epochs} if epochs else {}),
        "evaluation": experiment["evaluation"],
    }
