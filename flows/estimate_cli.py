"""`streamaudio estimate`: what a build will come to, before anything is spent."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from flows.terminal import out, stages
from pipeline.errors import BadInput


def estimate(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML recipe.")],
    library: Annotated[
        Path | None, typer.Option(help="Library it will be built from; --calibrate builds from it.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Estimate only so many streams.")] = None,
    hours: Annotated[float | None, typer.Option(min=0.01, help="Extrapolate to so many hours of audio.")] = None,
    items: Annotated[int | None, typer.Option(min=1, help="Extrapolate to so many streams.")] = None,
    measured: Annotated[
        Path | None, typer.Option(metavar="CORPUS", help="A build of this recipe, whose timings are the basis.")
    ] = None,
    calibrate: Annotated[
        int | None, typer.Option(min=1, help="Build so many streams first, and measure these.")
    ] = None,
    sound_price: Annotated[
        float | None, typer.Option(min=0, help="What a service takes for a sound that no clip fits.")
    ] = None,
    machines: Annotated[int, typer.Option(min=1, help="Machines of the wall time.")] = 1,
    cores: Annotated[int, typer.Option(min=1, help="Cores of each.")] = 8,
) -> None:
    """Say what a build will come to: scenes, hours, bytes, shards, machine time, language tokens and money."""
    from pipeline.config import load_recipe
    from pipeline.estimate import estimate as foretell

    loaded = load_recipe(recipe)
    if library is not None:
        from pipeline.library.library import Library

        Library.open(library)
    if hours is not None or items is not None:
        _extrapolate(loaded, library, hours, items, measured, calibrate, sound_price, machines, cores)
        return
    found = foretell(loaded, limit)
    out.print(
        f"{found.streams} streams in {found.scenes} scenes, {found.hours:.2f} h, {found.bytes / 1e6:.0f} MB in "
        f"{found.shards} shards"
    )
    if found.roles:
        table = Table("role", "requests", "tokens in", "tokens out", found.currency, box=None)
        for name, role in found.roles.items():
            cost = "no price" if role.cost is None else f"{role.cost:.4f}"
            table.add_row(name, str(role.requests), str(role.input_tokens), str(role.output_tokens), cost)
        out.print(table)
        cost = "unknown: give the model a price" if found.cost is None else f"{found.cost:.4f} {found.currency}"
        out.print(f"cost {cost}")
    out.print(f"from {found.basis}")


def _extrapolate(
    recipe: Any,
    library: Path | None,
    hours: float | None,
    items: int | None,
    measured: Path | None,
    calibrate: int | None,
    sound_price: float | None,
    machines: int,
    cores: int,
) -> None:
    from pipeline.forecast import forecast
    from pipeline.shards.reader import read_manifest
    from pipeline.shards.timings import summary_of

    if (measured is None) == (calibrate is None):
        raise BadInput("machine time comes from a build: give --measured CORPUS, or --calibrate 20 to make one now")
    with tempfile.TemporaryDirectory(prefix="streamaudio-calibration-") as scratch:
        corpus = measured or Path(scratch) / "corpus"
        if calibrate is not None:
            _calibrate(recipe, library, corpus, calibrate)
        timings = summary_of(corpus)
        if timings is None:
            raise BadInput(f"{str(corpus)!r} kept no timings (.state was deleted); use --calibrate 20")
        found = forecast(recipe, timings, read_manifest(corpus), hours=hours, items=items)
    out.print(f"{found.streams:,} streams, {found.hours:,.0f} h, {found.shards:,} shards")
    table = Table("stage", "core hours", box=None)
    for name, stage_hours in [*found.stage_hours.items(), ("total", sum(found.stage_hours.values()))]:
        table.add_row(name, f"{stage_hours:,.1f}")
    out.print(table)
    table = Table("storage", "TB", box=None)
    for codec, size in found.storage.items():
        table.add_row(codec, f"{size / 1e12:,.3f}")
    out.print(table)
    language = "no price" if found.language_cost is None else f"{found.language_cost:,.2f} {found.currency}".strip()
    out.print(f"language model: {language}")
    made = "no --sound-price" if sound_price is None else f"{found.made_sounds * sound_price:,.2f}"
    out.print(f"sounds to generate, if a service makes them: {found.made_sounds:,.0f}, {made}")
    wall = found.wall_hours(machines, cores)
    out.print(
        f"wall time on {machines} machines of {cores} cores: {wall:,.1f} h, planning {found.planning_hours:,.1f} h"
    )
    out.print(f"measured on {found.basis}")


def _calibrate(recipe: Any, library: Path | None, corpus: Path, streams: int) -> None:
    from flows.build_corpus import build_corpus
    from flows.starter import find_library

    with stages() as on_progress:
        found = find_library(library, recipe.library, on_progress)
        enough = recipe.model_copy(update={"streams": max(streams, recipe.streams)})
        build_corpus(enough, found, corpus, limit=streams, on_progress=on_progress)
