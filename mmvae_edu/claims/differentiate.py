"""Gradients for wrong functions: a mutant whose backward agrees with its forward.

Such a mutant passes every gradient check, and only an oracle for the value rejects it.
"""

from functools import wraps

import numpy as np

STEP = 1e-30


def differentiated(f):
    """`f` as an op (value, pullback), its pullback by complex step, one coordinate at a time.

    f(*args, **constants) returns an array or a tuple of arrays, analytic in the arrays args.
    """

    @wraps(f)
    def op(*args, **constants):
        def complex_step_pullback(*cotangents):
            gradients = []
            for i, arg in enumerate(args):
                gradient = np.empty_like(arg)
                for index in np.ndindex(arg.shape):
                    shifted = arg.astype(complex)
                    shifted[index] += STEP * 1j
                    values = f(*args[:i], shifted, *args[i + 1 :], **constants)
                    values = values if isinstance(values, tuple) else (values,)
                    gradient[index] = sum(
                        (d * np.imag(value)).sum() / STEP
                        for d, value in zip(cotangents, values, strict=True)
                    )
                gradients.append(gradient)
            return tuple(gradients) if len(args) > 1 else gradients[0]

        return f(*args, **constants), complex_step_pullback

    return op
