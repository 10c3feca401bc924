"""Diagrams of systems: nodes and arrows, read off what a model's own bound computes.

    figure = panels({"MVAE": lambda axis: System(axis, model)}, "title")

All distances are inches, and type has 12 points, so that an index has 8.
"""

import textwrap
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from .plots import COLOURS, DASHES, INK, LETTERS, STYLE

GREY, FAINT = "#DDDDDD", "#BBBBBB"  # of what is observed, and of what is missing
RADIUS, ROW, GAP = 0.17, 0.46, 0.12  # of a variable's circle; between rows; between columns
TYPE = {"ha": "center", "va": "center", "math_fontfamily": "cm", "fontsize": 12}
SIGNS = {"product": r"$\times$", "quotient": r"$\div$", "joint encoder": "$E$"}
LABELS = {"x": "$x_{{{}}}$", "encoder": "$E_{{{}}}$", "decoder": "$D_{{{}}}$", "z": "$z$"}
LABELS |= {"output": "$x_{{{}}}'$", "parameters": r"$\mu_{{{0}}},\,\sigma_{{{0}}}$"}
NETS = {"x": "$X$", "output": "$X'$", "encoder": "inference net\n$q_\\phi(z|x)$"}  # slide 4's words
NETS |= {"decoder": "generation net\n$p_\\theta(x'|z)$"}
DOTS = "⋮"  # stands for the modalities that are not drawn


class Term(NamedTuple):
    """A term of a bound: z is drawn given some modalities, and must explain those it scores."""

    given: tuple
    scored: tuple


def terms(model):
    """List the terms of a model's bound, found by computing their parts for one example."""
    x = {name: np.eye(1, likelihood.features) for name, likelihood in model.modalities.items()}
    batch, w = model.checked_batch(np.zeros(model.tree.size), x)
    noise = model.draw_noise(np.random.default_rng(0), 1, 1, dtype=np.float64)
    given, _, scored, *_ = model.parts(w, batch, **noise)
    if scored is None:
        return [Term(names, networks(model, "decoder")) for names in given]
    scored = [tuple(np.array(list(x))[row].tolist()) for row in scored[..., 0]]
    return [Term(*pair) for pair in zip(given, scored, strict=True)]


def networks(model, kind):
    """List the modalities that have an "encoder", or a "decoder", of their own."""
    return tuple(name for name in model.modalities if model.tree.shapes[name][kind])


class Drawing:
    """Named nodes, and arrows between them, on one axis."""

    def __init__(self, axis, labels=None, width=2 * RADIUS):
        self.axis, self.nodes, self.arrows = axis, {}, []
        self.labels, self.width = LABELS | (labels or {}), width
        axis.set_axis_off()

    def node(self, kind, slot, at, *, text=None, radius=RADIUS, width=None, dots=DOTS, **style):
        """Draw a circle, or a box if it has a width, named by its kind and slot."""
        style = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.1, "zorder": 2} | style
        text = self.labels[kind].format(slot) if text is None else text
        if slot == DOTS:
            text, radius, width = dots, 0.12, None
            style |= {"facecolor": "none", "edgecolor": "none"}
        if width is None:
            shape = Circle(at, radius, **style)
        else:
            height = RADIUS * (2 + text.count("\n"))
            corner = at[0] - width / 2, at[1] - height / 2
            round_corners = "round,pad=0,rounding_size=0.05"
            shape = FancyBboxPatch(corner, width, height, round_corners, **style)
        self.nodes[f"{kind}{slot}"] = at, shape
        self.axis.add_patch(shape)
        colour = FAINT if style["edgecolor"] == FAINT else INK
        self.axis.text(*at, text, color=colour, zorder=3, **TYPE)

    def arrow(self, start, end, **style):
        """Draw an arrow from one node's edge to another's."""
        (a, start_shape), (b, end_shape) = self.nodes[start], self.nodes[end]
        style = {"color": INK, "linewidth": 1.1, "arrowstyle": "-|>", "mutation_scale": 8} | style
        ends = {"patchA": start_shape, "patchB": end_shape, "shrinkA": 0, "shrinkB": 0}
        self.axis.add_patch(FancyArrowPatch(a, b, **ends, **style))
        self.arrows.append((start, end))

    def fit(self):
        """Make the axis as large as its nodes; returns its width and height in inches."""
        boxes = [shape.get_path().get_extents(shape.get_patch_transform())
                 for _, shape in self.nodes.values()]  # fmt: skip
        low = np.min([box.min for box in boxes], axis=0) - 0.05
        high = np.max([box.max for box in boxes], axis=0) + 0.05
        self.axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        return high - low


