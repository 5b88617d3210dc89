"""The list of recordings that a probe is examined with."""

import csv
from pathlib import Path

from pipeline.annotation.audit import audit

SOUNDS = Path(__file__).parents[3] / "benchmarks" / "recordings" / "sounds.csv"


def rows() -> list[dict[str, str]]:
    with SOUNDS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_no_package_is_both_developed_and_examined_with() -> None:
    parts = {part: {row["package"] for row in rows() if row["part"] == part} for part in ("development", "examination")}
    assert all(parts.values())
    assert not parts["development"] & parts["examination"]
    assert {row["part"] for row in rows()} == set(parts)


def test_every_caption_says_whether_a_reply_is_due() -> None:
    judged = {
        row["caption"]: audit(row["caption"], (), scenario="", neighbours=(), policy="strict").label for row in rows()
    }
    assert set(judged.values()) == {"respond", "silent"}
    assert {caption for caption, label in judged.items() if label == "respond"} == {
        "a woman screams",
        "a man screams",
        "a person screams",
        "a person cries out in pain",
        "a car horn honks close by",
        "a fire engine passes with its siren on",
        "a police car passes with its siren on",
        "an emergency siren wailing",
        "an air raid siren wails",
        "tyres screech on the road",
        "glass breaks",
        "a loud thunderclap close by",
        "rocks fall as a cave collapses",
    }
