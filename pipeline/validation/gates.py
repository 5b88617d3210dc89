"""The gates of a recipe: what a corpus, and a listener that heard it, must come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.shards.realised import SEAM
from pipeline.validation.findings import Finding
from schemas.recipe import Gates

WHERE = "manifest.json recipe.gates"


def broken_by_corpus(gates: Gates, rows: int, quarantined: int, realised: Mapping[str, Any]) -> Iterator[Finding]:
    """Seams and quarantine.

    Args:
        gates: the recipe's.
        rows: streams of the corpus.
        quarantined: streams that were rejected.
        realised: `Realised.report` of the rows.
    """
    seams = realised["seams"][SEAM]
    if gates.max_seam_jump is not None and seams["n"] and seams["p95"] > gates.max_seam_jump:
        yield Finding(
            "gate-seams",
            f"{WHERE}.max_seam_jump",
            f"the largest seam of a stream is at most {seams['p95']:g} in 95 % of {seams['n']} streams, allowed is "
            f"{gates.max_seam_jump:g}",
        )
    share = quarantined / max(1, quarantined + rows)
    if gates.max_quarantined is not None and share > gates.max_quarantined:
        yield Finding(
            "gate-quarantined",
            f"{WHERE}.max_quarantined",
            f"{quarantined} of {quarantined + rows} streams ({share:.1%}) were rejected, allowed is "
            f"{gates.max_quarantined:.1%}; quarantine.parquet says why",
        )


def broken_by_listener(gates: Gates, name: str, scores: Mapping[str, Any]) -> Iterator[Finding]:
    """F1 and false replies of a replay, from `scores`; a gate without anything to measure is broken."""
    where, triggers = f"replay/{name}.json", scores["gated"]["triggers"]
    if gates.min_f1 is not None:
        f1 = None if triggers is None else triggers["tolerance"][str(gates.tolerance_chunks)]["f1"]
        if f1 is None or f1["value"] is None or f1["value"] < gates.min_f1:
            yield Finding(
                "gate-f1",
                where,
                f"F1 with {gates.tolerance_chunks} chunks of tolerance is {_shown(f1)}, at least {gates.min_f1:g} is "
                "required",
            )
    if gates.max_false_per_hour is not None:
        rate = None if triggers is None else triggers["false_per_hour"]
        if rate is None or rate["value"] is None or rate["value"] > gates.max_false_per_hour:
            yield Finding(
                "gate-false-responses",
                where,
                f"{_shown(rate)} false responses per hour of verified silence, at most {gates.max_false_per_hour:g}",
            )


def _shown(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "not measurable (nothing to measure)"
    interval = "" if figure["low"] is None else f" [{figure['low']:.3g}, {figure['high']:.3g}]"
    return f"{figure['value']:.3g}{interval}"
