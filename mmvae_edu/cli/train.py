"""The command train: one system on the embedded digits."""

from pathlib import Path

from .. import models
from .arguments import filename, whole


def add_commands(add):
    """Add the command by `add(name, run, help, example=)`; its `run` returns an exit code."""
    train = add(
        "train", _train, "train one system on the embedded digits and save it",
        "Trains one system on the embedded digits and saves the model. With --checkpoint an "
        "interrupted run resumes where it stopped when the command is given again.",
        example="train MMVAE --steps 5000 --checkpoint run.npz",
    )  # fmt: skip
    known = ", ".join(models.SYSTEMS)
    train.add_argument("system", choices=models.SYSTEMS, metavar="SYSTEM", help=known)
    numbers = {"metavar": "N", "help": "default %(default)s"}
    train.add_argument("--steps", type=whole(1), default=1200, **numbers)
    train.add_argument(
        "--samples", type=whole(1), default=1, metavar="K", help="K of the bound, default 1"
    )
    train.add_argument("--seed", type=whole(0), default=0, **numbers)
    train.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    train.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    train.add_argument(
        "--checkpoint", type=filename, metavar="FILE", help="resume from FILE if it exists"
    )
    out = {"metavar": "FILE", "help": "default %(default)s"}
    train.add_argument("--out", type=filename, default=Path("model.npz"), **out)


def _train(arguments):
    from ..data import load_digits
    from ..support import files
    from ..tour import digits

    out = files.prepare(arguments.out, "--out")  # before the training, not after it
    checkpoint = arguments.checkpoint
    if checkpoint and out == files.prepare(checkpoint, "--checkpoint"):
        raise ValueError(f"--out {arguments.out}: that is the checkpoint; name another file")
    needs = models.SYSTEMS[arguments.system]
    names = list(digits.MODALITIES)[: needs.modalities]
    modalities = {name: digits.MODALITIES[name] for name in names}
    condition = {"condition": names[-1]} if needs.condition else {}
    model = getattr(models, arguments.system)(modalities, **digits.NETWORKS, **condition)
    x = load_digits("image+strokes", seed=arguments.seed).train.x
    history = model.fit(
        {name: x[name] for name in names},
        steps=arguments.steps,
        samples=arguments.samples,
        seed=arguments.seed,
        device=arguments.device,
        dtype=arguments.dtype,
        checkpoint=arguments.checkpoint,
    )
    model.save(arguments.out)
    print(f"{arguments.out}: {arguments.system}, bound {history[-1]['bound']:.2f} nats an example")
    return 0
