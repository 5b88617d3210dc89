"""`streamaudio corpus`: what is done with corpora that are there."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from flows.terminal import out, place

corpus_app = typer.Typer(no_args_is_help=True, help="Corpora that are there: join them, tell them apart.")

Corpus = Annotated[Any, typer.Argument(parser=place, metavar="CORPUS", help="A folder or s3:// URL that `build` made.")]


@corpus_app.command("merge")
def merge(
    corpora: Annotated[
        list[str],
        typer.Argument(metavar="CORPUS...", help="Folders or s3:// URLs, two or more; the first one's card leads."),
    ],
    out_folder: Annotated[
        str, typer.Option("--out", metavar="CORPUS", help="A new folder or s3:// URL for the whole.")
    ],
) -> None:
    """Join corpora: no row twice, no clip in two splits, no licences that exclude each other."""
    from pipeline.shards.merging import merge as join
    from pipeline.storage import outages_told

    with outages_told():
        manifest = join([place(corpus) for corpus in corpora], place(out_folder))
    out.print(f"{manifest['rows']} streams, {manifest['hours']:.2f} h -> {out_folder}")


@corpus_app.command("diff")
def diff(
    before: Corpus,
    after: Annotated[Any, typer.Argument(parser=place, metavar="OTHER", help="Another one, or a later state of it.")],
) -> None:
    """Say what differs: rows, hours, mixture, licences, quality."""
    from pipeline.shards.changes import changes
    from pipeline.shards.reader import read_manifest
    from pipeline.storage import outages_told

    with outages_told():
        found = changes(read_manifest(before), read_manifest(after))
    print_changes(found)


def print_changes(found: dict[str, Any]) -> None:
    """`changes` as a table."""
    from pipeline.shards.changes import lines

    table = Table("", "before", "after", box=None)
    for line in lines(found):
        table.add_row(*line)
    out.print(table)
