"""Coherence and likelihood of each modality by what is given, and what one more modality changes.

Numbers are as in `agreement`.  A modality that is compared before and after another one is added is
itself never given: for M = 3 these are two comparisons a target.
"""

from itertools import combinations

import numpy as np

from ...criteria import synergy
from ...estimators import marginal, marginals
from ...support.devices import to_host
from .agreement import examples, nats_of, percent, trained_classifier


def by_subset(model, job, data):
    """Measure a model that has the label as a modality, on the test split: name → number.

    Likelihoods use at most `examples` of its rows, drawn by the seed alone, and K samples.
    """
    rng, theta = np.random.default_rng((job["seed"], 1)), model.theta
    model.theta = to_host(theta)  # where classifiers run; likelihoods use the training's device
    found = coherences(model, data, job, rng)
    model.theta = theta
    settings = job["evaluation"]
    rows = np.random.default_rng((job["seed"], 2)).permutation(len(data.test.label))
    x = examples(data.test, model.modalities, rows[: settings["examples"]])
    return found | likelihoods(model, x, settings["K"], settings["prior_samples"], rng)


def subsets(names):
    """List the non-empty subsets of these modalities, as tuples, small ones first."""
    return [subset for size in range(len(names)) for subset in combinations(names, size + 1)]


def additions(names):
    """List (target, given, added): one more modality for a target that is not given."""
    return [
        (target, given, added)
        for target in names
        for given in subsets(without(names, target))
        for added in without(names, target, *given)
    ]


def without(names, *some):
    """Return the names that are none of these."""
    return tuple(name for name in names if name not in some)


def together(names, given, added):
    """Return the subset of `given` and one more modality, in the model's order."""
    return tuple(name for name in names if name in (*given, added))


def coherences(model, data, job, rng):
    """Measure how often the mean decoded from one z ~ q(z|X) shows the right digit, for every X.

    A classifier that learnt from real training data looks at each modality but the label, whose
    mean is a probability for each digit: the most probable one is what it shows.
    """
    test, names, found, hits = data.test, tuple(model.modalities), {}, {}
    sees = {"label": lambda mean: mean.argmax(axis=1)}
    for name in without(names, "label"):
        classifier = trained_classifier(model, name, data.train, job["evaluation"], job["seed"])
        sees[name] = classifier.predict
    x = examples(test, names)
    for given in subsets(names):
        means = model.generate({name: x[name] for name in given}, rng=rng)
        for target, mean in means.items():
            hits[target, given] = sees[target](mean) == test.label
    for target in names:
        part = f"Right digits in the {target}, by what is given"
        if target != "label":
            real = sees[target](x[target]) == test.label
            found[f"real {target}"] = percent(real.mean(), len(real), part)
        for given in subsets(names):
            hit = hits[target, given]
            found[f"{', '.join(given)} → {target}"] = percent(hit.mean(), len(hit), part)
    for target, given, added in additions(names):
        gain = synergy(hits[target, together(names, given, added)], hits[target, given])
        mean, error = (100 * value for value in gain)
        part = "What one more modality changes: right digits"
        name = f"{target}: {added} added to {', '.join(given)}"
        found[name] = {"mean": mean, "error": error, "part": part, "unit": "points"}
    return found


def likelihoods(model, x, K, prior_samples, rng):
    """Estimate log p(X) of every subset, log p(target|X), and what one more modality adds to it."""
    names, numbers = tuple(model.modalities), {}
    own, told = log_likelihoods(model, x, K, prior_samples, rng)
    for given, estimate in own.items():
        part = "log p(X)"
        numbers[f"log p({', '.join(given)})"] = nats_of(estimate, part)
    for (target, given), estimate in told.items():
        part = f"log p({target}|X) by what is given"
        numbers[f"log p({target}|{', '.join(given)})"] = nats_of(estimate, part)
    part = "What one more modality adds to log p(target|X)"
    for target, given, added in additions(names):
        before, after = told[target, given], told[target, together(names, given, added)]
        mean, error = synergy(after.log_p, before.log_p)
        name = f"log p({target}): {added} added to {', '.join(given)}"
        numbers[name] = {"mean": float(mean), "error": float(error), "part": part, "unit": "nats"}
    return numbers


def log_likelihoods(model, x, K, prior_samples, rng):
    """Estimate log p(X) by q(z|X): {X: Estimate}; and log p(target|X): {(target, X): Estimate}.

        log p(target|X) = log p(target, X) − log p(X)

    The label has ten values: alone it is estimated from the prior, and as a target from the samples
    of q(z|X) that give log p(X) too, so that its probabilities given X sum to 1.
    """
    names, theta, own, with_label = tuple(model.modalities), model.theta, {}, {}
    for given in subsets(names):
        seen = {name: x[name] for name in given}
        if given == ("label",):
            digits = {"label": np.eye(10, dtype=x["label"].dtype)}
            drawn = marginal(model, theta, digits, given={}, K=prior_samples, rng=rng)
            own[given] = drawn.take(x["label"].argmax(axis=1))
        elif "label" in given:
            own[given] = marginal(model, theta, seen, K=K, rng=rng)
        else:
            parts = [seen, {"label": x["label"]}]
            own[given], both = marginals(model, theta, parts, given=seen, K=K, rng=rng)
            with_label[given] = both
    told = {}
    for target in names:
        for given in subsets(without(names, target)):
            joint = with_label[given] if target == "label" else own[together(names, given, target)]
            told[target, given] = joint - own[given]
    return own, told