class GraphicalModel(Drawing):
    """The graph of what generates what, observed variables in grey."""

    def __init__(self, axis, model):
        super().__init__(axis)
        slot = slots(model)
        distinct, given = _once(slot.values()), _once(slot[name] for name in model.condition)
        self.node("z", "", (0.3 * (len(distinct) - 1), 0.9))
        for i, name in enumerate(distinct):
            self.node("x", name, (0.6 * i, 0), facecolor=GREY, dots="⋯")
        for name in distinct:
            for start in () if name in given else ("z", *(f"x{other}" for other in given)):
                self.arrow(start, f"x{name}")


class System(Drawing):
    """A system: modalities, encoders, how they become the z of each term, decoders, outputs.

    only        the terms of the bound that are drawn; all by default
    missing     modalities that are missing: no arrow goes from or to their networks
    parameters  draw what each encoder gives, and the prior's parameters
    labels      words in place of some of LABELS; networks are boxes of this `width`
    """

    def __init__(self, axis, model, *, only=None, missing=(), parameters=False, **options):
        super().__init__(axis, **options)
        self.model, self.parameters, self.slot = model, parameters, slots(model)
        self.slots = _once(self.slot.values())
        self.missing = {self.slot[name] for name in missing}
        self.given = _once(self.slot[name] for name in model.condition)
        self.encoders, self.decoders = (
            _once(self.slot[name] for name in networks(model, kind))
            for kind in ("encoder", "decoder")
        )
        self.terms = self._distinct(terms(model) if only is None else only)
        steep = 1.4 if "joint encoder" in model.fusion else 1.0
        self.height = ROW * max(1.2 * len(self.slots) - 1.2, steep * (len(self.terms) - 1))
        self.columns = self._columns()
        self._modalities()
        self._posteriors()

    def _distinct(self, terms):
        """List terms by slots, from top to bottom, without those that are missing or not drawn."""
        found = {}
        for term in terms:
            present = [[n for n in names if self.slot[n] not in self.missing] for names in term]
            drawn = Term(*(tuple(_once(self.slot[n] for n in names)) for names in present))
            key = DOTS if drawn.given == (DOTS,) else frozenset(present[0])
            if key:
                found.setdefault(key, drawn)
        if "joint encoder" in self.model.fusion:  # each modality's posterior stands in a KL only
            found |= {(name,): Term((name,), ()) for name in self.encoders}
        middle = {name: i for i, name in enumerate(self.slots)}
        return sorted(found.values(), key=lambda term: np.mean([middle[n] for n in term.given]))

    def _columns(self):
        """Place the columns from left to right: their centres."""
        fusion, several = self.model.fusion, len(self.terms) + len(self.encoders) > 2
        fan = 0.34 if several else GAP
        columns = [("x", 2 * RADIUS, 0), ("encoder", self.width, 2 * GAP if self.given else GAP)]
        columns += [("parameters", 0.64, GAP)] if self.parameters else []
        columns += [("fusion", 0.5 if self.parameters else 0.24, fan)] if self._step() else []
        columns += [("mixture", 0.24, 0.3)] if "mixture" in fusion else []
        columns += [("z", 2 * RADIUS, GAP if fusion else fan)]
        columns += [("decoder", self.width, fan), ("output", 2 * RADIUS, GAP)]
        centres, end = {}, 0
        for name, width, gap in columns:
            centres[name], end = end + gap + width / 2, end + gap + width
        return centres

    def _step(self):
        """Return how the experts of one term become its posterior, "" for not at all."""
        return "".join(step for step in self.model.fusion if step != "mixture")

    def _rows(self, n):
        """Spread n rows over the height, from top to bottom."""
        return np.linspace(self.height / 2, -self.height / 2, n) if n > 1 else [0.0]

    def _modalities(self):
        """Draw the modalities, their own networks and outputs, and the arrows along each row."""
        at, box = self.columns, {"width": self.width}
        for name, y in zip(self.slots, self._rows(len(self.slots)), strict=True):
            style = {"edgecolor": FAINT} if name in self.missing else {}
            self.node("x", name, (at["x"], y), facecolor=GREY, **style)
            if name in self.encoders:
                self.node("encoder", name, (at["encoder"], y), **box, **style)
                if self.parameters and name not in self.missing:
                    self.node("parameters", name, (at["parameters"], y), width=0.64)
            if name in self.decoders:
                self.node("decoder", name, (at["decoder"], y), **box, **style)
                self.node("output", name, (at["output"], y), **style)
        if self.parameters:
            self.node("parameters", 0, (at["fusion"], self.height / 2), width=0.64)
        for name in self.slots:
            if name in self.missing or name == DOTS:
                continue
            for start in (name, *self.given) if name in self.encoders else ():
                self.arrow(f"x{start}", f"encoder{name}")
            if name in self.encoders and self.parameters:
                self.arrow(f"encoder{name}", f"parameters{name}")
            for start in self.given if name in self.decoders else ():
                self.arrow(f"x{start}", f"decoder{name}", connectionstyle="arc3,rad=0.2")
            if name in self.decoders:
                self.arrow(f"decoder{name}", f"output{name}")

    def _posteriors(self):
        """Draw each term's z, where it comes from and what it explains."""
        mixture, joint = "mixture" in self.model.fusion, None
        if mixture:
            self.node("mixture", "", (self.columns["mixture"], 0), text="+", radius=0.12)
            self.node("z", "", (self.columns["z"], 0))
            self.arrow("mixture", "z")
        rows = self._rows(len(self.terms))
        if len(self.terms) == 1:
            rows = [np.mean([self.nodes[f"encoder{name}"][0][1] for name in self.encoders])]
        for t, (term, y) in enumerate(zip(self.terms, rows, strict=True)):
            style = {"color": COLOURS[t % 6], "linestyle": DASHES[t % 6]}
            if term.given == (DOTS,):
                self.node("z", DOTS, (self.columns["z"], y))
                continue
            target = "mixture"
            if not mixture:
                target, edge = f"z{t}", {} if term.scored else {"linestyle": ":"}
                self.node("z", t, (self.columns["z"], y), **edge)
            self._fuse(term, t, y, target, style)
            for name in term.scored:
                if name in self.decoders and (not mixture or t == 0):
                    end = {"color": INK, "linestyle": "-"} if mixture else style
                    self.arrow("z" if mixture else target, f"decoder{name}", **end)
            joint = target if term.scored and not mixture else joint
        for t, term in enumerate(self.terms):
            if not term.scored and term.given != (DOTS,):
                self._divergence(joint, f"z{t}")

    def _fuse(self, term, t, y, target, style):
        """Draw the arrows from a term's encoders to its z, or to the mixture."""
        start = "parameters" if self.parameters else "encoder"
        step, given = self._step(), [name for name in term.given if name in self.encoders]
        if step and term.scored and (step, len(given)) != ("quotient", 1):
            node, wide = f"fusion{t}", {"width": 2 * RADIUS} if step == "joint encoder" else {}
            if self.parameters:
                wide = {"width": 0.5}
            text = "PoE" if self.parameters else SIGNS[step]
            self.node("fusion", t, (self.columns["fusion"], y), text=text, radius=0.12, **wide)
            self.arrow(node, target, **style)
            start = "x" if step == "joint encoder" else start
            if self.parameters:
                self.arrow("parameters0", node, **style)
            target = node
        for name in given:
            self.arrow(f"{start}{name}", target, **style)

    def _divergence(self, joint, own):
        """Draw the KL between the joint encoder's posterior and a modality's own."""
        self.arrow(joint, own, arrowstyle="-", linestyle=":")
        (x, top), (_, bottom) = self.nodes[joint][0], self.nodes[own][0]
        self.axis.text(x + 0.05, (top + bottom) / 2, "KL", fontsize=9, va="center")


