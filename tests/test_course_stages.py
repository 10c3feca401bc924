"""The checker's stages A2 to A6: what nobody catalogued is named too, nothing by a wrong name."""

import ast
import re
import sys
from functools import wraps
from textwrap import dedent
from types import SimpleNamespace

import numpy as np
import pytest

from mmvae_edu.claims import CLAIMS
from mmvae_edu.claims.registry import T4, TERMS, Result
from mmvae_edu.course import checker
from mmvae_edu.course.comparisons import GRADIENT, VALUE, Sample, comparable
from mmvae_edu.course.examine import RIGHT, WRONG, examine
from mmvae_edu.course.exercises import exercises
from mmvae_edu.course.explain import plain
from mmvae_edu.course.recorded import Recorded
from mmvae_edu.course.runner import check
from mmvae_edu.course.stages.factors import factor, lengths
from mmvae_edu.course.stages.input_laws import laws
from mmvae_edu.course.stages.regression import CONDITION, regress
from mmvae_edu.course.stages.simple_changes import simple_changes
from mmvae_edu.course.stages.smallest_example import differing, not_finite, shown, smallest
from mmvae_edu.course.trees import copied, difference, leaves, named_leaves
from mmvae_edu.gaussian import gaussian_sample
from mmvae_edu.slides.equations import load_equations


def checked(folder, id, source, explain=False):
    """A file's verdict in this process, with nothing locked."""
    exercise = exercises()[id]
    path = folder / exercise.stub.name
    path.write_text("import numpy as np\n" + dedent(source), encoding="utf-8")
    return check(exercise, path, range(3), explain=explain)


def compared_calls(exercise, f, seeds=(0, 1)):
    watched = Recorded(exercise, f)
    for seed in seeds:
        for claim in exercise.claims:
            claim.check(watched, np.random.default_rng(seed))
    return {part: comparable(watched.samples, part) for part in (VALUE, GRADIENT)}


# ---- A3: the terms ----------------------------------------------------------------------------

WITH_TERMS = [e for e in exercises().values() if e.of in TERMS]


@pytest.mark.parametrize("exercise", WITH_TERMS, ids=lambda exercise: exercise.id)
def test_terms_add_up_to_the_function(exercise):
    compared = compared_calls(exercise, exercise.of)
    assert compared[GRADIENT] or compared[VALUE]  # some have no gradient
    for part in VALUE, GRADIENT:
        for sample in compared[part]:
            values, pullback = TERMS[exercise.of](*copied(sample.args), **copied(sample.constants))
            named = values if part == VALUE else pullback(*copied(sample.cotangents))
            if not named:
                continue  # the value is not split
            for tree in named.values():
                shapes = [np.shape(leaf) for leaf in leaves(tree)]
                assert shapes == [a.shape for a in sample.expected.values()]
            total = [sum(parts) for parts in zip(*map(leaves, named.values()), strict=True)]
            for a, b in zip(total, sample.expected.values(), strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()))


@pytest.mark.parametrize("exercise", WITH_TERMS, ids=lambda exercise: exercise.id)
def test_the_claims_inputs_tell_the_terms_apart(exercise):
    compared = compared_calls(exercise, exercise.of)
    part = GRADIENT if compared[GRADIENT] else VALUE
    fit = regress(exercise, compared[part], part)
    assert fit is not None, f"fewer numbers than terms, or a condition above {CONDITION:.0e}"
    assert fit.wrong() == {}
    assert fit.residual < 1e-11


L1 = """
    def neg_kl_std_normal(mu, log_var):
        value = (0.5 * (1 + log_var - mu**2 - np.exp(log_var))).sum(-1){value}
        def back(d):
            d = d[:, None]
            return -d * mu{mu}, 0.5 * d * (1 - np.exp(log_var)){log_var}
        return value, back
"""
ADDED_TO_L1 = {  # (added to the value, to ∂μ, to ∂log σ²): words of the headline
    "a term of the value": (
        (" - 0.25 * np.exp(log_var).sum(-1)", "", ""),
        "in the value, the term KL: σ² is multiplied by 3/2",
    ),
    "a term of value and gradient": (
        (" - 0.25 * np.exp(log_var).sum(-1)", "", " - 0.25 * d * np.exp(log_var)"),
        "in value and gradient, the term KL: σ² is multiplied by 3/2",
    ),
    "a constant": (("+ mu.shape[-1]", "", ""), "in the value, the term KL: 1 is multiplied by 3"),
    "a term of the gradient": (
        ("", "", " + 0.5 * d * np.exp(log_var)"),
        "in the gradient, the term KL: σ² is missing",
    ),
    "a flipped term": (("", " + 2 * d * mu", ""), "the term KL: μ² is of the wrong sign"),
    "two terms at once": (
        ("", " - d * mu", " - 1.5 * d"),
        "the term KL: log σ² is multiplied by −2; the term KL: μ² is doubled",
    ),
    "another mistake in each part": (
        (" * 2", " - d * mu", ""),
        "in the value: L1 is doubled: the 1/2 of S5.11 is missing; in the gradient, the term KL: "
        "μ² is doubled",
    ),
}


