"""Settings of a system: the checks of its constructor."""

from numbers import Integral

from ..support.checks import finite_number

KL = ("closed_form", "monte_carlo")  # of the ELBO's second part                  [S5.11]


def check_modalities(modalities):
    """Raise a ValueError unless modalities is a dict name → likelihood, and not empty."""
    if not isinstance(modalities, dict):
        raise ValueError(f"modalities: expected a dict name → likelihood, found {modalities!r}")
    if not modalities:
        raise ValueError("modalities: expected at least one, found none")
    for name, likelihood in modalities.items():
        if not isinstance(name, str):
            raise ValueError(f"modalities: expected a str for each name, found {name!r}")
        if not hasattr(likelihood, "features"):
            raise ValueError(
                f"modalities: expected a likelihood for {name!r}, such as Bernoulli(784), "
                f"found {likelihood!r}"
            )


def check_hidden(hidden, modalities):
    """Raise a ValueError unless hidden has layer sizes, or for every modality a pair of them."""
    if isinstance(hidden, dict):
        pairs = [hidden.get(name) for name in modalities]
        valid = all(
            isinstance(p, tuple | list) and len(p) == 2 and all(map(_sizes, p)) for p in pairs
        )
    else:
        valid = _sizes(hidden)
    if not valid:
        raise ValueError(
            "hidden: expected sizes such as (256, 256), or for every modality a pair of them, "
            f"found {hidden}"
        )


def _sizes(found):
    """Tell whether these are layer sizes: whole numbers above 0, or none."""
    return isinstance(found, tuple | list) and all(
        isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in found
    )


def choice(name, value, choices):
    """Return value; a ValueError unless it is one of the choices."""
    if value not in tuple(choices):
        raise ValueError(f"{name}: expected one of {tuple(choices)}, found {value!r}")
    return value


def number_per_modality(name, numbers, modalities):
    """Complete a dict modality → number ≥ 0, None for an empty one, by 1 for absent modalities."""
    numbers = {} if numbers is None else numbers
    if not isinstance(numbers, dict):
        raise ValueError(f"{name}: expected a dict of modality → number, found {numbers!r}")
    if unknown := [key for key in numbers if key not in modalities]:
        raise ValueError(f"{name}: unknown modality {unknown}, known {list(modalities)}")
    for modality, value in numbers.items():
        finite_number(f"{name}[{modality!r}]", value, 0)
    return {modality: float(numbers.get(modality, 1)) for modality in modalities}
