"""The commands under `library`: clips on disk -> an indexed library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.markup import escape

from flows.terminal import err, out, stages

if TYPE_CHECKING:
    from pipeline.library.dialogues import DialogueReport
    from pipeline.library.importers import Layout, Rejected

library_app = typer.Typer(no_args_is_help=True, help="Clips on disk -> an indexed library.")

LibraryFolder = Annotated[Path, typer.Argument(metavar="LIB", help="A folder that `library import` made.")]
EncoderName = Annotated[str, typer.Option(help="lexical, minilm or clap.")]
MAX_SHOWN = 20


@library_app.command("import")
def library_import(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A folder of recordings, or a manifest file.")],
    out_folder: Annotated[Path, typer.Option("--out", metavar="LIB", help="Where the library goes.")],
    layout: Annotated[
        str, typer.Option(help="auto, folder, manifest, dialogues (texts beside the clips), or a corpus: see docs.")
    ] = "auto",
    licence: Annotated[str | None, typer.Option(help="Of dialogues whose rows state none.")] = None,
    protect: Annotated[
        list[Path] | None,
        typer.Option(help="Recordings (folder, file) or titles (text file) that never enter; may be given often."),
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Leave out recordings that sound like a longer one.")
    ] = False,
) -> None:
    """Read clips with captions, tags, transcripts and licences into a 16 kHz store; sources stay where they are."""
    from pipeline.library.dialogues import import_dialogues, import_translations
    from pipeline.library.importers import recognise
    from pipeline.library.library import import_library

    if layout == "dialogues":
        _print_dialogues(import_dialogues(source, out_folder, licence=licence))
        return
    with stages() as on_progress:
        report = import_library(
            source,
            out_folder,
            layout=cast("Layout", layout),
            protect=protect or (),
            drop_duplicates=drop_duplicates,
            on_progress=lambda done, total: on_progress("imported", done, total),
        )
    left_out = [*report.rejected, *report.duplicates]
    _print_left_out(left_out)
    out.print(f"{report.clips} clips, {report.hours:.2f} h, {len(left_out)} left out -> {out_folder}")
    if layout == "covost" or (layout == "auto" and source.is_dir() and recognise(source) == "covost"):
        _print_dialogues(import_translations(source, out_folder))
    out.print(f"next: streamaudio library index {out_folder} --encoder lexical")


def _print_dialogues(report: DialogueReport) -> None:
    _print_left_out(report.rejected)
    out.print(
        f"{report.imported} dialogues imported, {report.duplicates} were there already, "
        f"{len(report.rejected)} left out; the library has {report.dialogues}"
    )


def _print_left_out(entries: Sequence[Rejected]) -> None:
    for rejected in entries[:MAX_SHOWN]:
        err.print(f"[yellow]left out[/] {escape(str(rejected.path))}: {escape(rejected.reason)}")
    if len(entries) > MAX_SHOWN:
        err.print(f"[yellow]left out[/] {len(entries) - MAX_SHOWN} more; the library's rejected.csv has those of clips")


@library_app.command("synthesize")
def library_synthesize(
    library: LibraryFolder,
    recipe: Annotated[Path | None, typer.Option(help="Whose generators, captions, policy and seed are used.")] = None,
    per_kind: Annotated[int, typer.Option(min=1, max=1000, help="Clips that every kind of trigger is to have.")] = 4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what is missing.")] = False,
) -> None:
    """Generate the kinds of triggers that a library lacks into LIB-generated/, and import them."""
    from pipeline.captioning import open_captioner
    from pipeline.config import load_recipe
    from pipeline.coverage import fill, missing
    from pipeline.library.library import Library
    from pipeline.synthesis.generators import open_generators
    from pipeline.synthesis.made import MadeCache
    from schemas.recipe import Recipe

    opened = Library.open(library)
    lacking = missing(opened, per_kind)
    out.print(f"missing {sum(lacking.values())} clips of {len(lacking)} kinds: {', '.join(lacking) or 'none'}")
    if dry_run or not lacking:
        return
    loaded = load_recipe(recipe) if recipe else Recipe()
    made = MadeCache.at(loaded.synthesis.cache)
    captioner = open_captioner(loaded, opened, made, library / "language.sqlite")
    with stages() as on_progress:
        filled = fill(
            library,
            loaded,
            open_generators(loaded.synthesis, made),
            captioner,
            per_kind=per_kind,
            on_progress=lambda done, total: on_progress("generated", done, total),
        )
    for kind, reason in filled.failed.items():
        err.print(f"[yellow]not made[/] {kind}: {escape(reason)}")
    out.print(f"{sum(filled.added.values())} clips of {len(filled.added)} kinds -> {filled.sources}")
    out.print(f"next: streamaudio library index {library} --encoder lexical")


@library_app.command("index")
def library_index(
    library: LibraryFolder,
    encoder: EncoderName = "lexical",
    checkpoint: Annotated[
        str | None, typer.Option(metavar="PATH_OR_ID", help="laion-clap .pt, model folder or hub id.")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(metavar="PATH_OR_ID", help="RoBERTa tokenizer of a laion-clap .pt, where not beside it."),
    ] = None,
) -> None:
    """Embed the clips that the encoder's index lacks and write it; an interrupted run goes on where it stopped."""
    from pipeline.library.library import Library, index_library

    with stages() as on_progress:
        clips = index_library(
            library,
            encoder,
            checkpoint=checkpoint,
            tokenizer=tokenizer,
            on_progress=lambda done, total: on_progress("embedded", done, total),
        )
    facts = Library.open(library).index(encoder).facts
    learnt = facts["calibration"]
    out.print(f"{clips} clips indexed with {encoder}: {facts['kind']}, recall@3 {facts['recall_at_3']:.3f}")
    out.print(f"threshold {learnt['threshold']:.3f} ({learnt['method']})")


