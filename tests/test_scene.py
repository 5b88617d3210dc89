"""What a recipe may ask of a scene: experiments, rooms, overlaps. Each build is a few streams, in this process."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from pipeline.corpus_build import Workplace, build_shard, identity, planning, publish, read_plan
from pipeline.errors import BadInput, StaleIdentity
from pipeline.library.library import Library
from pipeline.rooms import load_rooms
from pipeline.shards.corpus import CorpusFolder
from pipeline.shards.reader import decode, iter_rows
from pipeline.sounds import profile_of
from pipeline.validation.contract import validate_corpus
from schemas.recipe import Recipe

SMALL = {
    "name": "experiment",
    "seed": 5,
    "streams": 2,
    "splits": {"train": 1.0},
    "mixture": {"sound_event_qa": 1},
    "scene": {"duration_s": ["uniform", 15, 25]},
}

BUSY = {"mixture": {"stay_silent_unless": 1}, "scene": {"duration_s": 45}}


def build(library_path: Path, out: Path, **changes) -> tuple[dict, list[dict]]:
    """The manifest and the rows, provenance and plan parsed."""
    recipe, library, folder = Recipe.model_validate(SMALL | changes), Library.open(library_path), CorpusFolder(out)
    this = identity(recipe, library, None)
    with folder.claimed(this):
        workplace = Workplace.prepare(folder, recipe, library_path)
        with workplace.crew(recipe) as crew:
            list(planning(folder, recipe, library, crew=crew, limit=None, on_progress=lambda done, total: None))
            plan = read_plan(folder)
        for shard in plan.shards:
            build_shard(workplace, shard.name)
        manifest = publish(workplace, recipe, plan, this)
    rows = [row for shard in plan.shards for row in iter_rows(out / f"data/{shard.name}.parquet")]
    for row in rows:
        row["provenance"] = json.loads(row["provenance_json"])
        row["plan"] = json.loads(row["plan_json"])
    return manifest, rows


def audio(row: dict) -> np.ndarray:
    return decode(row["audio"]["bytes"])


@pytest.fixture(scope="module")
def plain(starter, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "corpus"
    return build(starter, out)


def test_without_conditioning_every_sound_is_as_it_was(starter, tmp_path, plain):
    _, rows = build(starter, tmp_path / "corpus", conditioning="off")
    for row in rows:
        records = row["provenance"]["conditioning"]
        assert {r["reason"] for r in records} == {"conditioning: off"}
        for record in records:
            length = record["material"][1] - record["material"][0]
            assert record["spans"] == [[0, length, 0]]
    assert not validate_corpus(tmp_path / "corpus", library=starter).by_rule()
    assert any(r["reason"] is None for row in plain[1] for r in row["provenance"]["conditioning"])


def test_seams_may_be_hard_cuts(starter, tmp_path, plain):
    # Without conditioning no clip brings a taper of its own, and without gaps the events touch.
    bare = {"conditioning": "off", "timing": {"gap_s": 0}}
    _, faded = build(starter, tmp_path / "faded", **bare)
    _, cut = build(starter, tmp_path / "cut", **bare, composition={"seams": "cut"})
    for one, other in zip(faded, cut, strict=True):
        ends = [e["end_sample"] for e in other["events"] if e["role"] == "foreground"]
        starts = [e["start_sample"] for e in other["events"] if e["role"] == "foreground"]
        assert starts[1:] == ends[:-1], "cut streams neither overlap nor pause"
        assert one["events"][1]["start_sample"] < one["events"][0]["end_sample"]
    assert not validate_corpus(tmp_path / "cut", library=starter).by_rule()


def test_a_room_is_heard_recorded_and_part_of_what_the_build_is(starter, tmp_path, plain):
    rng = np.random.default_rng(0)
    response = (rng.standard_normal(8_000) * np.exp(-np.arange(8_000) / 1_500) * 0.2).astype(np.float32)
    response[0] = 0.9
    path = tmp_path / "rooms" / "hall.wav"
    path.parent.mkdir()
    sf.write(path, response, 16_000, subtype="FLOAT")
    room = {"room_ir": str(path.parent)}
    manifest, rows = build(starter, tmp_path / "corpus", composition=room)
    (loaded,) = load_rooms(str(path))
    for row, dry in zip(rows, plain[1], strict=True):
        assert row["provenance"]["room"] == {"name": "hall.wav", "sha256": loaded.sha256}
        assert dry["provenance"]["room"] is None
        assert [e["start_sample"] for e in row["events"]] == [e["start_sample"] for e in dry["events"]]
        assert np.abs(audio(row) - audio(dry)).max() > 0.01
    assert not validate_corpus(tmp_path / "corpus", library=starter).by_rule()
    assert manifest["identity"]["rooms_sha256"] is not None
    sf.write(path, response[:4_000], 16_000, subtype="FLOAT")
    with pytest.raises(StaleIdentity, match="rooms_sha256"):
        build(starter, tmp_path / "corpus", composition=room)


def test_a_room_that_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no sound file"):
        load_rooms(str(tmp_path / "nowhere.wav"))
    sf.write(tmp_path / "silent.wav", np.zeros(1_000), 16_000)
    with pytest.raises(BadInput, match="silent"):
        load_rooms(str(tmp_path / "silent.wav"))


def test_neighbouring_sounds_overlap_where_the_recipe_wants_it_and_no_label_depends_on_them(starter, tmp_path, plain):
    lively = {"overlap": {"share": 1.0, "seconds": ["uniform", 0.1, 0.4]}}
    manifest, rows = build(starter, tmp_path / "corpus", timing=lively, streams=3, **BUSY)
    found = manifest["realised"]["distributions"]["overlap_s"]
    assert found["n"] > 0
    assert 0 < found["min"] <= found["max"] <= 0.4 + 1e-3
    for row in rows:
        steps = row["plan"]["steps"]
        for i in range(1, len(steps)):
            if row["events"][i]["start_sample"] < row["events"][i - 1]["end_sample"]:
                assert steps[i]["source"] == steps[i - 1]["source"] == "event"
                assert "respond" not in (steps[i]["decision"], steps[i - 1]["decision"])
    assert not validate_corpus(tmp_path / "corpus", library=starter).by_rule()
    assert "overlap_s" not in plain[0]["realised"]["distributions"]


def test_a_gate_that_is_missed_is_found_by_validation(starter, tmp_path):
    build(starter, tmp_path / "corpus", streams=3, gates={"max_drift": {"gap_s": 0.0}}, timing={"gap_s": 0.5})
    assert not validate_corpus(tmp_path / "corpus").by_rule()
    path = tmp_path / "corpus" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["realised"]["distributions"]["gap_s"]["mean"] += 1
    path.write_text(json.dumps(manifest))
    assert "manifest-realised" in validate_corpus(tmp_path / "corpus").by_rule()


def test_the_manifest_counts_how_often_clips_come_again(plain):
    manifest, rows = plain
    uses = [e["clip_id"] for row in rows for e in row["events"] if e["clip_id"]]
    assert manifest["realised"]["reuse"]["uses"] == len(uses)
    assert manifest["realised"]["reuse"]["clips"] == len(set(uses))


def test_textures_keep_their_noise_whatever_their_role(starter):
    clips = Library.open(starter).clips.values()
    texture = next(c for c in clips if c.kind == "sfx" and c.track_class == "ambient")
    event = next(c for c in clips if c.kind == "sfx" and c.track_class == "event")
    assert profile_of("sfx", "foreground", texture) == "ambient"
    assert profile_of("sfx", "foreground", event) == "sfx"
    assert profile_of("sfx", "ambient", event) == "ambient"
    assert profile_of("speech", "foreground", None) == "speech"
