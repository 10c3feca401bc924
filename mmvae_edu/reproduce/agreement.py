"""Slide 13's three tables: what z knows, whether generations agree, and four log likelihoods.

Numbers are as in `evaluate`, with two keys more: `part`, the table to which one belongs, and
`unit`, of its mean and error.
"""

import numpy as np

from ..arrays import to_host
from ..criteria import (
    Classifier,
    cross_coherence,
    joint_coherence,
    probe_accuracy,
    wilson_interval,
)
from ..estimators import marginal

PROBED, GENERATED = 6_000, 10_000  # training rows that a probe sees; draws of z ~ p(z)  [MMVAE]
CLASSIFIER = {"steps": 800, "batch_size": 128, "progress": False}


def agreement(model, job, data):
    """Tables 1 to 3: name → mean, standard error, part, unit; for nats the median ESS and n too.

    All on the test split; Table 3 on `examples` of its rows at most, drawn by the seed alone.
    """
    rng, theta = np.random.default_rng((job["seed"], 1)), model.theta
    model.theta = to_host(theta)  # the classifiers' side; likelihoods stay where the training was
    found = latents(model, data, job["seed"], rng)
    if len(model.modalities) > 1:
        found |= generations(model, data, job["seed"], rng)
    n, most = len(data.test.label), job["evaluation"]["examples"]
    rows = np.random.default_rng((job["seed"], 2)).permutation(n)[:most]
    model.theta = theta
    return found | log_likelihoods(model, examples(data.test, model.modalities, rows), job, rng)


def examples(split, names, rows=slice(None)):
    """These examples of these modalities, pairs put together: dict name → (n, P)."""
    pairs = split.rows
    return {m: split.x[m][rows if pairs is None else pairs[m][rows]] for m in names}


def distinct(split, name):
    """What one modality shows, each once, with its label: pairing repeats it."""
    values = split.x[name] if split.rows is None else split.rows[name]
    _, first = np.unique(values, axis=0, return_index=True)
    return examples(split, [name], first)[name], split.label[first]


def latents(model, data, seed, rng):
    """The digit that a linear probe reads from one draw z ~ q(z|given).               [S13.T1]"""
    train, test, found = data.train, data.test, {}
    part = "Table 1: digit in z, of all rows alike (micro)"
    rows = rng.permutation(len(train.label))[:PROBED]
    for source, given in _proposals(model.modalities).items():
        z_train = model.posterior_sample(examples(train, given, rows), rng=rng)[0]
        z_test = model.posterior_sample(examples(test, given), rng=rng)[0]
        hit = probe_accuracy(z_train, train.label[rows], z_test, test.label, seed=seed)
        found[f"z from {source}"] = _rate(hit, len(test.label), part)
    return found


def generations(model, data, seed, rng):
    """How often means decoded from one z show the same digit, or the given one.       [S13.T2]

    Classified by networks that learnt from real training data, whose accuracy on real test data
    is among the numbers: rates are raw, and count their errors.
    """
    part, test = "Table 2: digits that match, of all rows alike (micro)", data.test
    found, classifiers = {}, {}
    for name, likelihood in model.modalities.items():
        x, label = distinct(data.train, name)
        classifiers[name] = Classifier(likelihood).fit(x, label, seed=seed, **CLASSIFIER)
        x, label = distinct(test, name)
        accuracy = classifiers[name].accuracy(x, label)
        found[f"real {name}"] = _rate(accuracy, len(label), part)
    rate = joint_coherence(model, classifiers, n=GENERATED, rng=rng)
    found["joint"] = _rate(rate, GENERATED, part)
    x = examples(test, model.modalities)
    for target, classifier in classifiers.items():
        for source in (name for name in classifiers if name != target):
            rate = cross_coherence(model, x, test.label, source, target, classifier, rng=rng)
            found[f"{source} → {target}"] = _rate(rate, len(test.label), part)
    return found


def log_likelihoods(model, x, job, rng):
    """log p(x_m) by its proposals, and of a pair the joint and both conditionals.     [S13.T3]

        log p(x_m|x_n) = log p(x_m, x_n) − log p(x_n),  proposals q(z|x_m, x_n) and q(z|x_n)

    Unscaled, nats an example: λ has no part in an evaluation, whatever the training's was.
    """
    names, found, own = tuple(model.modalities), {}, {}
    settings = {"K": job["evaluation"]["K"], "rng": rng}
    for name in names:
        part = f"Table 3: log p({name}) by its proposal, z ~ q(z|·)"
        for proposal, given in _proposals(names).items():
            seen = {n: x[n] for n in given}
            estimate = marginal(model, model.theta, {name: x[name]}, given=seen, **settings)
            found[f"{name} by {proposal}"] = _nats(estimate, part)
            if proposal == name:
                own[name] = estimate
    if len(names) != 2:
        return found
    part = "Table 3: joint and conditional"
    joint = marginal(model, model.theta, x, **settings)
    first, second = names
    return found | {
        f"log p({first}, {second})": _nats(joint, part),
        f"log p({first}|{second})": _nats(joint - own[second], part),
        f"log p({second}|{first})": _nats(joint - own[first], part),
    }


def _proposals(names):
    """What z may be inferred from: each modality, and all where there are several."""
    return {name: (name,) for name in names} | ({"all": tuple(names)} if len(names) > 1 else {})


def _rate(rate, n, part):
    low, high = wilson_interval(rate * n, n, z=1)
    return {"mean": 100 * rate, "error": 50 * (high - low), "part": part, "unit": "%"}


def _nats(estimate, part):
    numbers = {"mean": estimate.mean, "error": estimate.mean_error}
    numbers |= {"ess": float(np.median(estimate.ess)), "n": len(estimate.log_p)}
    return numbers | {"part": part, "unit": "nats"}