@pytest.mark.parametrize("name", ADDED_TO_L1)
def test_a_wrong_coefficient_is_named_though_no_mutant_has_it(name, tmp_path):
    (value, mu, log_var), says = ADDED_TO_L1[name]
    verdict = checked(
        tmp_path, "L05.neg_kl_std_normal", L1.format(value=value, mu=mu, log_var=log_var)
    )
    assert verdict.code == WRONG
    assert says in verdict.says
    assert not verdict.example
    if "the term" in says:
        assert "has coefficient" in verdict.evidence
        assert "expected 1" in verdict.evidence


def test_the_coefficient_stands_in_the_evidence(tmp_path):
    source = L1.format(value="", mu=" - 0.4 * d * mu", log_var="")
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    assert "term KL: μ² has coefficient 1.400000, expected 1" in verdict.evidence


def test_the_batch_size_is_recognised(tmp_path):
    source = L1.format(value="", mu=" / len(mu)", log_var=" / len(mu)")
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    assert verdict.says.startswith("in the gradient, every term is multiplied by 1/N")


@pytest.mark.parametrize(
    ("mu", "log_var"),
    [
        ("", " + 0.01 * d * log_var**2"),  # no term at all
        (" + 1e-4 * d * mu**3", ""),
        ("", " + 0.5 * d * (np.exp(log_var) - np.exp(log_var / 2))"),  # σ for σ²
        (" + 1e-6 * d", ""),
    ],
)
def test_what_is_left_over_prevents_a_false_name(mu, log_var, tmp_path):
    verdict = checked(
        tmp_path, "L05.neg_kl_std_normal", L1.format(value="", mu=mu, log_var=log_var)
    )
    assert verdict.code == WRONG
    assert "term" not in verdict.says
    assert verdict.mistakes == []
    assert verdict.example[0].startswith("smallest example: mu = [[")


def test_few_numbers_determine_no_coefficients():
    """Four values and four terms: a fit without a remainder, and without a meaning."""
    exercise = exercises()["L05.neg_kl_std_normal"]

    def wrong(mu, log_var):
        return (mu**3).sum(-1), exercise.of(mu, log_var)[1]

    watched = Recorded(exercise, wrong)
    watched(*np.random.default_rng(0).normal(size=(2, 4, 3)))
    assert regress(exercise, comparable(watched.samples, VALUE), VALUE) is None


# ---- A2: value and gradient apart -------------------------------------------------------------


def test_a_known_mistake_in_the_value_alone_is_named(tmp_path):
    source = L1.format(value="", mu="", log_var="").replace(
        "np.exp(log_var)))", "np.exp(log_var / 2)))", 1
    )
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    assert verdict.mistakes == ["sigma_not_squared"]
    assert verdict.says.startswith("in the value: you used σ where S5.11 has σ²")


def test_a_known_mistake_in_the_gradient_alone_is_named(tmp_path):
    source = L1.format(value="", mu=" * 2", log_var=" * 2")
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    assert verdict.mistakes == ["missing_half"]
    assert verdict.says.startswith("in the gradient: L1 is doubled")


def test_an_input_changed_in_another_way_has_no_name(tmp_path):
    source = """
        from mmvae_edu.models.one_function import vae
        def vae_bound(w, *, x, eps):
            result = vae.vae_bound(w, x=x.copy(), eps=eps)
            x {change}
            return result
    """
    named = checked(tmp_path, "L07.vae_bound", source.format(change="/= 16"))
    other = checked(tmp_path, "L07.vae_bound", source.format(change="+= 1"))
    assert named.mistakes == ["vae_data_changed_in_place"]
    assert other.mistakes == []
    assert other.says == "it changes its input in place; work on a copy"


ADAM = """
    def adam_step(theta, grad, m, v, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
        {m} (1 - beta1) * (grad - m)
        {v} (1 - beta2) * (grad**2 - v)
        {theta} learning_rate * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + epsilon)
"""


