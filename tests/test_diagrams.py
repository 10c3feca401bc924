"""The diagrams: their arrows are the networks that each term of a bound goes through."""

import numpy as np
import pytest

from mmvae_edu import models
from mmvae_edu.likelihoods import Normal
from mmvae_edu.models import SYSTEMS
from mmvae_edu.report import diagrams, plots


def made(name, M=3, **options):
    row = SYSTEMS[name]
    names = [f"x{m + 1}" for m in range(row.modalities or M)]
    options |= {"condition": names[-1]} if row.condition else {}
    modalities = {n: Normal(2 + m) for m, n in enumerate(names)}
    return getattr(models, name)(modalities, latent=2, hidden=(3,), **options)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_term_depends_on_the_networks_that_are_drawn(name):
    model, rng = made(name), np.random.default_rng(1)
    x = {n: rng.normal(size=(1, kind.features)) for n, kind in model.modalities.items()}
    noise = model.draw_noise(np.random.default_rng(0), 1, 1, dtype=np.float64)
    theta = 0.5 * rng.normal(size=model.tree.size)
    found = diagrams.terms(model)
    before = model.terms(theta, x, **noise)[: len(found)]
    assert [term.given for term in found] == [term.subset for term in before]
    for kind, field in ("encoder", "given"), ("decoder", "scored"):
        for one in diagrams.networks(model, kind):
            changed = theta.copy()
            model.tree.views(changed)[one][kind]["W0"][...] += 0.1
            after = model.terms(changed, x, **noise)[: len(found)]
            pairs = zip(before, after, strict=True)
            moved = [list(a.reconstruction != b.reconstruction) for a, b in pairs]
            drawn = [[one in getattr(term, field)] for term in found]
            if kind == "encoder" and "joint encoder" in model.fusion:
                drawn = [[False]]  # the joint encoder's term; the own ones stand in a KL
            assert moved == drawn, (kind, one)


def arrows(model, **options):
    axis = plots.canvas(3, 3)[1]
    return set(diagrams.System(axis, model, **options).arrows)


def test_arrows_of_the_systems():
    own = {("x1", "encoder1"), ("x2", "encoder2"), ("decoder1", "output1"), ("decoder2", "output2")}
    assert arrows(made("BiVCCA", 2)) == own | {
        ("encoder1", "z0"), ("encoder2", "z1"),
        ("z0", "decoder1"), ("z0", "decoder2"), ("z1", "decoder1"), ("z1", "decoder2"),
    }  # fmt: skip
    assert arrows(made("MMVAE", 2)) == own | {
        ("encoder1", "mixture"), ("encoder2", "mixture"), ("mixture", "z"),
        ("z", "decoder1"), ("z", "decoder2"),
    }  # fmt: skip
    assert arrows(made("JMVAE", 2)) == own | {
        ("x1", "fusion1"), ("x2", "fusion1"), ("fusion1", "z1"), ("z1", "decoder1"),
        ("z1", "decoder2"), ("encoder1", "z0"), ("encoder2", "z2"), ("z1", "z0"), ("z1", "z2"),
    }  # fmt: skip
    assert arrows(made("CVAE")) == {
        ("x1", "encoder1"), ("x2", "encoder1"), ("encoder1", "z0"),
        ("z0", "decoder1"), ("x2", "decoder1"), ("decoder1", "output1"),
    }  # fmt: skip


def test_a_cvae_of_many_conditions():
    names = [f"x{m}" for m in range(1, 7)]
    model = models.CVAE({name: Normal(1) for name in names}, condition=names[1:])
    assert {a for a in arrows(model) if a[1] == "encoder1"} == {
        (f"x{slot}", "encoder1") for slot in ("1", "2", "⋮", "6")
    }


def test_a_missing_modality_has_no_arrows():
    everything, without = (arrows(made("MVAE"), missing=names) for names in ((), ("x2",)))
    assert any("encoder2" in arrow for arrow in everything)
    assert not {n for arrow in without for n in arrow} & {"x2", "encoder2", "decoder2", "output2"}


@pytest.mark.parametrize("name", [name for name in SYSTEMS if SYSTEMS[name].modalities is None])
def test_of_many_modalities_three_are_drawn(name):
    found = arrows(made(name, 6))
    assert {start for start, _ in found if start.startswith("x")} - {"x⋮"} == {"x1", "x2", "x6"}


def test_graphical_model():
    axis = plots.canvas(3, 3)[1]
    assert set(diagrams.GraphicalModel(axis, made("CVAE")).arrows) == {("z", "x1"), ("x2", "x1")}
