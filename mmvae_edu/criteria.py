"""The four criteria of S10, measured: what the latent knows, and whether generations agree."""

import numpy as np

from . import training
from .batch import check_batch
from .kernels import best
from .likelihoods import Categorical, Normal
from .networks import init_mlp, mlp, mlp_shapes
from .tree import Tree


class Classifier:
    """log p(label|x) by the MLP of the models; with hidden=() it is a linear probe.

    likelihood: that of the inputs, which says how many features there are and how the network
    sees them.  Trained by the same `training.fit` as the models: its "bound" is the log
    probability of the label, in nats an example.
    """

    def __init__(self, likelihood, classes=10, hidden=(256, 256)):
        self.modalities = {"x": likelihood, "label": Categorical(classes)}
        self.hidden = hidden
        self.tree = Tree(mlp_shapes((likelihood.features, *hidden, classes)))
        self.theta = None

    def init(self, rng, dtype=np.float32):
        theta = np.zeros(self.tree.size, dtype=dtype)
        init_mlp(self.tree.views(theta), rng)
        return theta

    def draw_noise(self, rng, N, K, dtype=np.float32):
        return {}

    def open(self, theta, x, mask=None):
        return check_batch(self.modalities, x, mask, theta), self.tree.views(theta)

    def backend(self, array):
        return best(array)

    def bound(self, theta, x, *, beta=1.0):
        """log p(label|x), (N,) in nats, and its pullback: dbound (N,) → dtheta."""
        batch, w = self.open(theta, x)
        logits, mlp_pullback = mlp(w, self._input(batch.x["x"]), input_gradient=False)
        log_prob, label_pullback = self.modalities["label"].log_prob({}, logits, x=batch.x["label"])

        def bound_pullback(dbound):
            dtheta = np.empty_like(theta)
            mlp_pullback(label_pullback(dbound)[1], out=self.tree.views(dtheta))
            return dtheta

        return log_prob, bound_pullback

    def fit(self, x, label, **options):
        """Train on x (n, P) and label (n,) int; returns self."""
        one_hot = np.eye(self.modalities["label"].features)[label]
        training.fit(self, {"x": x, "label": one_hot}, **options)
        return self

    def predict(self, x):
        """The most probable label of each row, (n,) int."""
        return mlp(self.tree.views(self.theta), self._input(x))[0].argmax(axis=-1)

    def accuracy(self, x, label):
        """The fraction of rows whose most probable label is `label` (micro accuracy)."""
        return float((self.predict(x) == label).mean())

    def config(self):
        return {"likelihood": str(self.modalities["x"]), "hidden": self.hidden}

    def _input(self, x):
        return self.modalities["x"].network_input(x)


def probe_accuracy(z_train, label_train, z_test, label_test, *, steps=600, seed=0):
    """Latent factorisation: test accuracy of a linear classifier of z.          [S10.a, S13.T1]

    z (n, D), one draw an example; the classifier is trained by Adam on the training draws only.
    """
    probe = Classifier(Normal(z_train.shape[1]), hidden=())
    options = {"steps": steps, "batch_size": 256, "learning_rate": 1e-2, "progress": False}
    probe.fit(z_train, label_train, seed=seed, **options)
    return probe.accuracy(z_test, label_test)


def cross_coherence(model, x, label, source, target, classifier, *, rng):
    """How often what one z ~ q(z|source) generates shows the right digit.       [S10.c, S13.T2]"""
    generated = model.generate({source: x[source]}, target, rng=rng)[target]
    return classifier.accuracy(generated, label)


def joint_coherence(model, classifiers, *, n=10_000, rng):
    """How often all modalities of one z ~ p(z) show the same digit.             [S10.b, S13.T2]"""
    generated = model.sample(n, rng=rng)
    predictions = [classifier.predict(generated[name]) for name, classifier in classifiers.items()]
    return float(np.mean([(p == predictions[0]) for p in predictions[1:]]))