def test_a_function_that_works_in_place_is_judged_by_what_it_changes(tmp_path):
    right = ADAM.format(m="m +=", v="v +=", theta="theta -=")
    assert checked(tmp_path, "L07.adam_step", right).code == RIGHT
    rebinds = ADAM.format(m="m +=", v="v +=", theta="theta = theta -")
    assert checked(tmp_path, "L07.adam_step", rebinds).mistakes == ["adam_rebinds_theta"]
    pure = ADAM.format(m="m = m +", v="v = v +", theta="return theta -")
    assert checked(tmp_path, "L07.adam_step", pure).says == (
        "it leaves theta, m, v as they were, and has to work in place"
    )
    spoilt = right + "        grad *= 0\n"
    assert "changes its input in place" in checked(tmp_path, "L07.adam_step", spoilt).says


# ---- A4: simple factors -----------------------------------------------------------------------

SAMPLE = """
    def gaussian_sample(mu, log_var, *, eps):
        std = np.exp(log_var / 2)
        def back(dz):
            return dz.sum(0){mu}, 0.5 * (dz * eps * std).sum(0){log_var}
        return mu + std * eps{z}, back
"""
FACTORS = {  # (mu, log_var, z)
    "the gradient of log_var is 1/K times what it should be": ("", " / len(eps)", ""),
    "the gradient of log_var is 2/K times what it should be": ("", " * 2 / len(eps)", ""),
    "the gradient of mu is σ (log_var) times what it should be": (" * std", "", ""),
    "the gradient of log_var is 2 · 1/σ² (log_var) times": ("", " * 2 / std**2", ""),
    "the gradient of mu has the wrong sign": (" * -1", "", ""),
    "the gradient of mu is 0": (" * 0", "", ""),
    "every gradient is 5 times what it should be": (" * 5", " * 5", ""),
    "the value is 0.75 too large in every place": ("", "", " + 0.75"),
}


@pytest.mark.parametrize("says", FACTORS)
def test_simple_factors_are_named(says, tmp_path):
    mu, log_var, z = FACTORS[says]
    verdict = checked(tmp_path, "L06.gaussian_sample", SAMPLE.format(mu=mu, log_var=log_var, z=z))
    assert says in verdict.says
    assert verdict.mistakes == []


def test_swapped_gradients_and_exchanged_axes_are_named(tmp_path):
    swapped = """
        def kl_gauss(mu1, log_var1, mu2, log_var2):
            from mmvae_edu.gaussian import kl_gauss as right
            kl, pullback = right(mu1, log_var1, mu2, log_var2)
            def back(d):
                dmu1, dlog_var1, dmu2, dlog_var2 = pullback(d)
                return dmu1, dlog_var2, dmu2, dlog_var1
            return kl, back
    """
    says = checked(tmp_path, "L05.kl_gauss", swapped).says
    assert "the gradient of log_var1 is that of log_var2" in says
    backwards = """
        def linear(x, W, b):
            def back(dy):
                return (dy @ W.T)[:, ::-1], x.T @ dy, dy.sum(0)
            return x @ W + b, back
    """
    says = checked(tmp_path, "L07.linear", backwards).says
    assert says == "the gradient of x has the right entries, but axis 1 in another order: backwards"


def test_of_one_number_nothing_is_a_simple_function():
    exercise = exercises()["L06.gaussian_sample"]
    one = Sample(["mu"], (np.ones(1),), {}, {"": np.array([2.002])}, {"": np.array([2.0])})
    assert simple_changes(exercise, [one] * 5) == {}


def test_a_length_is_told_from_a_constant_only_where_it_varies():
    assert factor([1 / 3, 1 / 5], [{"N": 3}, {"N": 5}]) == "1/N"
    assert factor([1 / 3, 1 / 3], [{"N": 3}, {"N": 5}]) == "1/3"
    assert factor([1 / 3], [{"N": 3}]) == "1/N (1/3 here)"
    assert factor([2.0], [{"D": 2}]) == "2"
    assert factor([0.1234567, 0.7], [{"N": 3}, {"N": 5}]) is None
    assert factor([15.0, 28.0], [{"N": 3, "K": 5}, {"N": 4, "K": 7}]) == "N·K"


def test_axes_have_the_letters_of_the_docstring():
    inputs = {"mu": np.zeros((3, 2)), "eps": np.zeros((4, 3, 2))}
    assert lengths(gaussian_sample, inputs) == {"K": 4, "N": 3, "D": 2}


# ---- what anybody may do to any function -------------------------------------------------------


def examined(id, change):
    """The verdict on the library's function with its values changed: change(values, *args)."""
    of = exercises()[id].of

    @wraps(of)
    def changed(*args, **constants):
        result = of(*args, **constants)
        if not (isinstance(result, tuple) and callable(result[-1])):
            return change(result, *args)
        return change(result[0], *args), result[1]

    return examine(exercises()[id], changed, seeds=[0])


def in_float32(value, *_):
    return np.float64(np.float32(value)) if np.ndim(value) == 0 else value.astype("f").astype(float)


