"""One module per layout of source files; each lists what to import as `Source` records and decodes nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from pipeline.errors import BadInput
from pipeline.library.importers import esc, folder, manifest
from pipeline.library.importers.source import Rejected, Source

Layout = Literal["auto", "folder", "esc", "manifest"]

__all__ = ["Layout", "Rejected", "Source", "list_sources"]


def list_sources(src: Path, layout: Layout) -> Iterator[Source | Rejected]:
    """What lies under `src`, in a stable order.

    Raises BadInput where `src` is missing or does not have the layout asked for.
    """
    if layout not in get_args(Layout):
        raise BadInput(f"layout {layout!r} is not known; use one of {', '.join(get_args(Layout))}")
    if not src.exists():
        raise BadInput(f"source {str(src)!r} does not exist; give a folder of recordings or a manifest file")
    if layout == "manifest" or (layout == "auto" and src.is_file()):
        return manifest.sources(src)
    if not src.is_dir():
        raise BadInput(f"source {str(src)!r} is a file; layout {layout!r} needs a folder, a manifest needs `manifest`")
    if layout == "esc" or (layout == "auto" and esc.recognises(src)):
        return esc.sources(src)
    return folder.sources(src)
