"""The dataset card's figures against the rows."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import yaml

from pipeline.shards.card import write_card
from pipeline.shards.corpus import ShardReport, Tally, manifest
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths, to_row
from pipeline.shards.statistics import MEASURES, Histogrammer, picture, summary
from pipeline.shards.writer import ShardFile
from schemas.row import Row

IDENTITY = {"recipe_sha256": "a"}


@pytest.fixture(scope="module")
def rows(corpus: Path) -> list[Row]:
    return [to_row(r) for path in shard_paths(read_manifest(corpus)) for r in iter_rows(corpus / path)]


def report(rows: list[Row], name: str = "train-00000-of-00001") -> ShardReport:
    tally = Tally()
    for row in rows:
        tally.add(row)
    return ShardReport.of(ShardFile(f"data/{name}.parquet", len(rows), 1, "b"), "train", tally, [])


def figures(reports: Iterable[ShardReport]) -> dict:
    recipe = {"name": "by-hand", "pretty_name": None}
    return manifest(reports, [], recipe=recipe, identity=IDENTITY, versions={"streamaudio-builder": "1"})


def test_deciles_are_within_a_bar_of_the_true_ones(rows):
    tally = Histogrammer()
    for row in rows:
        tally.add(row)
    found = summary(tally.histograms())
    values = {
        "duration_s": [row.num_samples / 16_000 for row in rows],
        "responses_per_minute": [len(row.responses) * 960_000 / row.num_samples for row in rows],
        "silence_ratio": [row.quality.silence_ratio for row in rows],
        "snr_db": [row.quality.realised_snr_db for row in rows],
    }
    for name, measured in values.items():
        for share, value in found[name].items():
            true = np.percentile(measured, int(share[1:]), method="inverted_cdf")
            assert abs(value - true) <= MEASURES[name].bin / 2 + 1e-6


def test_shards_add_up_to_the_whole(rows):
    whole, parts = figures([report(rows)]), figures(iter([report(rows[:2]), report(rows[2:])]))
    apart = {key for key in whole if whole[key] != parts[key]}
    assert apart == {"splits"}, "the shards themselves, and nothing that is counted"
    assert all(sum(bars.values()) == len(rows) for bars in whole["statistics"]["histograms"].values())
    chunks = sum(row.num_chunks for row in rows)
    silent = 1 - sum(len(row.responses) for row in rows) / chunks
    assert whole["statistics"]["silent_chunk_share"] == pytest.approx(silent, abs=1e-6)


def test_the_card_shows_figures_picture_and_authors(rows, tmp_path):
    write_card(tmp_path, figures([report(rows)]), ["A. Nonymous", "two\nlines"])
    card = (tmp_path / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["size_categories"] == ["n<1K"]
    assert "](assets/statistics.png)" in card
    assert "| Duration, s |" in card
    for ability in {row.ability for row in rows}:
        assert f"| {ability} | {sum(row.ability == ability for row in rows)} |" in card
    assert (tmp_path / "assets/ATTRIBUTION.md").read_text().splitlines()[2:] == ["- A. Nonymous", "- two lines"]
    image = matplotlib.image.imread(tmp_path / "assets/statistics.png")
    assert image.shape[:2] == (650, 1200)
    assert image.std() > 0.05


def test_a_corpus_without_streams_or_noise_still_gets_its_card(rows, tmp_path):
    write_card(tmp_path, figures([report([])]), [])
    silent = rows[0].model_copy(update={"quality": rows[0].quality.model_copy(update={"realised_snr_db": None})})
    content = figures([report([silent])])
    assert "snr_db" not in content["statistics"]["deciles"]
    assert matplotlib.image.imread(io.BytesIO(picture(content["statistics"]["histograms"], content))).size