CHANGES = {
    ("L03.log_evidence", "the value has the wrong sign"): lambda v, *_: -v,
    ("L23.fix_06", "the value has the wrong sign"): lambda v, *_: -v,
    ("L03.decompose", "the outputs [0] and [1] are swapped"): lambda v, *_: v[::-1],
    ("L11.product_of_experts", "the outputs [0] and [1] are swapped"): lambda v, *_: v[::-1],
    ("L01.log_sum_exp", "the value is transposed"): lambda v, *_: v.T.copy(),
    ("L07.mlp", "the value is transposed"): lambda v, *_: v.T.copy(),
    ("L03.kl", "the value is 1/S times"): lambda v, q, _: v / len(q),
    ("L06.expected_log_lik", "the value is 1/N times"): lambda v, mu, _: v / len(mu),
    ("L17.vae_grad", "the value is N/K times"): lambda v, g: v * g.shape[1] / len(g),
    ("L16.iwae", "the value is log N too large"): lambda v, w: v + np.log(w.shape[1]),
    ("L16.iwae", "the value is right to some 7 digits only"): in_float32,
    ("L03.kl", "the value is right to some 7 digits only"): in_float32,
    ("L07.softplus", "the value is right to some 7 digits only"): in_float32,
    ("L07.linear", "the value does not depend on x[1:]"): lambda v, *_: v * 0 + v[0],
}


@pytest.mark.parametrize(("id", "says"), CHANGES)
def test_a_change_is_named_in_every_exercise_alike(id, says):
    verdict = examined(id, CHANGES[id, says])
    assert (verdict.code, verdict.mistakes) == (WRONG, [])
    assert verdict.says.startswith(says)


WRONG_IN_PLACES = {
    "the value does not depend on z": (
        "L18.wilson_interval",
        """
        def wilson_interval(hits, n, *, z=1.96):
            p = hits / n
            half = 2 * np.sqrt(p * (1 - p) / n + 4 / n**2)
            return p - half, p + half
        """,
    ),
    "the value does not depend on eps[1:]": (
        "L06.expected_log_lik",
        """
        def expected_log_lik(mu, log_var, *, eps, log_px_z):
            return 2 * log_px_z(mu + np.exp(log_var / 2) * eps[:1])[0][0]
        """,
    ),
    "the value is wrong only where mask has a False; ": (
        "L09.subset_elbo",
        """
        def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
            from mmvae_edu.slides.s06_weighted_elbo import subset_elbo as right
            value, back = right(log_px_z, log_ratio, mask=mask, weights=weights, beta=beta)
            return value * (2 - mask.mean(0)), back
        """,
    ),
    "the value is wrong only where log_joint is beyond ±10; this does not hold: ": (
        "L03.log_evidence",
        """
        def log_evidence(log_joint):
            return float(np.log(np.exp(log_joint).sum() + 1e-300))
        """,
    ),
    "the value is wrong only where D is 2 or more; ": (
        "L05.kl_gauss",
        """
        def kl_gauss(mu1, log_var1, mu2, log_var2):
            from mmvae_edu.gaussian import kl_gauss as right
            value, back = right(mu1, log_var1, mu2, log_var2)
            return value + mu1[..., 1:].sum(-1), back
        """,
    ),
    "the value is 23.0259 where it should be ∞": (
        "L03.kl",
        """
        def kl(q, p):
            q, p = q[q > 0], p[q > 0]
            value = (q * np.log(q / np.maximum(p, 1e-300))).sum()
            return float(value if value < 100 else 10 * np.log(10))
        """,
    ),
    "returns nan, expected a finite number, where q[0] is 0": (
        "L03.elbo",
        """
        def elbo(q, log_joint):
            return float((q * (log_joint - np.log(q))).sum())
        """,
    ),
    "is right on the first call only: it changes what the value has saved": (
        "L01.categorical_log_prob",
        """
        def categorical_log_prob(logits, *, x):
            shifted = logits - logits.max(axis=-1, keepdims=True)
            p = np.exp(shifted)
            total = p.sum(axis=-1, keepdims=True)
            p /= total
            def back(d):
                np.subtract(x, p, out=p)
                p[...] *= d[..., None]
                return p
            return (x * shifted).sum(-1) - np.log(total[..., 0]), back
        """,
    ),
    "gives another output when called twice with the same input": (
        "L15.bootstrap_ci",
        """
        def bootstrap_ci(values, rng, *, level=0.95, resamples=2000):
            means = values[np.random.randint(0, len(values), (resamples, len(values)))].mean(1)
            return tuple(np.quantile(means, [(1 - level) / 2, (1 + level) / 2]).tolist())
        """,
    ),
    "the value is the same all along axis 0, where it should vary": (
        "L12.sample_subsets",
        """
        def sample_subsets(M, k, rng):
            row = np.arange(M) < (rng.integers(2, M) if M > 2 else 1)
            return np.tile(rng.permutation(row), (k, 1))
        """,
    ),
}


