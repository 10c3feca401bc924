"""Input checks of the compiled backends, with their error messages."""

from .arrays import FLOATS, check_device, check_plain


class Inputs:
    """The checks of a backend whose arrays are those of the library `xp`.

    convert: the function that brings an array of another library there, for the messages.
    """

    def __init__(self, backend, xp, convert):
        self.backend, self.xp, self.convert = backend, xp, convert

    def check(self, kernel, arrays, options):
        """Raise a TypeError or ValueError unless the arguments fit the kernel's row of the table.

        arrays: name → array, for a mask also None; options: the other arguments.  Returns the
        lengths of the axes.
        """
        kernel.check(**options)
        self._check_dtypes(kernel, arrays)
        lengths = {}
        for name in kernel.inputs:
            if name == "mask":
                if arrays[name] is None:
                    continue
                self._check_mask(arrays[name])
            fit(kernel, name, arrays[name].shape, lengths)
            for axis, problem in kernel.nonempty.items():
                if lengths.get(axis) == 0:
                    raise ValueError(f"{problem}, found {axis} = 0")
        for name in kernel.in_place:
            flags = arrays[name].flags
            if not (flags.c_contiguous and getattr(flags, "writeable", True)):
                raise ValueError(
                    f"{name}: it is changed in place; expected a writable contiguous array"
                )
        return lengths

    def check_out(self, kernel, out, arrays, lengths):
        """Raise an error unless the kernel can write its outputs to `out`.

        arrays: the inputs, which no output may overlap; lengths: of their axes.
        """
        names, several = list(kernel.outputs), isinstance(out, tuple)
        given = out if several else (out,)
        if len(given) != len(names) or several != (len(names) > 1):
            tuple_of = f"a tuple of {len(names)} arrays, {', '.join(names)}"
            expected = tuple_of if len(names) > 1 else "one array" if names else "none"
            found = f"a tuple of {len(out)}" if several else type(out).__name__
            raise ValueError(f"out: {kernel.name} expected {expected}, found {found}")
        inputs = {name: array for name, array in arrays.items() if array is not None}
        dtype = next(array.dtype for name, array in inputs.items() if name != "mask")
        taken = {f"input {name}": array for name, array in inputs.items()}
        for name, array in zip(names, given, strict=True):
            axes, shape = kernel.outputs[name], ()
            if name in kernel.several:
                axes, shape = axes[1:], lengths["…"]
            shape += tuple(lengths[axis] for axis in axes)
            self._check_output(f"out, {name}", array, dtype, shape, taken)
            taken[f"output {name}"] = array

    def _check_output(self, where, array, dtype, shape, taken):
        self._check_library(where, array)
        if array.dtype != dtype or array.shape != shape:
            found = f"{array.dtype} of shape {array.shape}"
            raise ValueError(f"{where}: expected {dtype} of shape {shape}, found {found}")
        if not (array.flags.c_contiguous and getattr(array.flags, "writeable", True)):
            found = "a read-only one" if array.flags.c_contiguous else f"strides {array.strides}"
            raise ValueError(f"{where}: expected a writable contiguous array, found {found}")
        for other, memory in taken.items():
            if self.xp.may_share_memory(array, memory):
                raise ValueError(f"{where}: expected memory of its own, found that of the {other}")

    def _check_dtypes(self, kernel, arrays):
        """Raise a TypeError unless all but the mask have the largest one's dtype, a float."""
        expected = None
        for name in sorted(kernel.inputs, key=lambda name: -len(kernel.inputs[name])):
            array = arrays[name]
            if name == "mask":
                continue
            self._check_library(name, array)
            expected = expected or array.dtype
            if array.dtype not in FLOATS or array.dtype != expected:
                wanted = expected if expected in FLOATS else "float32 or float64"
                fix = "use kernels.reference" if array.dtype.kind == "c" else "convert with .astype"
                raise TypeError(f"{name}: expected {wanted}, found {array.dtype}; {fix}")

    def _check_mask(self, mask):
        self._check_library("mask", mask)
        if mask.dtype != bool:
            raise TypeError(f"mask: expected bool, found {mask.dtype}; compare it with != 0")

    def _check_library(self, name, array):
        if type(array) is not self.xp.ndarray:
            check_plain(name, array)
        if not isinstance(array, self.xp.ndarray):
            kind = f"{type(array).__module__}.{type(array).__qualname__}"
            other = ", or pass kernels=kernels.best(array)" if hasattr(array, "dtype") else ""
            raise TypeError(
                f"{name}: {self.backend} takes {self.xp.__name__} arrays, found {kind}; "
                f"convert it with {self.convert}{other}"
            )
        check_device(name, array)


def fit(kernel, name, shape, lengths):
    """Add an array's axes to `lengths`; raise a ValueError where one has another length already.

    lengths: axis → its length; "…" → the lengths of all that stand in the place of one.
    """
    axes, found = kernel.inputs[name], shape
    if name in kernel.several:
        count = max(len(shape) - len(axes) + 1, 0)
        axes, found = ("…", *axes[1:]), (shape[:count], *shape[count:])
    pairs = list(zip(axes, found, strict=False))
    if len(axes) == len(found) and all(lengths.get(axis, n) == n for axis, n in pairs):
        lengths.update(pairs)
        return
    expected = [lengths.get(axis, axis) for axis in axes]
    if isinstance(expected[0], tuple):
        expected[:1] = expected[0]
    wanted = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
    first = next(iter(kernel.inputs))
    source = f" as {first}" if expected[0] == "…" and first != name else ""
    raise ValueError(f"{name}: expected shape ({wanted}){source}, found {shape}")


def counted(step):
    """Raise a ValueError for a step below 1: Adam divides by 1 − βᵗ."""
    if not step >= 1:
        raise ValueError(f"step: expected a count from 1 on, found {step}")
