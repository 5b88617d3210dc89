"""The command line. Commands parse arguments, show progress and print; the work is elsewhere."""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.markup import escape
from rich.table import Table

from flows import estimate_cli, streaming_cli, validate_cli, view_cli
from flows.corpus_cli import corpus_app, print_changes
from flows.library_cli import library_app
from flows.probe_cli import probe_app
from flows.ray_options import Address, Gpus, RunnerKind, runner_of
from flows.terminal import err, out, place, settings, stages
from pipeline.errors import BadInput, StreamAudioError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Build long audio streams with sparse labels that say when to speak.",
    epilog="Any command takes --debug to show the traceback of an error, and --log-json to report progress and errors "
    "as lines of JSON on standard error.",
)
recipe_app = typer.Typer(no_args_is_help=True, help="Recipes: their schema, and one with its defaults filled in.")
app.add_typer(library_app, name="library")
app.add_typer(corpus_app, name="corpus")
app.add_typer(recipe_app, name="recipe")
app.add_typer(probe_app, name="probe")
app.command()(streaming_cli.stream)
app.command()(streaming_cli.serve)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML recipe.")]
CorpusFolder = Annotated[Path, typer.Argument(metavar="CORPUS", help="A folder that `build` made.")]
Format = Literal["audio-interaction", "webdataset", "lhotse", "nemo", "jams", "hub"]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")]
INTERRUPTED = 130


def main() -> NoReturn:
    """Run one command; a user's mistake is one line on standard error and an exit status of DESIGN 4.1."""
    debug, settings.json = "--debug" in sys.argv, "--log-json" in sys.argv
    _configure_prefect()
    try:
        status = app(args=[a for a in sys.argv[1:] if a not in ("--debug", "--log-json")], standalone_mode=False)
        if status == INTERRUPTED:  # typer's answer to an interrupt
            raise KeyboardInterrupt
        sys.exit(status if isinstance(status, int) else 0)
    except StreamAudioError as error:
        _fail(str(error), error.exit_code, debug)
    except typer.TyperException as error:
        _fail(f"{error.format_message()}; `streamaudio --help` lists what there is", 2, debug)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; run the same command again to go on where it stopped", INTERRUPTED, debug)
    except OSError as error:
        place = f" at {error.filename!r}" if error.filename else ""
        _fail(
            f"{error.strerror or error}{place}; finished work is kept: free space or mend the path, then run it again",
            2,
            debug,
        )