@pytest.mark.parametrize("says", WRONG_IN_PLACES)
def test_it_is_said_of_which_inputs_the_result_is_wrong(says, tmp_path):
    verdict = checked(tmp_path, *WRONG_IN_PLACES[says])
    assert (verdict.code, verdict.mistakes) == (WRONG, [])
    assert says in verdict.says


# ---- A5: the way back -------------------------------------------------------------------------

VAE = """
    from mmvae_edu.ops import tanh
    from mmvae_edu.gaussian import gaussian_sample, neg_kl_std_normal
    from mmvae_edu.likelihoods import binomial_log_prob

    def linear(x, W, b):
        def back(dy):
            return dy @ W.T, x.T @ dy, dy.sum(0){db}
        return x @ W + b, back

    def mlp(w, x):
        a, first = linear(x, w["W0"], w["b0"])
        h, middle = tanh(a)
        y, last = linear(h, w["W1"], w["b1"])
        def back(dy):
            dh, dW1, db1 = last(dy)
            dx, dW0, db0 = first({da})
            return {{"W0": dW0, "b0": db0, "W1": dW1, "b1": db1}}, dx
        return y, back

    def vae_bound(w, *, x, eps):
        K, N, D = eps.shape
        heads, encode = mlp(w["encoder"], x / 16)
        mu, log_var = heads[:, :D], heads[:, D:]
        L1, kl = neg_kl_std_normal(mu, log_var)
        z, sample = gaussian_sample(mu, log_var, eps=eps)
        logits, decode = mlp(w["decoder"], z.reshape(K * N, D))
        score, likelihood = binomial_log_prob(logits.reshape(K, N, -1), x=x, n=16)
        def back(d):
            dlogits = likelihood(np.broadcast_to({d}, (K, N)))
            ddecoder, dz = decode(dlogits.reshape(K * N, -1))
            pmu, plog_var = sample({dz})
            dmu, dlog_var = kl(d)
            dencoder, _ = encode(np.concatenate([{heads}], 1))
            return {{"encoder": dencoder, "decoder": ddecoder}}
        return L1 + score.mean(0), back
"""
RIGHT_VAE = {
    "db": "",
    "da": "middle(dh)",
    "d": "d / K",
    "dz": "dz.reshape(K, N, D)",
    "heads": "dmu + pmu, dlog_var + plog_var",
}
STEPS = {  # the sentence, the line that it points at, and what is written instead
    "linear is given the right cotangent, but it returns a wrong gradient of b": (
        "def linear",
        {"db": " * b"},
    ),
    "leaves out tanh: its pullback is never called": ("tanh(a)", {"da": "dh"}),
    "before it reaches gaussian_sample: its pullback is given a wrong cotangent": (
        "sample(dz",
        {"dz": "dz.reshape(K, N, D) * z"},
    ),
    "before it reaches binomial_log_prob: its pullback is given a wrong cotangent": (
        "= likelihood(",
        {"d": "d / K * np.arange(N)"},
    ),
    "before it reaches mlp: its pullback is given a wrong cotangent": (
        "encode(np",
        {"heads": "dlog_var + plog_var, dmu + pmu"},
    ),
    "in the gradient, the terms KL: log σ² and KL: σ² are doubled": (
        "def vae_bound",
        {"heads": "dmu + pmu, 2 * dlog_var + plog_var"},
    ),
}


def test_a_vae_of_ones_own_layers_is_right(tmp_path):
    assert checked(tmp_path, "L07.vae_bound", VAE.format(**RIGHT_VAE)).code == RIGHT


@pytest.mark.parametrize("says", STEPS)
def test_the_first_wrong_step_is_named_with_its_line(says, tmp_path):
    text, instead = STEPS[says]
    verdict = checked(tmp_path, "L07.vae_bound", VAE.format(**{**RIGHT_VAE, **instead}))
    assert says in verdict.says
    lines = (tmp_path / "07_vae_backprop.py").read_text().splitlines()
    assert text in lines[verdict.line - 1]


def test_an_op_that_is_left_out_is_named_and_not_what_it_calls(tmp_path):
    invented = "(lambda dheads: ({k: d.sum() * np.cos(v) for k, v in w['encoder'].items()}, 0))(np"
    source = VAE.format(**RIGHT_VAE).replace("encode(np", invented)
    verdict = checked(tmp_path, "L07.vae_bound", source)
    assert verdict.says.startswith("the way back leaves out mlp: its pullback is never called")
    lines = (tmp_path / "07_vae_backprop.py").read_text().splitlines()
    assert "heads, encode = mlp(" in lines[verdict.line - 1]


