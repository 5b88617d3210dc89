"""README.md of a corpus: a dataset card with Hugging Face front matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.shards.changes import as_markdown
from pipeline.shards.statistics import MEASURES, picture
from pipeline.shards.writer import write_atomically
from pipeline.storage import Location

ASSETS = "assets"
STATISTICS = f"{ASSETS}/statistics.png"
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_HUB_LICENCES = {
    "CC0-1.0": "cc0-1.0",
    "public-domain": "cc0-1.0",
    "CC-BY-3.0": "cc-by-3.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
}


def write_card(root: Location, manifest: Mapping[str, Any], attributions: Sequence[str]) -> None:
    """Write README.md and its assets/ from the manifest's figures; `attributions` name the authors of the sounds."""
    authors = "".join(f"- {_one_line(author)}\n" for author in attributions)
    write_atomically(root / ASSETS / "ATTRIBUTION.md", f"# Authors of the sounds\n\n{authors}".encode())
    write_atomically(root / STATISTICS, picture(manifest["statistics"]["histograms"], manifest))
    environment = Environment(loader=PackageLoader("pipeline.shards", "."), undefined=StrictUndefined, autoescape=False)
    text = environment.get_template("card.md.j2").render(
        **manifest,
        title=_title(manifest),
        front_matter=_front_matter(manifest),
        first_split=next(iter(manifest["splits"])),
        measures=MEASURES,
        authors=len(attributions),
        what_changed=_what_changed(manifest),
    )
    write_atomically(root / "README.md", text.encode())


def _what_changed(manifest: Mapping[str, Any]) -> str:
    """The latest version against the one before, as a table; empty where there is none before."""
    changed = manifest["history"][-1].get("changes") if "history" in manifest else None
    return as_markdown(changed) if changed else ""


def _title(manifest: Mapping[str, Any]) -> str:
    return _one_line(manifest["recipe"]["pretty_name"] or manifest["recipe"]["name"])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _front_matter(manifest: Mapping[str, Any]) -> str:
    licences = {_HUB_LICENCES.get(name, "other") for name in manifest["licences"]}
    rows = manifest["rows"]
    card = {
        "pretty_name": _title(manifest),
        "language": list(manifest["languages"]),
        # One licence is only claimed where every sound is under it.
        "license": licences.pop() if len(licences) == 1 else "other",
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "n>10M")],
        "task_categories": ["audio-classification", "automatic-speech-recognition", "audio-text-to-text"],
        "tags": ["synthetic", "audio", "streaming", "sound-events", "proactive-response"],
        "source_datasets": ["original"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": name, "path": _patterns(name, split["shards"])}
                    for name, split in manifest["splits"].items()
                ],
            }
        ],
    }
    return yaml.safe_dump(card, sort_keys=False, allow_unicode=True)


def _patterns(name: str, shards: Sequence[Mapping[str, Any]]) -> str | list[str]:
    """Where the shards of a split are: one pattern for each folder of theirs."""
    folders = sorted({shard["path"].rpartition("/")[0] for shard in shards}) or ["data"]
    patterns = [f"{folder}/{name}-*.parquet" for folder in folders]
    return patterns[0] if len(patterns) == 1 else patterns
