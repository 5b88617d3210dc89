"""Every export, loaded with the library it is for, against the rows it came from."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
import torch

from pipeline.annotation.offline import lay_out as lay_out_offline
from pipeline.annotation.tokens import tokenize
from pipeline.errors import BadInput
from pipeline.shards.exporters import Format, export
from pipeline.shards.exporters.audio_interaction import Encoders, Tokens
from pipeline.shards.exporters.audio_interaction import write as write_conversations
from pipeline.shards.exporters.listings import write_jams, write_nemo
from pipeline.shards.exporters.output import new_folder, safe_name
from pipeline.shards.exporters.tars import write_lhotse, write_webdataset
from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths, to_row
from schemas.protocol import TEXT_BEGIN
from schemas.row import Row
from schemas.taxonomy import CRITERION_OF_TASK
from schemas.tokens import OfflineRow

FORMATS: tuple[Format, ...] = ("audio-interaction", "webdataset", "lhotse", "nemo", "jams", "hub")


@pytest.fixture(scope="session")
def rows(corpus: Path) -> dict[str, Row]:
    paths = shard_paths(read_manifest(corpus))
    return {r.id: r for path in paths for r in map(to_row, iter_rows(corpus / path))}


def labels(row: Row) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude={"audio"})


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pcm(row: Row) -> np.ndarray:
    return np.rint(decode(row.audio) * 32768).astype(np.int16)


@pytest.mark.parametrize("tar_bytes", [1, 2**28])
def test_webdataset_gives_the_rows_back(rows, tmp_path, tar_bytes):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed (extra `test`)")
    write_webdataset(rows.values(), tmp_path, tar_bytes=tar_bytes)
    tars = sorted(tmp_path.iterdir())
    assert len(tars) == (len(rows) if tar_bytes == 1 else 2)
    found = {}
    for sample in wds.WebDataset([str(tar) for tar in tars], shardshuffle=False):
        about = json.loads(sample["json"])
        found[about["id"]] = about
        assert (decode(sample["flac"]) == decode(rows[about["id"]].audio)).all()
        assert Path(sample["__url__"]).name.startswith(f"{about['split']}-")
    assert found == {row_id: labels(row) for row_id, row in rows.items()}


def test_a_dot_in_an_id_does_not_break_a_webdataset_key(rows, tmp_path):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed (extra `test`)")
    row = next(iter(rows.values())).model_copy(update={"id": "v1.2-train-0"})
    write_webdataset([row], tmp_path)
    (sample,) = wds.WebDataset(str(next(tmp_path.iterdir())), shardshuffle=False)
    assert sample["flac"] == row.audio
    assert json.loads(sample["json"])["id"] == "v1.2-train-0"


@pytest.mark.parametrize("tar_bytes", [1, 2**28])
def test_lhotse_gives_audio_turns_and_rows_back(rows, tmp_path, tar_bytes):
    lhotse = pytest.importorskip("lhotse", reason="lhotse is not installed (extra `test`)")
    write_lhotse(rows.values(), tmp_path, tar_bytes=tar_bytes)
    found = {}
    for split in tmp_path.iterdir():
        cuts = lhotse.CutSet.from_shar(in_dir=split)
        lhotse.validate(cuts)
        for cut in cuts:
            row = rows[cut.id]
            assert cut.num_samples == row.num_samples
            assert (cut.load_audio()[0] == decode(row.audio)).all()
            assert [(s.text, s.custom["assistant"], s.custom["chunk"]) for s in cut.supervisions] == [
                (t.user, t.assistant, row.responses[t.response].chunk if t.response >= 0 else None) for t in row.turns
            ]
            assert [round(s.end * 16_000) for s in cut.supervisions] == [t.end_sample for t in row.turns]
            found[cut.id] = {key: cut.custom[key] for key in labels(row)}
    assert found == {row_id: labels(row) for row_id, row in rows.items()}


def test_jams_gives_events_speech_responses_and_rows_back(corpus, rows, tmp_path):
    jams = pytest.importorskip("jams", reason="jams is not installed (extra `test`)")
    export(corpus, tmp_path / "out", "jams")
    files = list((tmp_path / "out").glob("*/*.jams"))
    assert len(files) == len(rows)
    for file in files:
        loaded = jams.load(str(file), validate=True, strict=True)
        row = rows[file.stem]
        assert loaded.file_metadata.duration * 16_000 == row.num_samples
        (events,) = loaded.search(namespace="scaper")
        assert sorted((round(o.time * 16_000), o.value["label"], o.value["licence"]) for o in events.data) == sorted(
            (e.start_sample, e.name, e.licence) for e in row.events
        )
        (spoken,) = loaded.search(namespace="lyrics")
        assert [o.value for o in spoken.data] == [e.transcript for e in row.events if e.transcript]
        (responses,) = loaded.search(namespace="blob")
        assert [round(o.time / 0.4) for o in responses.data] == [r.chunk for r in row.responses]
        assert dict(loaded.sandbox) == labels(row)
        assert (decode(file.with_suffix(".flac").read_bytes()) == decode(row.audio)).all()


def test_nemo_manifests_name_files_spans_and_texts(corpus, rows, tmp_path):
    export(corpus, out := tmp_path / "out", "nemo")
    streams = [s for split in ("train", "test") for s in read_lines(out / f"{split}_manifest.json")]
    assert {s["id"] for s in streams} == set(rows)
    for stream in streams:
        samples, rate = sf.read(out / stream["audio_filepath"], dtype="float32")
        assert len(samples) / rate == stream["duration"]
        assert (samples == decode(rows[stream["id"]].audio)).all()
        assert stream["text"] == " ".join(e.transcript for e in rows[stream["id"]].events if e.transcript)
        assert stream["responses"] == labels(rows[stream["id"]])["responses"]
    utterances = [u for split in ("train", "test") for u in read_lines(out / f"{split}_utterances.json")]
    assert {(round(u["offset"] * 16_000), u["text"]) for u in utterances} == {
        (e.start_sample, e.transcript) for row in rows.values() for e in row.events if e.transcript
    }


def test_conversations_hold_the_turns_and_their_sound(corpus, rows, tmp_path):
    export(corpus, out := tmp_path / "out", "audio-interaction")
    items = {(split, i["id"]): i for split in ("train", "test") for i in read_lines(out / split / "conversation.jsonl")}
    assert {row_id for _, row_id in items} == set(rows)
    for (split, row_id), item in items.items():
        row, whole = rows[row_id], pcm(rows[row_id])
        assert item["num_turns"] == len(row.turns) == len(item["conversation"])
        assert (sf.read(out / split / item["merge_path"], dtype="int16")[0] == whole).all()
        for said, turn in zip(item["conversation"], row.turns, strict=True):
            assert (said["user"], said["assistant"], said["emotion"]) == (turn.user, turn.assistant, turn.emotion)
            heard, rate = sf.read(out / split / said["audio_path"], dtype="int16")
            assert rate == 16_000
            assert (heard == whole[turn.start_sample : turn.end_sample]).all()
        assert [s["licence"] for s in item["sources"]] == [e.licence for e in row.events]


def codes(text: str) -> list[int]:
    return [ord(c) for c in text]


def second_of(row: Row) -> list[tuple[tuple[int, int], OfflineRow]]:
    return [((0, 16_000), lay_out_offline("ok", user=None, audio_frames=25, prefix=(1,), encode=codes))]


def text_of(instruction: str, answer: str) -> OfflineRow:
    return lay_out_offline(answer, user=instruction, audio_frames=None, prefix=(1,), encode=codes)


def counted(samples: np.ndarray) -> np.ndarray:
    """Features that say which frame of 640 samples they are of, and how the audio there sounds."""
    frames = samples[: len(samples) // 640 * 640].reshape(-1, 640)
    return np.stack((np.arange(len(frames)), frames[:, 0]), axis=1).astype(np.float32)


def of_trainer(split: Path, kind: str) -> list[dict[str, Any]]:
    """The rows the released trainer finds: it reads every jsonl of a folder and skips a row without its features."""
    (split / "tokens" / f"{kind}.jsonl").resolve(strict=True)
    rows = [row for file in sorted((split / "tokens").glob("*.jsonl")) for row in read_lines(file)]
    assert all(row["input_ids"] for row in rows)
    rows = [row for row in rows if not row["pt_path_dir"] or (split / row["pt_path_dir"] / "AudioFeat.pt").is_file()]
    return [row for row in rows if row["tasks"] == kind]


def test_token_rows_are_the_released_trainers_and_refusals_are_told(corpus, rows, tmp_path):
    def lay_out(row: Row) -> Any:
        if row.sub_task == "count_events":
            raise BadInput("row count_events is too long")
        limit = 215 if row.sub_task in CRITERION_OF_TASK else 4096
        return tokenize(row, prefix=(1, 2), encode=codes, limit=limit)

    tokens = Tokens(online=lay_out, offline=second_of, text=text_of, encoders=Encoders(online=counted, offline=counted))
    exported = export(corpus, out := tmp_path / "out", "audio-interaction", tokens=tokens)
    assert exported.left_out == ("row count_events is too long",)
    found = [(out / split, row) for split in ("train", "test") for row in of_trainer(out / split, "online")]
    assert {t["id"] for _, t in found} == {row_id for row_id, row in rows.items() if row.sub_task != "count_events"}
    assert len({t["idx"] for _, t in found}) == len(found)
    assert any(t["first_chunk"] for _, t in found), "one comes in parts"
    for split, part in found:
        row, chunks = rows[part["id"]], range(part["first_chunk"], part["first_chunk"] + part["num_chunks"])
        assert len(part["input_ids"]) == len(part["labels"])
        assert len(part["audio_pos"]) == len(chunks)
        spoken = [
            c for c, (_, end) in zip(chunks, part["audio_pos"], strict=True) if part["labels"][end + 1] == TEXT_BEGIN
        ]
        assert spoken == [r.chunk for r in row.responses if r.chunk in chunks]
        features = torch.load(split / part["pt_path_dir"] / "AudioFeat.pt", weights_only=True).numpy()
        heard, _ = sf.read(split / part["wav_path"], dtype="float32")
        assert (features == counted(heard)[chunks.start * 10 : chunks.stop * 10]).all()
    for split in ("train", "test"):
        turns = of_trainer(out / split, "offline")
        assert {t["id"] for t in turns} == {row_id for row_id, row in rows.items() if row.split == split}
        for turn in turns:
            heard, _ = sf.read(out / split / turn["wav_path"], dtype="float32")
            features = torch.load(out / split / turn["pt_path_dir"] / "AudioFeat.pt", weights_only=True).numpy()
            assert (features == counted(heard[turn["start_sample"] :][: turn["num_samples"]])).all()
    assert not (out / "text").exists()


def test_instructions_become_rows_of_text_and_travel_to_the_hub(corpus, tmp_path):
    shutil.copytree(corpus, folder := tmp_path / "corpus")
    (folder / "text").mkdir()
    texts = [{"instruction": "Name a river.", "answer": "The Ebro.", "language": "en"}]
    (folder / "text/instructions.jsonl").write_text(json.dumps(texts[0]) + "\n")
    about = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(about | {"text": {"path": "text/instructions.jsonl"}}))
    tokens = Tokens(online=lambda row: (), offline=lambda row: (), text=text_of)
    export(folder, tmp_path / "tokens", "audio-interaction", tokens=tokens)
    (row,) = read_lines(tmp_path / "tokens/text/tokens/offline.jsonl")
    assert (row["tasks"], row["audio_pos"], row["pt_path_dir"]) == ("offline", None, None)
    assert row["input_ids"] == list(text_of("Name a river.", "The Ebro.").input_ids)
    export(folder, tmp_path / "hub", "hub")
    assert read_lines(tmp_path / "hub/text/instructions.jsonl") == texts


WRITERS: dict[str, Callable[[Iterator[Row], Path], object]] = {
    "audio-interaction": lambda rows, out: write_conversations(
        rows, (), out, Tokens(online=lambda row: (), offline=second_of, text=text_of)
    ),
    "webdataset": lambda rows, out: write_webdataset(rows, out, tar_bytes=1 << 18),
    "lhotse": lambda rows, out: write_lhotse(rows, out, tar_bytes=1 << 18),
    "nemo": write_nemo,
    "jams": write_jams,
}


@pytest.mark.parametrize("format", WRITERS)
def test_an_export_holds_one_stream_at_a_time(rows, tmp_path, format):
    alive = weakref.WeakSet[Row]()

    def passing() -> Iterator[Row]:
        for i in range(20):
            row = next(iter(rows.values())).model_copy(update={"id": f"stream-{i}"})
            alive.add(row)
            assert len(alive) <= 2
            yield row

    WRITERS[format](passing(), tmp_path)


def test_a_hub_folder_loads_and_holds_nothing_of_the_build(corpus, rows, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed (extra `test`)")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (corpus / ".state").mkdir(exist_ok=True)
    export(corpus, out := tmp_path / "out", "hub")
    assert {p.name for p in out.iterdir()} == {
        ".gitattributes",
        "ATTRIBUTION.md",
        "README.md",
        "data",
        "manifest.json",
        "quarantine.parquet",
    }
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    for split, table in loaded.items():
        for record in table.cast_column("audio", datasets.Audio(decode=False)):
            assert record["audio"]["bytes"] == rows[record["id"]].audio
            assert record["split"] == split
    assert sum(len(table) for table in loaded.values()) == len(rows)


def test_a_hub_export_refuses_a_changed_shard(corpus, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(corpus, changed)
    shard = changed / shard_paths(read_manifest(changed))[0]
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="not the file that the manifest lists"):
        export(changed, tmp_path / "out", "hub")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_credits_travel_along(corpus, rows, tmp_path, format):
    steps = []
    export(corpus, out := tmp_path / "out", format, on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (len(rows), len(rows))
    credits = (out / "ATTRIBUTION.md").read_text()
    for row in rows.values():
        for event in row.events:
            assert f"## {event.licence}: " in credits
            assert f"- {event.attribution}\n" in credits


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_with_other_things_is_left_alone(corpus, tmp_path, format):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="already holds"):
        export(corpus, tmp_path / "out", format)
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "thesis.tex"]


def test_nothing_is_left_of_an_export_that_failed(tmp_path):
    def fail() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "half").write_text("done")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_export_does_not_go_into_its_corpus(corpus):
    with pytest.raises(BadInput, match="within the corpus"):
        export(corpus, corpus / "export", "nemo")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "-flag", "a\n", "a\x00", "x" * 300, "日本"])
def test_a_name_that_could_leave_the_folder_is_refused(name):
    with pytest.raises(BadInput, match="file name"):
        safe_name(name)


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "hub"])
def test_an_id_cannot_write_outside(corpus, tmp_path, format):
    table = pq.read_table(corpus / shard_paths(read_manifest(corpus))[0])
    records = table.to_pylist()
    records[0]["id"] = "../../escaped"
    evil = tmp_path / "evil"
    shutil.copytree(corpus, evil)
    pq.write_table(pa.Table.from_pylist(records, schema=table.schema), evil / shard_paths(read_manifest(corpus))[0])
    with pytest.raises(BadInput, match="escaped"):
        export(evil, tmp_path / "deep" / "out", format)
    assert not list(tmp_path.rglob("*escaped*"))


def test_two_rows_of_one_id_are_refused(rows, tmp_path):
    row = next(iter(rows.values()))
    with pytest.raises(BadInput, match="twice"):
        write_nemo([row, row], tmp_path)


def test_a_damaged_shard_is_named(corpus, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(corpus, damaged)
    shard = shard_paths(read_manifest(damaged))[0]
    (damaged / shard).write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(BadInput, match=shard):
        export(damaged, tmp_path / "out", "webdataset")
