"""The command `view`: the report of a corpus, from its folder or from a server on this machine."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from flows.terminal import out
from pipeline.errors import BadInput

Folder = Annotated[Path, typer.Argument(metavar="CORPUS", help="A folder that `build` made.")]


def view(
    corpus: Folder,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on 127.0.0.1 with every stream, and keep marks in the corpus.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of --serve; a free one without it.")] = 0,
    streams: Annotated[
        int, typer.Option(min=0, max=20_000, help="Streams whose page and audio the folder takes, where it is written.")
    ] = 60,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
) -> None:
    """Write the HTML report where it is missing or older than the corpus, and open it."""
    if port and not serve:
        raise BadInput(f"--port {port} is that of a server; pass --serve too")
    from pipeline.validation.report import fresh_report

    page = fresh_report(corpus, max_streams=streams)
    if not serve:
        out.print(str(page))
        if browser:
            webbrowser.open(page.resolve().as_uri())
        return
    from pipeline.validation.serve import ReportServer

    with ReportServer(corpus, port=port) as server:
        out.print(f"{server.address}  (Ctrl-C ends it)")
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("ended")
