"""What differs between two corpora, or two versions of one: rows, hours, mixture, licences, quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Line = tuple[str, str, str]
"""(what, before, after)."""
_TOTALS: Final = ("rows", "hours", "responses", "quarantined")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, list[float | None]]]:
    """Per group and figure `[before, after]`, from two manifests; None where one has no such figure.

    `mixture` holds shares of the streams, `licences` sounds, `quality` medians of the card's measures and the seams.
    """
    return {
        "totals": {name: [before[name], after[name]] for name in _TOTALS},
        "splits": _both(_splits(before), _splits(after)),
        "mixture": _both(_shares(before), _shares(after)),
        "licences": _both(before["licences"], after["licences"]),
        "quality": _both(_quality(before), _quality(after)),
    }


def lines(found: Mapping[str, Mapping[str, list[float | None]]]) -> Iterator[Line]:
    """For people: every total, and of the rest what differs."""
    for group, figures in found.items():
        for name, (old, new) in figures.items():
            if group == "totals" or old != new:
                what = name if group == "totals" else f"{group}: {name}"
                yield what, _shown(group, old), _shown(group, new)


def as_markdown(found: Mapping[str, Mapping[str, list[float | None]]]) -> str:
    """`lines` as a table."""
    rows = "".join(f"| {what} | {old} | {new} |\n" for what, old, new in lines(found))
    return f"| | before | after |\n|---|---|---|\n{rows}"


def _both(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, list[float | None]]:
    return {name: [before.get(name), after.get(name)] for name in sorted({*before, *after})}


def _splits(manifest: Mapping[str, Any]) -> dict[str, float]:
    return {name: split["rows"] for name, split in manifest["splits"].items()}


def _shares(manifest: Mapping[str, Any]) -> dict[str, float]:
    return {name: round(count / manifest["rows"], 4) for name, count in manifest["sub_tasks"].items()}


def _quality(manifest: Mapping[str, Any]) -> dict[str, float]:
    medians = {f"median {name}": deciles["p50"] for name, deciles in manifest["statistics"]["deciles"].items()}
    seams = manifest["realised"]["seams"]["max_seam_jump"]["p95"]
    silent = manifest["statistics"]["silent_chunk_share"]
    more = {"seam jump, 95th percentile": seams, "share of silent chunks": silent}
    return medians | {name: value for name, value in more.items() if value is not None}


def _shown(group: str, value: float | None) -> str:
    if value is None:
        return "-"
    if group == "mixture":
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
