"""One module per layout of source files; each lists what to import as `Source` records and decodes nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from pipeline.errors import BadInput
from pipeline.library.importers import esc, folder, manifest
from pipeline.library.importers.sound_corpora import SOUND_CORPORA
from pipeline.library.importers.source import Rejected, Source
from pipeline.library.importers.speech_corpora import SPEECH_CORPORA

Layout = Literal[
    "auto", "folder", "esc", "manifest",
    "librispeech", "covost", "commonvoice", "voxpopuli", "gigaspeech", "aishell", "kespeech",
    "fma", "audioset", "fsd50k", "clotho", "musan", "wham", "dns",
]  # fmt: skip
_CORPORA = SPEECH_CORPORA | SOUND_CORPORA

__all__ = ["Layout", "Rejected", "Source", "list_sources", "recognise"]


def recognise(src: Path) -> Layout:
    """The layout of what lies at `src`; `folder` where it is none of the published ones."""
    if src.is_file():
        return "manifest"
    if esc.recognises(src):
        return "esc"
    return next((name for name in get_args(Layout) if name in _CORPORA and _CORPORA[name].recognises(src)), "folder")


def list_sources(src: Path, layout: Layout) -> Iterator[Source | Rejected]:
    """What lies under `src`, in a stable order.

    Raises BadInput where `src` is missing or does not have the layout asked for.
    """
    if layout not in get_args(Layout):
        raise BadInput(f"layout {layout!r} is not known; use one of {', '.join(get_args(Layout))}")
    if not src.exists():
        raise BadInput(f"source {str(src)!r} does not exist; give a folder of recordings or a manifest file")
    if layout == "auto":
        layout = recognise(src)
    if layout == "manifest":
        return manifest.sources(src)
    if not src.is_dir():
        raise BadInput(f"source {str(src)!r} is a file; layout {layout!r} needs a folder, a manifest needs `manifest`")
    if layout in _CORPORA:
        return _CORPORA[layout].sources(src, layout)
    return esc.sources(src) if layout == "esc" else folder.sources(src)