def slots(model):
    """Number the modalities: dict name → number, "⋮" for all but three if there are over four."""
    names = list(model.modalities)
    hidden = names[2:-1] if len(names) > 4 else []
    return {n: DOTS if n in hidden else str(i + 1) for i, n in enumerate(names)}


def _once(names):
    return list(dict.fromkeys(names))


def panels(drawings, title, columns=2):
    """Make a figure of drawings: caption → function of an axis.  Returns it and all arrows.

    The arrows are rows (caption, from, to).
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure()
    drawn = {caption: draw(figure.add_axes((0, 0, 1, 1))) for caption, draw in drawings.items()}
    sizes = np.array([drawing.fit() for drawing in drawn.values()])
    widths = [sizes[i::columns, 0].max() + 0.2 for i in range(min(columns, len(sizes)))]
    heights = [sizes[i : i + columns, 1].max() for i in range(0, len(sizes), columns)]
    width, top = sum(widths), 0.1
    lines = textwrap.wrap(title, int(LETTERS * width))
    top += 0.2 * len(lines)
    height = top + sum(heights) + 0.4 * len(heights)
    figure.set_size_inches(width, height)
    figure.text(0.1 / width, 1 - 0.1 / height, "\n".join(lines), va="top", fontsize=12)
    for i, ((caption, drawing), (w, h)) in enumerate(zip(drawn.items(), sizes, strict=True)):
        row, column = divmod(i, columns)
        left = sum(widths[:column]) + 0.1
        above = height - top - sum(heights[:row]) - 0.4 * row
        figure.text(left / width, (above - 0.12) / height, caption, va="top", fontsize=11)
        bottom = above - 0.4 - (heights[row] + h) / 2
        drawing.axis.set_position((left / width, bottom / height, w / width, h / height))
    return figure, [(caption, *pair) for caption, d in drawn.items() for pair in d.arrows]
