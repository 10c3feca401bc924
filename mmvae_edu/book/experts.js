// Moves the figure of two experts: drag an expert's peak sideways for its mean and up or down for
// its variance, or use the sliders. The formulas are those of mmvae_edu/posteriors.py.
"use strict";
for (const figure of document.querySelectorAll("figure.experts")) {
  const plot = figure.querySelector("svg.plot");
  const { width, height } = plot.viewBox.baseVal;
  const base = height - 24;
  const reach = 5;
  const highest = 1.35;
  const [m1, v1, m2, v2] = figure.dataset.experts.split(" ").map(Number);
  const experts = [{ mean: m1, variance: v1 }, { mean: m2, variance: v2 }];
  const limits = { mean: [-4, 4], variance: [0.2, 4] };

  const x = (z) => (width * (z + reach)) / (2 * reach);
  const y = (density) => base * (1 - density / highest);
  const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));
  const number = (value) => value.toFixed(2).replace("-", "−");
  const normal = ({ mean, variance }) => (z) =>
    Math.exp(-((z - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);

  function fused(priors) {
    const [a, b] = experts;
    const precision = priors + 1 / a.variance + 1 / b.variance;
    const mean = (a.mean / a.variance + b.mean / b.variance) / precision;
    return { mean, variance: 1 / precision, precision };
  }

  function show(name, density, words) {
    const points = [];
    for (let i = 0; density && i <= 200; i++) {
      const z = -reach + (2 * reach * i) / 200;
      points.push(`${x(z).toFixed(1)} ${y(density(z)).toFixed(1)}`);
    }
    plot.querySelector(`path.${name}`).setAttribute("d", points.length ? "M" + points.join("L") : "");
    figure.querySelector(`li.${name} span`).textContent = words;
  }

  function draw() {
    const words = ({ mean, variance }) => `mean ${number(mean)}, variance ${number(variance)}`;
    const [a, b] = experts;
    experts.forEach((expert, i) => {
      show(`expert${i + 1}`, normal(expert), words(expert));
      handles[i].setAttribute("cx", x(expert.mean));
      handles[i].setAttribute("cy", y(normal(expert)(expert.mean)));
      for (const key of ["mean", "variance"]) sliders[i][key].value = expert[key];
    });
    const product = fused(1);
    show("product", normal(product), words(product));
    const quotient = fused(-1);
    if (quotient.precision > 1e-9) show("quotient", normal(quotient), words(quotient));
    else {
      const sum = number(quotient.precision + 1);
      show("quotient", null, `no density: the precisions sum to ${sum}, which does not exceed 1`);
    }
    const mixture = {
      mean: (a.mean + b.mean) / 2,
      variance: (a.variance + b.variance) / 2 + (a.mean - b.mean) ** 2 / 4,
    };
    show("mixture", (z) => (normal(a)(z) + normal(b)(z)) / 2, words(mixture));
  }

  const handles = experts.map((expert, i) => {
    const handle = document.createElementNS(plot.namespaceURI, "circle");
    handle.setAttribute("r", 8);
    handle.setAttribute("class", `expert${i + 1}`);
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const place = new DOMPoint(event.clientX, event.clientY);
      const point = place.matrixTransform(plot.getScreenCTM().inverse());
      const density = Math.max(0.05, highest * (1 - point.y / base));
      expert.mean = clamp((point.x / width) * 2 * reach - reach, limits.mean);
      expert.variance = clamp(1 / (2 * Math.PI * density ** 2), limits.variance);
      draw();
    });
    plot.append(handle);
    return handle;
  });

  const sliders = experts.map((expert, i) => {
    const inputs = {};
    for (const key of ["mean", "variance"]) {
      const label = document.createElement("label");
      const input = document.createElement("input");
      const [min, max] = limits[key];
      Object.assign(input, { type: "range", min, max, step: 0.05 });
      input.addEventListener("input", () => {
        expert[key] = Number(input.value);
        draw();
      });
      label.append(`expert ${i + 1}: ${key}`, input);
      figure.querySelector(".controls").append(label);
      inputs[key] = input;
    }
    return inputs;
  });
  draw();
}
