"""Experiments as jobs: one system and one seed, with all settings written out."""

import tomllib
from pathlib import Path

FILE = Path(__file__).with_name("experiments.toml")
GROUPS = "table2", "all"
PARAMETERS = {  # of every experiment
    "title", "table", "data", "seeds", "likelihoods", "networks", "training", "evaluation",
    "systems",
}  # fmt: skip


def experiments():
    """Read the experiments by name, and complete those that extend another one."""
    try:
        found = tomllib.loads(FILE.read_text("utf-8"))
        complete = {
            name: (found[row["extends"]] if "extends" in row else {}) | row
            for name, row in found.items()
        }
    except tomllib.TOMLDecodeError as problem:
        raise ValueError(f"{FILE}: {problem}") from None
    except KeyError as name:
        raise ValueError(f"{FILE}: nothing is called {name}, which another extends") from None
    for name, row in complete.items():
        if lacks := sorted(PARAMETERS - row.keys()):
            raise ValueError(f"{FILE}: {name} has no {', '.join(lacks)}")
    return complete


def members(name):
    """List the experiments that a name stands for: "table2" (slide 8), "all", or itself.

    A `long` one is in no group.
    """
    known = {one: row for one, row in experiments().items() if not row.get("long")}
    if name == "table2":
        return [one for one, experiment in known.items() if experiment["table"] == "S8.T2"]
    return list(known) if name == "all" else [name]


def jobs(name, *, seeds=None, systems=None, epochs=None):
    """List the jobs of an experiment or group: every system at one seed before the next seed.

    Other epochs than the file's are annealed for the same share.  Raises ValueError for an unknown
    name.
    """
    known = experiments()
    if name not in (*known, *GROUPS):
        raise ValueError(f"no experiment {name!r}; there are {', '.join((*known, *GROUPS))}")
    chosen = {member: known[member] for member in members(name)}
    every = dict.fromkeys(row["name"] for one in chosen.values() for row in one["systems"])
    for system in systems or ():
        if system not in every:
            has = ", ".join(map(repr, every))
            raise ValueError(f"{name} has no system {system!r}; it has {has}")
    return [
        _job(member, experiment, row, seed, epochs)
        for member, experiment in chosen.items()
        for seed in dict.fromkeys(experiment["seeds"] if seeds is None else seeds)
        for row in experiment["systems"]
        if systems is None or row["name"] in systems
    ]


def _job(name, experiment, row, seed, epochs):
    training = {"samples": 1, "anneal_epochs": 0} | experiment["training"] | row.get("training", {})
    if epochs:
        share = epochs / training["epochs"]
        shares = {key: round(share * n) for key, n in training.items() if key.endswith("_epochs")}
        schedule = training.get("weights", {}).items()
        rows = {name: [[share * start, weight] for start, weight in row] for name, row in schedule}
        training |= shares | {"epochs": epochs} | ({"weights": rows} if rows else {})
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
        "training": training,
        "evaluation": experiment["evaluation"],
    }
