"""Parameters: nested names over one flat vector.

One flat vector makes Adam one pass, a checkpoint one array, and a gradient check of a whole
model the same as that of an op.  The nested dict of views is what the networks read.
"""

from math import prod


class Tree:
    """The layout of a nested dict of arrays in one flat vector.

    >>> tree = Tree({"encoder": {"W": (4, 3), "b": (3,)}})
    >>> theta = np.zeros(tree.size)
    >>> tree.views(theta)["encoder"]["W"].shape
    (4, 3)
    """

    def __init__(self, shapes):
        self.shapes = shapes
        self.size = sum(prod(shape) for _, shape in leaves(shapes))

    def views(self, flat):
        """Return the nested dict of views into `flat`: writing to a view writes to the vector."""
        found = getattr(flat, "shape", type(flat).__name__)
        if found != (self.size,):
            raise ValueError(f"theta: expected shape ({self.size},), found {found}")
        return _views(self.shapes, flat, 0)[0]


def leaves(tree, path=""):
    """Yield (path, leaf) pairs in order, the path written with slashes."""
    for name, branch in tree.items():
        if isinstance(branch, dict):
            yield from leaves(branch, f"{path}{name}/")
        else:
            yield path + name, branch


def _views(shapes, flat, start):
    views = {}
    for name, shape in shapes.items():
        if isinstance(shape, dict):
            views[name], start = _views(shape, flat, start)
        else:
            stop = start + prod(shape)
            views[name], start = flat[start:stop].reshape(shape), stop
    return views, start