def _fail(message: str, status: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    if settings.json:
        print(json.dumps({"error": message, "status": status}), file=sys.stderr)
    else:
        err.print(f"[bold red]error:[/] {escape(message)}")
    sys.exit(status)


def _configure_prefect() -> None:
    """Prefect reads these once, when it is imported: no analytics, and nothing of its own on the terminal."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")
    # On a busy machine its local server takes longer to answer than the 20 s it is given.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")


@app.command()
def demo(
    out_folder: Annotated[Path, typer.Option("--out", help="Where library, corpus and report go.")] = Path("demo"),
    workers: Workers = 2,
) -> None:
    """Build, validate and show a small corpus from nothing but the embedded defaults."""
    from flows.demo import run_demo

    with stages() as on_progress:
        result = run_demo(out_folder, workers=workers, on_progress=on_progress)
    _print_built(result.manifest)
    out.print(f"corpus  {result.corpus}")
    out.print(f"report  {result.report}")


def _print_built(manifest: dict[str, Any]) -> None:
    sources = manifest["foreground_sources"]
    retrieved = sources.get("retrieved", 0) / max(1, sum(sources.values()))
    out.print(
        f"{manifest['rows']} streams, {manifest['hours']:.2f} h, {manifest['responses']} responses, "
        f"{len(manifest['sub_tasks'])} sub-tasks; {retrieved:.0%} of foreground events are library clips; "
        f"{manifest['quarantined']} quarantined"
    )
    if manifest["language"]:
        _print_spending(manifest["language"])


def _print_spending(language: dict[str, Any]) -> None:
    table = Table(language["model"], "requests", "tokens in", "tokens out", language["currency"], box=None)
    for role, spend in [*language["by_role"].items(), ("total", language["total"])]:
        cost = "no price" if spend["cost"] is None else f"{spend['cost']:.4f}"
        table.add_row(role, *(str(spend[k] or 0) for k in ("requests", "input_tokens", "output_tokens")), cost)
    out.print(table)
    if language["per_scene"]:
        mean = language["per_scene"]["mean"]
        cost = "" if mean["cost"] is None else f", {mean['cost']:.5f} {language['currency']}"
        tokens = f"{mean['input_tokens']:.0f} + {mean['output_tokens']:.0f} tokens"
        out.print(f"per scene {mean['requests']:.1f} requests, {tokens}{cost}")


@app.command()
def plan(
    recipe: RecipeFile,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many streams.")] = 3,
    library: Annotated[Path | None, typer.Option(help="Library; the embedded starter library without it.")] = None,
) -> None:
    """Print stream plans as JSON, one a line, without building."""
    from flows.starter import find_library, preview
    from pipeline.config import load_recipe

    with stages() as on_progress:
        found = find_library(library, "starter", on_progress)
    for stream_plan in preview(load_recipe(recipe), found, n):
        out.print(stream_plan.model_dump_json(), markup=False)


app.command()(estimate_cli.estimate)

Mode = Literal["new", "append", "refresh"]


def _print_version(manifest: dict[str, Any]) -> None:
    latest = manifest["history"][-1]
    out.print(f"version {latest['version']}, by {latest['mode']}")
    if latest["changes"] is not None:
        print_changes(latest["changes"])


@app.command()
def build(
    recipe: RecipeFile,
    out_folder: Annotated[
        Any, typer.Option("--out", parser=place, metavar="CORPUS", help="Folder or s3:// URL for the corpus.")
    ],
    library: Annotated[
        Any,
        typer.Option(
            parser=place, metavar="LIB", help="Folder or s3:// URL; needed unless the recipe says `library: starter`."
        ),
    ] = None,
    workers: Workers = 1,
    runner: RunnerKind = "local",
    address: Address = None,
    gpus: Gpus = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Build only so many streams.")] = None,
    replay_only: Annotated[
        bool, typer.Option("--replay-only", help="Ask no language model: take every reply from the recipe's cache.")
    ] = False,
    mode: Annotated[
        Mode,
        typer.Option(help="append: a new version with more rows; refresh: one that replaces all, if its gates hold."),
    ] = "new",
    marks: Annotated[
        Path | None, typer.Option("--exclude", metavar="MARKS", help="Publish a version without rows marked bad.")
    ] = None,
) -> None:
    """Build a corpus, or go on with one: finished shards are kept."""
    from flows.prefect_api import start_ahead
    from flows.workers import BUILD, load_ahead
    from pipeline.config import load_recipe

    ray = runner_of(runner, address, gpus)
    loaded = load_recipe(recipe)
    finished = mode == "new" and isinstance(out_folder, Path) and (out_folder / "manifest.json").is_file()
    if marks is None and not finished:
        # Both load programs for seconds, and so do the modules below.
        if ray is None:
            load_ahead(BUILD)
        start_ahead()
    from flows.build_corpus import build_corpus
    from flows.starter import find_library
    from flows.versions import renew, without

    if marks is not None:
        if mode != "new":
            raise BadInput(f"--exclude publishes a version of its own; do it before or after --mode {mode}")
        _print_version(without(out_folder, loaded, marks).manifest)
        return
    with stages() as on_progress:
        found = find_library(library, loaded.library, on_progress)
        make = build_corpus if mode == "new" else functools.partial(renew, mode=mode)
        built = make(
            loaded,
            found,
            out_folder,
            workers=workers,
            runner=ray,
            limit=limit,
            replay_only=replay_only,
            on_progress=on_progress,
        )
    _print_built(built.manifest)
    if mode != "new":
        _print_version(built.manifest)
    out.print(f"corpus  {out_folder}")
    # A report is written into a folder.
    out.print(f"next: streamaudio validate {out_folder}{' --report' if isinstance(out_folder, Path) else ''}")


@app.command()
def schedule(
    recipe: RecipeFile,
    out_folder: Annotated[
        Any, typer.Option("--out", parser=place, metavar="CORPUS", help="The corpus that grows or is renewed.")
    ],
    cron: Annotated[str, typer.Option(help='When, such as "0 2 * * *": every night at two.')],
    library: Annotated[
        Any, typer.Option(parser=place, metavar="LIB", help="Needed unless the recipe says `library: starter`.")
    ] = None,
    mode: Annotated[
        Literal["append", "refresh"], typer.Option(help="append: more rows each time; refresh: a new corpus each time.")
    ] = "append",
    timezone: Annotated[str, typer.Option(help="Of the schedule.")] = "UTC",
    workers: Workers = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many streams each time.")] = None,
) -> None:
    """Let a Prefect server build versions of a corpus by the clock; what fails a gate is not published."""
    from flows.schedule import POOL
    from flows.schedule import schedule as deploy

    name = deploy(
        recipe, out_folder, library=library, mode=mode, cron=cron, timezone=timezone, workers=workers, limit=limit
    )
    out.print(f"deployed {name}, {cron!r} in {timezone}")
    out.print(f"a worker runs it: prefect worker start --pool {POOL}")
    out.print(f"now: prefect deployment run {name}")


app.command()(validate_cli.validate)
app.command()(view_cli.view)


@app.command()
def export(
    corpus: CorpusFolder,
    format: Annotated[Format, typer.Option(help="What to write.")],
    out_folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for it.")],
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Hugging Face tokenizer: audio-interaction gets token rows too.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Audio-Interaction release: its encoder's features for token rows."),
    ] = None,
    device: Annotated[str, typer.Option(help="Of the encoder: cpu, cuda or mps.")] = "cpu",
    system_prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="Of the token rows.")] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Place replies as the released script does, its faults included.")
    ] = False,
) -> None:
    """Write a corpus for other tools; `hub` is a dataset repository ready to push."""
    from flows.export import tokens as opened
    from pipeline.shards.exporters import export as write

    shaped = bool(checkpoint or system_prompt or reference)
    if format != "audio-interaction" and (tokenizer or shaped):
        raise BadInput(f"--tokenizer and what shapes token rows belong to audio-interaction, not to {format!r}")
    if tokenizer is None and shaped:
        raise BadInput("--checkpoint, --system-prompt and --reference shape token rows; pass --tokenizer DIR too")
    tokens = None
    if tokenizer is not None:
        tokens = opened(tokenizer, system_prompt, reference=reference, checkpoint=checkpoint, device=device)
    with stages() as on_progress:
        exported = write(
            corpus,
            out_folder,
            format,
            tokens=tokens,
            on_progress=lambda done, total: on_progress("exported", done, total),
        )
    for reason in exported.left_out:
        err.print(f"[yellow]without tokens[/] {escape(reason)}")
    out.print(f"{exported.rows} streams as {format} -> {out_folder}")


@app.command()
def doctor() -> None:
    """Print versions, what works here, and what would make the rest work. Exit status 2 where the core is broken."""
    from flows.doctor import doctor_report

    checks = doctor_report()
    table = Table("", "what", "found", "gives", box=None)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]broken[/]" if check.required else "[yellow]absent[/]"
        table.add_row(mark, check.name, escape(check.found), escape(check.gives))
    out.print(table)
    for check in checks:
        if not check.ok and check.fix:
            out.print(f"for {check.name}: {check.fix}", markup=False)
    broken = [check.name for check in checks if check.required and not check.ok]
    if broken:
        raise BadInput(f"{', '.join(broken)} must work for anything else to; the lines above say how")


@app.command()
def audit(
    policy: Annotated[str, typer.Option(help="strict or assist.")] = "strict",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Judge captions from standard input, one a line: does the sound deserve a reply nobody asked for?"""
    from flows.audit import audit_lines

    if policy not in ("strict", "assist"):
        raise BadInput(f"policy {policy!r} is none; choose strict or assist")
    for judged in audit_lines(sys.stdin, policy):
        if as_json:
            print(json.dumps(judged, ensure_ascii=False), flush=True)
        else:
            by = f" ({judged['criterion']})" if judged["criterion"] else ""
            print(f"{judged['label']}{by}  {judged['confidence']:.2f}  {judged['reason']}", flush=True)


@recipe_app.command("schema")
def recipe_schema() -> None:
    """Print the JSON Schema of a recipe."""
    from schemas.recipe import Recipe

    out.print_json(json.dumps(Recipe.model_json_schema()))


@recipe_app.command("check")
def recipe_check(recipe: RecipeFile) -> None:
    """Print a recipe with its defaults filled in, as YAML that loads to the same recipe."""
    import yaml

    from pipeline.config import load_recipe, recipe_sha256

    loaded = load_recipe(recipe)
    out.print(yaml.safe_dump(loaded.model_dump(mode="json"), sort_keys=False, allow_unicode=True), markup=False, end="")
    out.print(f"# recipe_sha256: {recipe_sha256(loaded)}")
