"""Peers of `steps`: the same training steps in PyTorch, written in the obvious way.

Two forms of each system.  *As released* runs every forward pass that the authors' code runs:
MVAE calls the whole model three times and decodes every modality each time; MMVAE decodes every
expert's samples one after the other.  *Same graph* computes what ours computes: encoders once, the
label's once a class, only what a term scores, samples stacked.
"""

import math

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F


class Networks(nn.Module):
    """The encoders and decoders of one of our models, with its weights."""

    def __init__(self, model, w):
        super().__init__()
        for name in model.modalities:
            for part in "encoder", "decoder":
                self.add_module(f"{name}_{part}", _sequential(w[name][part]))

    def encode(self, name, x):
        return getattr(self, f"{name}_encoder")(x).chunk(2, dim=-1)

    def experts(self, x):
        """Encode x: name → mean and log-variance; the label's network runs once a class."""
        classes = torch.eye(x["label"].shape[-1], device=x["label"].device)
        label = x["label"] @ self.label_encoder(classes)
        return {"image": self.encode("image", x["image"]), "label": label.chunk(2, dim=-1)}

    def decode(self, name, z):
        return getattr(self, f"{name}_decoder")(z)


def _sequential(weights):
    layers = []
    for key, W in weights.items():
        if key.startswith("W"):
            bias = weights.get("b" + key[1:])
            layer = nn.Linear(*W.shape, bias=bias is not None)
            layer.weight.data = torch.from_numpy(W.T.copy())
            if bias is not None:
                layer.bias.data = torch.from_numpy(bias.copy())
            layers += [layer, nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def log_likelihood(name, logits, x):
    """Compute log p(x|z), summed over features: Bernoulli the image, categorical the label."""
    x = x.expand_as(logits)
    if name == "image":
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    return (x * F.log_softmax(logits, -1)).sum(-1)


def product(experts):
    """Multiply the prior and the experts: mean and log-variance."""
    precision = 1 + sum(torch.exp(-log_var) for _, log_var in experts)
    mean = sum(mu * torch.exp(-log_var) for mu, log_var in experts) / precision
    return mean, -torch.log(precision)


def elbo(log_px_z, mean, log_var):
    return log_px_z + 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(-1)


def mvae_released(nets, x, eps, weights):
    """Call the whole model three times: both modalities, the image alone, the label alone."""
    bound = 0
    for t, given in enumerate((("image", "label"), ("image",), ("label",))):
        mean, log_var = product([nets.encode(name, x[name]) for name in given])
        z = mean + torch.exp(log_var / 2) * eps[t, 0]
        logits = {name: nets.decode(name, z) for name in x}  # also what no term scores
        scored = (weights[name] * log_likelihood(name, logits[name], x[name]) for name in given)
        bound = bound + elbo(sum(scored), mean, log_var)
    return bound


def mvae_same(nets, x, eps, weights):
    """Run each encoder once, and each decoder once, on the samples of the terms that score it."""
    experts = nets.experts(x)
    terms = [product(list(experts.values())), *(product([expert]) for expert in experts.values())]
    mean, log_var = (torch.stack(parameter) for parameter in zip(*terms, strict=True))
    z = mean + torch.exp(log_var / 2) * eps[:, 0]
    bound = elbo(0, mean, log_var).sum(0)
    for m, name in enumerate(x):
        logits = nets.decode(name, z[[0, 1 + m]])
        bound = bound + (weights[name] * log_likelihood(name, logits, x[name])).sum(0)
    return bound


def gaussian(z, mu, log_var):
    constant = 1.8378770664093453  # log 2π
    return -0.5 * (constant + log_var + (z - mu) ** 2 * torch.exp(-log_var)).sum(-1)


def mmvae_released(nets, x, eps, weights):
    """Decode every expert's samples by every decoder, one pair after the other."""
    experts = {name: nets.encode(name, x[name]) for name in x}
    bound = 0
    for m, (mu, log_var) in enumerate(experts.values()):
        z = mu + torch.exp(log_var / 2) * eps[m]
        log_q = torch.logsumexp(torch.stack([gaussian(z, *e) for e in experts.values()]), 0)
        log_w = gaussian(z, z.new_zeros(()), z.new_zeros(())) - log_q + math.log(len(experts))
        for name in x:
            log_w = log_w + weights[name] * log_likelihood(name, nets.decode(name, z), x[name])
        bound = bound + torch.logsumexp(log_w, 0) - math.log(len(eps[m]))
    return bound / len(experts)


def mmvae_same(nets, x, eps, weights):
    """Stack all samples: each decoder, the mixture and the reduction run once."""
    mu, log_var = (torch.stack(p) for p in zip(*nets.experts(x).values(), strict=True))
    z = mu[:, None] + torch.exp(log_var / 2)[:, None] * eps
    pairs = gaussian(z[None], mu[:, None, None], log_var[:, None, None])
    log_q = torch.logsumexp(pairs, 0) - math.log(len(mu))
    log_w = gaussian(z, z.new_zeros(()), z.new_zeros(())) - log_q
    for name in x:
        log_w = log_w + weights[name] * log_likelihood(name, nets.decode(name, z), x[name])
    return (torch.logsumexp(log_w, 1) - math.log(eps.shape[1])).mean(0)


FORMS = {
    ("MVAE", "as released"): mvae_released,
    ("MVAE", "same graph"): mvae_same,
    ("MMVAE", "as released"): mmvae_released,
    ("MMVAE", "same graph"): mmvae_same,
}


def make_step(form, model, theta, x, eps, *, compiled=False, threads=2, device="cpu"):
    """Make the bound of the batch, as a function, and the training step."""
    torch.set_num_threads(threads)
    function = FORMS[type(model).__name__, form]
    nets = Networks(model, model.tree.views(theta)).to(device)
    x = {name: torch.from_numpy(values).to(device) for name, values in x.items()}
    eps = torch.from_numpy(eps).to(device)
    optimiser = torch.optim.Adam(nets.parameters(), lr=1e-3)

    def loss():
        return -function(nets, x, eps, model.weights).mean()

    compiled_loss = torch.compile(loss) if compiled else loss

    def bound():
        with torch.no_grad():
            return function(nets, x, eps, model.weights).cpu().numpy()

    def step():
        optimiser.zero_grad()
        compiled_loss().backward()
        optimiser.step()

    return bound, step


class Pictures(torch.utils.data.Dataset):
    """One image and label at a time, converted as torchvision's MNIST and ToTensor do."""

    def __init__(self, pictures, labels):
        self.pictures, self.labels = pictures, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        picture = np.array(Image.fromarray(self.pictures[i].numpy()))
        return torch.from_numpy(picture)[None].contiguous().float().div(255), int(self.labels[i])


def make_epoch(model, theta, pictures, labels, batch_size, threads, one_by_one):
    """Make an epoch of MVAE as released; pictures (n, 28, 28) of 8 bits, labels (n,)."""
    torch.set_num_threads(threads)
    nets = Networks(model, model.tree.views(theta))
    optimiser = torch.optim.Adam(nets.parameters(), lr=1e-3)
    data = Pictures(torch.from_numpy(pictures), torch.from_numpy(labels))
    loader = torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True)
    whole = data.pictures.float().div(255)

    def batches():
        rows = torch.randperm(len(data)).split(batch_size)
        return loader if one_by_one else ((whole[r], data.labels[r]) for r in rows)

    def epoch():
        for image, label in batches():
            x = {"image": image.reshape(len(label), -1), "label": F.one_hot(label, 10).float()}
            eps = torch.randn(3, 1, len(label), model.latent)
            optimiser.zero_grad()
            (-mvae_released(nets, x, eps, model.weights).mean()).backward()
            optimiser.step()

    return epoch