@library_app.command("search")
def library_search(
    library: LibraryFolder,
    words: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many.")] = 3,
    encoder: EncoderName = "lexical",
    fuse: Annotated[
        str | None, typer.Option("--hybrid", metavar="WEIGHTS", help="Fuse scores, as in clap=2,lexical=1,tags=1.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Wanted tag, for `tags` in --hybrid; may be given often.")
    ] = None,
) -> None:
    """Print the nearest clips: score, caption, licence, path."""
    from pipeline.library import hybrid
    from pipeline.library.library import Library

    opened = Library.open(library)
    if fuse is None:
        (hits,) = opened.search([words], k, encoder=encoder)
    else:
        (hits,) = hybrid.search(opened, [words], [tag or []], k, weights=hybrid.parse(fuse))
    for hit in hits:
        clip = opened.clips[hit.clip_id]
        out.print(f"{hit.score:.3f}  {clip.caption}  [{clip.licence}]  {clip.path}", markup=False)


@library_app.command("dedup")
def library_dedup(
    library: LibraryFolder,
    drop: Annotated[bool, typer.Option("--drop", help="Take the shorter of each pair out of the library.")] = False,
) -> None:
    """Print pairs of clips that are one recording: by the landmarks of their sound, and by CLAP where it is indexed."""
    from pipeline.library.dedup import drop_duplicates, find_duplicates
    from pipeline.library.library import Library

    opened = Library.open(library)
    with stages() as on_progress:
        found = find_duplicates(opened, on_progress=lambda done, total: on_progress("heard", done, total))
    for pair in found:
        heard = "  -  " if pair.landmarks is None else f"{pair.landmarks:5.0%}"
        cosine = "  -  " if pair.cosine is None else f"{pair.cosine:.3f}"
        out.print(f"{heard}  {cosine}  {opened.clips[pair.one].path}  {opened.clips[pair.other].path}", markup=False)
    out.print(f"{len(found)} pairs (landmarks that agree, cosine)")
    if drop:
        out.print(f"{drop_duplicates(opened, found)} clips taken out; index the library again")


@library_app.command("info")
def library_info(library: LibraryFolder) -> None:
    """Print what a library holds."""
    from pipeline.library.library import Library

    out.print_json(json.dumps(Library.open(library).info(), ensure_ascii=False))