def test_watching_leaves_the_module_as_it_was(tmp_path):
    source = VAE.format(**{**RIGHT_VAE, "db": " * b"}) + "\n    ORIGINAL = linear, mlp, tanh\n"
    verdict = checked(tmp_path, "L07.vae_bound", source)
    assert verdict.code == WRONG
    module = sys.modules["exercise"]
    assert module.ORIGINAL == (module.linear, module.mlp, module.tanh)


def test_without_watched_ops_the_gradient_nearest_the_end_is_named(tmp_path):
    source = """
        def mlp(w, x):
            depth = len(w) // 2
            hs = [x]
            for i in range(depth):
                a = hs[-1] @ w[f"W{i}"] + w[f"b{i}"]
                hs.append(np.tanh(a) if i < depth - 1 else a)
            def back(d):
                dw = {}
                for i in reversed(range(depth)):
                    dw[f"W{i}"], dw[f"b{i}"] = hs[i].T @ d, d.sum(0)
                    d = d @ w[f"W{i}"].T
                    if i:
                        d = d * (1 - hs[i] ** 2) * np.cos(hs[i])
                return dw, d
            return hs[-1], back
    """
    verdict = checked(tmp_path, "L07.mlp", source)
    assert verdict.code == WRONG
    assert verdict.says.startswith("on the way back the first wrong gradient is that of weights")
    assert verdict.example


def test_while_the_value_is_a_riddle_the_gradient_is_not_blamed(tmp_path):
    """The pullback is the derivative of a wrong value."""
    source = L1.format(value=" + 0.01 * (mu**3).sum(-1)", mu=" + 0.03 * d * mu**2", log_var="")
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    assert verdict.says.startswith("the value is wrong only where mu is not 0; this does not hold")
    assert "mu = [[" in verdict.example[0]
    assert "cotangent" not in verdict.example[0]


# ---- A6: a small example ----------------------------------------------------------------------


def test_the_smallest_example_is_small_and_round(tmp_path):
    source = L1.format(value=" + 0.01 * (mu**3).sum(-1)", mu="", log_var="")
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    first, second = verdict.example
    assert first.startswith("smallest example: mu = [[")
    inputs = dict(item.split(" = ") for item in first.partition(": ")[2].split(", "))
    mu, log_var = (float(inputs[name].strip("[]")) for name in ("mu", "log_var"))
    assert mu * 10 == round(mu * 10)
    value = 0.5 * (1 + log_var - mu**2 - np.exp(log_var))
    assert shown(np.array([value])) in second.partition("expected")[2]
    assert shown(np.array([value + 0.01 * mu**3])) in second.partition("expected")[0]


def test_explain_shows_the_equation_and_the_numbers(tmp_path):
    exercise = exercises()["L05.neg_kl_std_normal"]
    source = L1.format(value=" * 2", mu=" * 2", log_var=" * 2")
    verdict = checked(tmp_path, exercise.id, source, explain=True)
    text = " ".join(checker.message(exercise, verdict, explain=True).split())
    assert verdict.mistakes == ["missing_half"]
    assert "1/2 Σ_(j=1)^J [1 + log (σ_j)^2 - (μ_j)^2 - (σ_j)^2]" in text
    assert "smallest example: mu = " in text
    assert all(claim.statement.split()[0] in text for claim in exercise.claims)
    short = checker.message(exercise, checked(tmp_path, exercise.id, source))
    assert len(short.splitlines()) == 3


EXAMPLES = {  # wrong answers, and what their examples' inputs must be
    "total_correlation": """
        def total_correlation(P):
            from mmvae_edu.slides.s04_mean_field import product_of_marginals
            return float((P * (P - product_of_marginals(P))).sum())
    """,
    "categorical_log_prob": """
        def categorical_log_prob(logits, *, x):
            p = np.exp(logits - logits.max(-1, keepdims=True))
            p = p / p.sum(-1, keepdims=True)
            def back(d):
                return d[..., None] * (x - p)
            return (x * p**2 * (p + 1)).sum(-1), back
    """,
    "posterior_from_unimodal": """
        def posterior_from_unimodal(log_posts, log_prior):
            w = np.exp(log_posts.sum(0) + log_prior)
            return w / w.sum()
    """,
}


def numbers_in(line, name):
    return np.array(ast.literal_eval(re.sub(r"(?<=[\d.\]]) ", ", ", found_in(line, name))), float)


