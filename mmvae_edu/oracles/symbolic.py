"""Expressions of SymPy (oracle O8): whether they are 0, and integrals of Gaussians.

SymPy is an extra; it is imported on the first call.
"""

from importlib.util import find_spec

INSTALL = "pip install 'mmvae_edu[symbolic]'"


def available():
    """Tell whether SymPy is installed."""
    return find_spec("sympy") is not None


def vanishes(expression):
    """Tell whether an expression is 0 as a rational function of its symbols and exponentials."""
    import sympy

    generators = {}

    def split(exponent):
        """Write exp(Σ c·m) as Π exp(m)^c with one symbol per monomial m."""
        factors = []
        for term in sympy.Add.make_args(sympy.expand(exponent)):
            coefficient, rest = term.as_coeff_Mul()
            one = generators.setdefault(rest, sympy.Symbol(f"e{len(generators)}", positive=True))
            factors.append(one ** (2 * coefficient))
        return sympy.Mul(*factors)

    if expression.has(sympy.Float):
        raise ValueError("a rounded number stands in an expression")
    rational = expression.replace(sympy.exp, split)
    numerator, _ = sympy.fraction(sympy.together(rational))
    if sympy.expand(numerator) == 0:
        return True
    return expression.has(sympy.tanh) and vanishes(expression.rewrite(sympy.tanh, sympy.exp))


# ---- Gaussian integrals ----


class Unknown(ValueError):
    """An integral or a logarithm that the rules here do not give."""


def normal(z, mean, var):
    """Return the density N(z; mean, var); its variance must be known to be positive."""
    import sympy

    if not positive(var):
        raise Unknown(f"the variance {var} is not known to be positive")
    return sympy.exp(-((z - mean) ** 2) / (2 * var)) / sympy.sqrt(2 * sympy.pi * var)


def positive(expression):
    """Tell whether an expression is positive under its symbols' signs, so far as can be seen."""
    import sympy

    return bool(expression.is_positive or sympy.factor(expression).is_positive)


def moment(n, a):
    """Return ∫ y^n exp(−a y²) dy over the reals, for a > 0."""
    import sympy

    return 0 if n % 2 else sympy.sqrt(sympy.pi / a) * sympy.factorial2(n - 1) / (2 * a) ** (n // 2)


def integral(f, z):
    """Return ∫ f dz over the reals, of a sum of polynomials in z times exp(−a z² + b z + c)."""
    import sympy

    total = 0
    for term in sympy.Add.make_args(sympy.expand(logarithms_split(f), power_exp=False)):
        factors, rest = term.as_independent(z, as_Add=False)
        exponent, polynomial = 0, 1
        for factor in sympy.Mul.make_args(rest):
            if isinstance(factor, sympy.exp):
                exponent += factor.exp
            else:
                polynomial *= factor
        try:
            square = sympy.Poly(sympy.expand(exponent), z)
            sympy.Poly(polynomial, z)
        except sympy.PolynomialError:
            raise Unknown(f"no rule integrates {rest} over {z}") from None
        c, b, a = [*reversed(square.all_coeffs()), 0, 0][:3]
        if square.degree() > 2 or not positive(-a):
            raise Unknown(f"the integral of {rest} over {z} is not known to be finite")
        middle = -b / (2 * a)
        scale = sympy.exp(sympy.factor(c - b * b / (4 * a)))
        for (n,), coefficient in sympy.Poly(sympy.S(polynomial).subs(z, z + middle), z).terms():
            total += factors * scale * coefficient * moment(n, -sympy.factor(a))
    return total


def logarithms_split(expression):
    """Write the logarithm of every product of known sign as a sum of logarithms."""
    import sympy

    def split(argument):
        return sympy.expand_log(sympy.log(sympy.powsimp(sympy.factor(argument, deep=True))))

    return expression.replace(sympy.log, split)


def is_zero(expression):
    """Tell whether an expression is proved to be 0."""
    return vanishes(logarithms_split(expression))


def equal(u, v):
    """Tell whether two expressions are proved to be equal: by their difference or their ratio."""
    import sympy

    if positive(u) and positive(v) and is_zero(sympy.log(u / v)):
        return True
    return is_zero(u - v)
