"""Options of the commands whose workers may run on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.errors import BadInput

if TYPE_CHECKING:
    from flows.on_ray import Runner

RunnerKind = Annotated[Literal["local", "ray"], typer.Option(help="Processes of this machine, or Ray.")]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Ray cluster, or auto; without it Ray on this machine.")
]
Gpus = Annotated[
    float,
    typer.Option(
        min=0, max=8, help="Share of a GPU, such as 0.25, that Ray gives to a listener, or to making a shard's sounds."
    ),
]


def runner_of(kind: str, address: str | None, gpus: float) -> Runner | None:
    """What the options say; None for processes of this machine."""
    if kind == "local":
        if address is not None or gpus:
            raise BadInput("--address and --gpus are of Ray; pass --runner ray too")
        return None
    if gpus != round(gpus, 0 if gpus > 1 else 4):
        raise BadInput(
            f"--gpus {gpus!r}: Ray shares out one GPU in parts of 0.0001, and more whole; pass such a number"
        )
    from flows.on_ray import Runner

    return Runner(address, gpus)