def found_in(line, name):
    return re.search(rf"\b{name} = (\[.*?\])(?:, \w+ = |$)", line)[1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_stay_what_the_inputs_were(name, tmp_path):
    """Probabilities that sum to 1, one-hot rows, log-probabilities."""
    id = next(id for id, e in exercises().items() if e.name == name)
    first = checked(tmp_path, id, EXAMPLES[name]).example[0]
    if name == "total_correlation":
        assert numbers_in(first, "P").sum() == pytest.approx(1)
    elif name == "categorical_log_prob":
        x = numbers_in(first, "x")
        assert (np.sort(x, axis=-1) == [0] * (x.shape[-1] - 1) + [1]).all()
    else:
        for log_p in numbers_in(first, "log_posts"), numbers_in(first, "log_prior"):
            np.testing.assert_allclose(np.exp(log_p).sum(-1), 1, atol=1e-5)


def test_what_does_not_obey_is_mended_or_refused():
    given = [
        np.array([0.25, 0.75]),
        np.log([0.25, 0.75]),
        np.array([0, 1, 1]),
        np.array([[True, False], [False, True]]),
        np.array([[2.0, 1.0], [1.0, 2.0]]),
        np.array([0.3, 0.3]),
    ]
    probabilities, logs, classes, present, covariance, anything = laws(given)
    np.testing.assert_allclose(probabilities(np.array([0.5, 0.0])), [1, 0])
    assert probabilities(np.zeros(2)) is None
    np.testing.assert_allclose(logs(np.zeros(2)), np.log([0.5, 0.5]))
    assert logs(np.full(2, -np.inf)) is None
    assert classes(np.zeros(2, int)) is None
    assert present(np.array([[True, False], [True, False]])) is None
    assert covariance(np.array([[1.0, 1.0], [1.0, 1.0]])) is None
    assert anything(np.zeros(2)) is not None


def test_of_random_numbers_there_is_no_example(tmp_path):
    source = "def sample_subsets(M, k, rng): return rng.random((k, M)) < 0.5"
    assert checked(tmp_path, "L12.sample_subsets", source).example == []


def test_found_and_expected_are_written_with_digits_that_differ(tmp_path):
    source = "def vae_grad(g): return g.mean(0) * (1 + 1e-8 * g[0])"
    numbers = checked(tmp_path, "L17.vae_grad", source).example[1].partition("value: found ")[2]
    found, expected = numbers.split(", expected ")
    assert found != expected


@pytest.mark.parametrize(
    ("bad", "marks", "line"),
    [(np.nan, not_finite, "found nan, expected 0"), (9.0, differing, "found 9, expected 0")],
)
def test_of_many_numbers_the_first_wrong_one_is_told(bad, marks, line):
    def f(g):
        mean = g.mean(0)
        if mean.shape == (4, 5):
            mean[2, 3] = bad
        return mean

    g = np.zeros((2, 4, 5))
    exercise = exercises()["L17.vae_grad"]
    sample = Sample(["g"], (g,), {}, {"": f(g)}, {"": g.mean(0)})
    example = smallest(SimpleNamespace(f=f, exercise=exercise), sample, "value", marks)
    assert example == [
        "smallest example: g = array (1, 4, 5) of 0 to 0",
        f"  value at [2, 3]: {line}",
    ]


def test_an_example_keeps_the_axes_that_the_docstring_counts(tmp_path):
    source = """
        def audit_table3(rows, *, classes, ceilings):
            from mmvae_edu.slides.s13_tables import audit_table3 as right
            shared, *others = right(rows, classes=classes, ceilings=ceilings)
            return shared**2, *others
    """
    first = checked(tmp_path, "L22.audit_table3", source, explain=True).example[0]
    four = r"\[ *\S+( +\S+){3}\]"
    assert re.search(rf"rows = \[\[{four} {four}\]\], .*, ceilings = \[\S+ \S+\]$", first)


def test_a_huge_score_can_be_read():
    claim = next(claim for claim in CLAIMS.values() if claim.tol is T4)
    assert Result(claim, False, 33361775045533228.0).numbers == "|z| 3e+16 of 4"
    assert Result(claim, False, 5.25).numbers == "|z| 5.2 of 4"


def test_a_long_example_is_left_to_explain():
    exercise = exercises()["L17.vae_grad"]
    verdict = checker.Verdict(
        WRONG, "wrong", claims=["c"], example=["smallest example: " + "1" * 999]
    )
    assert checker.message(exercise, verdict).endswith("check L17.vae_grad --explain")


# ---- words ------------------------------------------------------------------------------------


def test_a_gradient_without_its_cotangent_is_named(tmp_path):
    source = """
        def linear(x, W, b):
            def back(dy):
                return dy @ W.T, x.T @ dy, np.ones_like(b)
            return x @ W + b, back
    """
    says = checked(tmp_path, "L07.linear", source).says
    assert says == "the gradient of b leaves out the pullback's argument, the cotangent"


def test_of_a_wrong_gradient_its_own_claim_is_told(tmp_path):
    source = """
        def log_sum_exp(a, *, axis):
            from mmvae_edu.ops import log_sum_exp as right
            value, pullback = right(a, axis=axis)
            def back(d):
                return pullback(d) ** 2
            return value, back
    """
    says = checked(tmp_path, "L01.log_sum_exp", source).says
    assert "The pullback of log_sum_exp is its derivative" in says
    assert says.endswith("(The value is right.)")


SUBSET = """
    def subset_elbo(log_px_z, log_ratio, *, mask, weights, beta=1.0):
        from mmvae_edu.slides.s06_weighted_elbo import subset_elbo as right
        value, pullback = right(log_px_z, log_ratio, mask=mask, weights=weights, beta=beta)
        def back(d):
            dlog_px_z, dlog_ratio = pullback(d)
            return dlog_px_z{likelihood}, dlog_ratio{kl}
        return value, back
"""


def test_a_factor_may_be_a_number_among_the_inputs(tmp_path):
    verdict = checked(tmp_path, "L09.subset_elbo", SUBSET.format(likelihood="", kl=" * beta"))
    assert verdict.says == "in the gradient, the term β KL is multiplied by beta"


def test_a_factor_of_two_may_be_a_length():
    assert factor([2.0, 2.0], [{"K": 2, "N": 3}, {"K": 2, "N": 5}]) == "2 (K is 2 here)"
    assert factor([2.0, 2.0], [{"K": 2}, {"K": 3}]) == "2"
    assert factor([0.4], [{"beta": 0.4}]) == "beta"
    assert factor([16.0], [{"n": 16}]) == "n (16 here)"


def test_equal_coefficients_are_told_together(tmp_path):
    source = SUBSET.format(likelihood=" * 1.5", kl=" * -1")
    verdict = checked(tmp_path, "L09.subset_elbo", source)
    assert verdict.evidence.count("has coefficient -1.000000") == 1
    assert verdict.evidence.count("have coefficient 1.500000") == 1
    assert "modality 0, λ log p(x|z) of modality 1 and λ" in verdict.says


def test_every_oracle_speaks_once(tmp_path):
    source = "def log_evidence(log_joint): return float(log_joint.max()) - 1"
    evidence = checked(tmp_path, "L03.log_evidence", source).evidence
    oracles = re.findall(r"against ([^:]+):", evidence)
    assert len(oracles) == len(set(oracles)) > 0


def test_a_kernels_launch_is_not_taken_for_its_arguments(tmp_path):
    source = """
        import math
        from mmvae_edu.kernels.simulator import cuda
        @cuda.jit
        def precision_kernel(size, log_var, precision):
            i = cuda.grid(1)
            if i < size:
                precision[i] = math.exp(-log_var[i] / 3)
    """
    verdict = checked(tmp_path, "L24.precision_kernel", source)
    assert verdict.says.startswith("this does not hold")
    assert verdict.example == []


def test_every_equation_can_be_read_as_text():
    for equation in load_equations():
        assert not set("\\{}") & set(plain(equation.latex)), equation.id
    assert (
        plain(r"\frac{1}{2} \sum_{j} \mathbb{E}_{q} \left[ \sigma_j \right]") == "1/2 Σ_j E_q [σ_j]"
    )
    assert plain(r"\log \frac{p(x,z)}{q(z)}") == "log p(x,z)/q(z)"


# ---- nested results ---------------------------------------------------------------------------


def test_nested_results_are_compared_by_name():
    w = {"W": np.ones((2, 3)), "b": np.zeros(3)}
    assert [path for path, _ in named_leaves(w, "w")] == ["w['W']", "w['b']"]
    assert difference({"b": w["b"], "W": w["W"]}, w) is None
    assert difference({"W": w["W"]}, w) == ("shape", "a dict of W", "a dict of W, b")
    kind, found, wanted = difference({"W": w["W"].T, "b": w["b"]}, w)
    assert (kind, found, wanted) == ("shape", "array (3, 2) in ['W']", "array (2, 3)")
    copy = copied(w)
    copy["W"][0] = 5
    assert w["W"][0, 0] == 1


def test_messages_name_the_parameter_and_not_the_observer(tmp_path):
    source = L1.format(value="", mu=" + 1e-4 * d * mu**3", log_var="")
    verdict = checked(tmp_path, "L05.neg_kl_std_normal", source)
    assert "Recorded" not in verdict.evidence
    assert "GradientError" not in verdict.evidence
