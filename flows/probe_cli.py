"""The commands under `probe`: train the small bundled model, and examine it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from flows.terminal import out, stages

probe_app = typer.Typer(no_args_is_help=True, help="The bundled probe: a small model that hears when to reply.")

EXAMINED_ON = 100


@probe_app.command("train")
def probe_train(
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the weights go, as safetensors.")],
    recipe: Annotated[
        Path | None, typer.Option(help="YAML (schemas/probe.py); the bundled probe's recipe without it.")
    ] = None,
) -> None:
    """Render scenes, train a probe on them and write its weights."""
    from flows.probe import train_probe
    from pipeline.config import load_as
    from pipeline.errors import BadInput
    from pipeline.streaming.probe import save_weights
    from schemas.probe import ProbeRecipe

    if not out_file.parent.is_dir():
        raise BadInput(f"--out {str(out_file)!r} lies in no folder; make it first")
    loaded = ProbeRecipe() if recipe is None else load_as(ProbeRecipe, recipe)
    with stages() as on_progress:
        probe = train_probe(loaded, on_progress)
    save_weights(probe, out_file)
    out.print(
        f"weights  {out_file}  ({out_file.stat().st_size / 1e6:.1f} MB, replies from {probe.card.threshold:g} on)"
    )
    out.print(f"next: streamaudio probe test --weights {out_file}")


@probe_app.command("test")
def probe_test(
    weights: Annotated[Path | None, typer.Option(help="A file of `probe train`; the bundled probe without it.")] = None,
    streams: Annotated[int, typer.Option(min=1, help="Streams of each examination.")] = EXAMINED_ON,
    library: Annotated[
        Path | None, typer.Option(help="A library of real recordings, to be examined with those too.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there.")] = None,
) -> None:
    """Examine a probe with sounds, kinds and voices it was not trained on, beside silence and chance."""
    from flows.probe import examinations
    from pipeline.streaming.probe import load_probe

    rows: dict[str, dict[str, float]] = {}
    table = Table(
        "examined with", "who", "precision", "recall", "F1", "F1 at 1", "at 0", "accuracy", "balanced", "false/h",
        box=None,
    )  # fmt: skip
    with stages() as on_progress:
        for name, examination in examinations(load_probe(weights), streams, library, on_progress):
            for who, scores in examination.items():
                rows[f"{name}, {who}"] = figures = asdict(scores)
                shares = ("precision", "recall", "f1", "f1_at_1", "f1_at_0", "accuracy", "balanced_accuracy")
                table.add_row(name, who, *(f"{figures[s]:.3f}" for s in shares), f"{scores.false_per_hour:.1f}")
    out.print(table)
    if json_file is not None:
        flat = {f"{name}: {key}": value for name, figures in rows.items() for key, value in figures.items()}
        json_file.write_text(json.dumps(flat, indent=2) + "\n", encoding="utf-8")
