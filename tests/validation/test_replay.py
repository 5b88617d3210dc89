"""`streamaudio validate --model`, and replays of a corpus as a user runs them."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from flows.on_ray import Runner
from flows.replay import Scorers, listener_settings, run_replay, source_of
from pipeline.errors import BadInput, StaleIdentity
from pipeline.validation.gates import broken_by_corpus, broken_by_listener
from pipeline.validation.replay.bench import BenchSource, outputs
from pipeline.validation.replay.listener import Chunk, Outcome
from pipeline.validation.replay.reranker import CrossEncoder
from pipeline.validation.replay.run import Replay, make_listener, replay_job
from pipeline.validation.replay.streams import CorpusSource, StabilitySource
from pipeline.validation.scores import scores
from schemas.listeners import CommandListener
from schemas.recipe import Gates
from tests.factories import Handmade
from tests.flows.commands import run
from tests.validation.replays import Perfect

ROOT = Path(__file__).resolve().parents[2]
SILENT_PROGRAM = """
import sys
while sys.stdin.buffer.read(12800):
    print('{"decision": "silent"}', flush=True)
"""


@pytest.fixture
def corpus(handmade: Handmade, tmp_path: Path) -> Path:
    return handmade.write(tmp_path / "corpus")


@pytest.fixture
def silent(tmp_path: Path) -> CommandListener:
    program = tmp_path / "silent.py"
    program.write_text(SILENT_PROGRAM)
    return CommandListener(argv=(sys.executable, str(program)), name="silent")


def hear_all(replay: Replay) -> None:
    """With a listener that knows the labels."""
    for job in replay.source.jobs():
        replay_job(replay, job, listener=Perfect(replay.source.labels(job)))


def test_who_knows_the_labels_is_perfect_in_every_figure(corpus: Path, silent: CommandListener) -> None:
    replay = Replay(CorpusSource(corpus), silent, corpus)
    replay.folder.claim(replay.identity())
    hear_all(replay)
    found = run_replay(replay, gates=Gates(min_f1=1, max_false_per_hour=0)).scores
    labels = float(json.loads((corpus / "manifest.json").read_text())["responses"])
    assert found["triggers"]["tolerance"]["0"]["f1"] == {"value": 1.0, "n": labels, "low": 1.0, "high": 1.0}
    assert found["triggers"]["false_per_hour"]["value"] == 0
    assert found["emotion"]["agreement"]["value"] == 1
    assert found["text"]["counts"]["exact"]["value"] == 1
    assert found["broken_gates"] == []
    assert found["misses"]["count_events"]["labels"] > 0
    rows = pq.read_table(replay.folder.results).to_pylist()
    manifest = json.loads((corpus / "manifest.json").read_text())
    shards = [s["path"] for split in manifest["splits"].values() for s in split["shards"]]
    stored = [row for path in shards for row in pq.read_table(corpus / path).to_pylist()]
    assert [row["id"] for row in rows] == [row["id"] for row in stored]
    for row, of in zip(rows, stored, strict=True):
        spoken = [chunk for chunk, heard in enumerate(row["chunks"]) if heard["decision"] == "response"]
        assert spoken == [response["chunk"] for response in of["responses"]]
        assert row["hits"] == len(of["responses"])
        assert row["missed"] == row["extra"] == row["false"] == []


def test_gates_name_what_failed_and_validate_exits_3(
    corpus: Path, silent: CommandListener, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_gates(corpus, {"min_f1": 0.5, "max_false_per_hour": 1, "sub_tasks": ["natural_hazard"]})
    command = ("validate", corpus, "--no-contract", "--model", "command", "--name", "silent", "--", *silent.argv)
    result = run(capsys, monkeypatch, *command)
    assert result.status == 3
    assert "gate-f1" in result.err
    assert "F1 with 1 chunks of tolerance is 0" in result.err
    assert "gate-false-responses" not in result.err
    # The report and whoever else looks find the same in the file.
    scores = json.loads((corpus / "replay" / "silent.json").read_text())
    assert [broken["gate"] for broken in scores["broken_gates"]] == ["gate-f1"]
    assert scores["triggers"]["tolerance"]["2"]["recall"]["value"] == 0
    assert scores["gated"]["sub_tasks"] == ["natural_hazard"]
    assert not (corpus / ".state" / "replay" / "silent").exists()
    # What a replay leaves is part of a corpus.
    again = run(capsys, monkeypatch, "validate", corpus)
    assert "stray-file" not in again.err
    assert "pass --model" in again.err


def _set_gates(corpus: Path, gates: dict[str, object]) -> None:
    path = corpus / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["recipe"]["gates"] |= gates
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_gates_on_seams_and_quarantine() -> None:
    def broken(seam: float | None, quarantined: int, **gates: float) -> list[str]:
        seams = {"n": 0 if seam is None else 40, "p95": seam}
        found = broken_by_corpus(Gates.model_validate(gates), 90, quarantined, {"seams": {"max_seam_jump": seams}})
        return [finding.rule for finding in found]

    assert broken(3.1, 10, max_seam_jump=3.0) == ["gate-seams"]
    assert broken(3.0, 10, max_seam_jump=3.0, max_quarantined=0.1) == []
    assert broken(None, 11, max_seam_jump=3.0, max_quarantined=0.1) == ["gate-quarantined"]
    assert broken(99.0, 90) == []


def test_a_gate_without_anything_to_measure_is_broken() -> None:
    found = broken_by_listener(Gates(min_f1=0.5, max_false_per_hour=3), "probe", scores([]))
    assert [finding.rule for finding in found] == ["gate-f1", "gate-false-responses"]


def test_a_replay_goes_on_where_it_stopped(
    corpus: Path, silent: CommandListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.validation.replay.run.STREAMS_PER_PART", 2)
    replay, heard = Replay(CorpusSource(corpus), silent, corpus), list[str]()
    listener = make_listener(silent)
    listen = listener.listen

    class Breaks:
        open, close = listener.open, listener.close

        def __init__(self, after: int) -> None:
            self.left = after

        def listen(self, chunks: Iterable[Chunk]) -> Outcome:
            heard.append("stream")
            self.left -= 1
            if self.left < 0:
                raise BadInput("it broke")
            return listen(chunks)

    replay.folder.claim(replay.identity())
    job = max(replay.source.jobs(), key=replay.source.count)
    with pytest.raises(BadInput, match="it broke"):
        replay_job(replay, job, listener=Breaks(after=3))
    assert replay.folder.done() == 2
    heard.clear()
    replay_job(replay, job, listener=Breaks(after=100))
    assert len(heard) == replay.source.count(job) - 2
    found = run_replay(replay)
    assert found.scores["streams"] == 9
    before = found.results.stat().st_mtime_ns
    assert run_replay(replay).results.stat().st_mtime_ns == before


def test_results_of_another_listener_are_not_gone_on_with(corpus: Path, silent: CommandListener) -> None:
    run_replay(Replay(CorpusSource(corpus, limit=2), silent, corpus))
    for other in (
        Replay(CorpusSource(corpus, limit=3), silent, corpus),
        Replay(CorpusSource(corpus, limit=2), silent.model_copy(update={"version": "2"}), corpus),
    ):
        with pytest.raises(StaleIdentity, match="--fresh"):
            run_replay(other)
    Path(silent.argv[1]).write_text(SILENT_PROGRAM + "# changed\n")
    with pytest.raises(StaleIdentity, match="is of listener"):
        run_replay(Replay(CorpusSource(corpus, limit=2), silent, corpus))
    assert run_replay(Replay(CorpusSource(corpus, limit=3), silent, corpus), fresh=True).scores["streams"] == 3


def test_a_limit_is_shared_out_or_taken_from_the_first(corpus: Path) -> None:
    def taken(limit: int, spread: bool) -> list[int]:
        source = CorpusSource(corpus, limit=limit, spread=spread)
        assert sum(len(list(source.labels(job))) for job in source.jobs()) == min(limit, 9)
        return [source.count(job) for job in source.jobs()]

    assert [len(taken(2, True)), len(taken(2, False))] == [2, 1]
    assert taken(99, True) == taken(99, False)


def test_sessions_of_several_streams(corpus: Path, silent: CommandListener) -> None:
    source = StabilitySource(CorpusSource(corpus), most=3)
    replay = Replay(source, silent, corpus)
    for job in source.jobs():
        rows = {stream.labels.id: stream for stream in source.corpus.stream(job, 0)}
        streams = list(source.stream(job, 0))
        assert [s.labels.id for s in streams] == [labels.id for labels in source.labels(job)]
        assert [s.labels.id for s in source.stream(job, 2)] == [s.labels.id for s in streams[2:]]
        for stream in streams:
            parts = [rows[name] for name in stream.labels.id.split("+")]
            np.testing.assert_array_equal(stream.samples, np.concatenate([part.samples for part in parts]))
            assert len(stream.samples) == stream.labels.num_chunks
            assert len(stream.labels.expected) == sum(len(part.labels.expected) for part in parts)
    replay.folder.claim(replay.identity())
    hear_all(replay)
    found = run_replay(replay).scores
    assert {name: at["tolerance"]["0"]["f1"]["value"] for name, at in found["by_group"].items()} == {
        "1 streams": 1,
        "2 streams": 1,
        "3 streams": 1,
    }
    assert sorted(found["by_position"]) == ["1 of 3", "2 of 3", "3 of 3"]
    assert (corpus / "replay" / "silent.stability.parquet").is_file()


def test_recordings_that_nobody_conditioned(corpus: Path, silent: CommandListener, tmp_path: Path) -> None:
    folder = tmp_path / "natural"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.zeros(44_100 * 5), 44_100)
    soundfile.write(folder / "b.flac", np.zeros(16_000 * 3), 16_000)
    labels = tmp_path / "labels.jsonl"
    labels.write_text(
        '{"path": "a.wav", "responses": [{"at_s": 1.3, "text": "Careful."}], "silent": [[2.0, 4.0]]}\n\n'
        '{"path": "b.flac"}\n'
    )
    source = source_of(corpus, "natural", audio=folder, labels=labels)
    (first, second) = source.labels("natural")
    assert (first.num_chunks, [e.chunk for e in first.expected]) == (13, [3])
    assert np.flatnonzero(first.verified).tolist() == [5, 6, 7, 8, 9]
    assert (second.num_chunks, second.expected) == (8, ())
    found = run_replay(Replay(source, silent, corpus)).scores
    assert found["triggers"]["tolerance"]["2"]["recall"] == {"value": 0.0, "n": 1.0, "low": 0.0, "high": 0.0}
    for line, message in (
        ('{"path": "../labels.jsonl"}', "is no file in"),
        ('{"path": "a.wav", "responses": [{"at_s": 9}]}', "a reply at 9 s; the recording ends at 5.2 s"),
        ('{"path": "a.wav", "respones": []}', "did you mean 'responses'"),
        ("{", "line 1 '{' is no JSON"),
    ):
        labels.write_text(line)
        with pytest.raises(BadInput, match=re.escape(message)):
            list(source.labels("natural"))


def test_the_benchmark(corpus: Path, silent: CommandListener, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    items = [("glass", "traffic", "RESPOND"), ("horn", "traffic", "RESPOND"), ("bus", "traffic", "IGNORE")]
    items += [("song", "music", "IGNORE"), ("drum", "music", "ignore "), ("alone", "nature", "IGNORE")]
    for seconds, (name, category, _) in enumerate(items, start=1):
        (folder / category).mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / category / f"{name}.wav", np.full(16_000 * seconds, 0.1), 16_000)
    rows = [{"id": n, "path": f"{c}/{n}.wav", "description": f"a {n}", "decision": d} for n, c, d in items]
    manifest = tmp_path / "bench.json"
    manifest.write_text(json.dumps(rows))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    table = "id,path,description,decision\n" + "".join(",".join(row.values()) + "\n" for row in rows)
    for name, text in (("bench.jsonl", lines), ("bench.csv", table)):
        (tmp_path / name).write_text(text)
        assert BenchSource(folder, tmp_path / name).groups("single") == BenchSource(folder, manifest).groups("single")

    source = BenchSource(folder, manifest)
    assert source.count("single") == 6
    groups = source.groups("multiple")
    assert groups == source.groups("multiple")
    assert sorted(len(group) for group in groups) == [2, 3]
    assert all(len({item.group for item in group}) == 1 for group in groups)
    single = {stream.labels.id: stream for stream in source.stream("single", 0)}
    horn = single["horn"].labels
    # Two seconds are five chunks, then three of silence.
    assert (horn.num_chunks, [e.chunk for e in horn.expected], horn.verified.any()) == (8, [4], np.False_)
    assert np.flatnonzero(single["bus"].labels.verified).tolist() == list(range(8))
    (traffic,) = [stream for stream in source.stream("multiple", 0) if stream.labels.sub_task == "traffic"]
    assert len(traffic.labels.expected) == 2

    replay = Replay(source, silent, corpus)
    replay.folder.claim(replay.identity())
    hear_all(replay)
    found = run_replay(replay, scorers=Scorers(rerank=lambda description, reply: float("horn" in description))).scores
    tiers = found["bench"]["tiers"]
    assert {name: tier["accuracy"]["value"] for name, tier in tiers.items()} == {"single": 1, "multiple": 1}
    assert tiers["single"]["reranked"]["value"] == 0.5
    assert "joined in twos" in found["bench"]["multiple"]
    # Who never speaks is right about what is to be ignored, and only there.
    quiet = [replace(judged, outcome=replace(judged.outcome, replies=())) for judged in replay.judged()]
    assert {line["output"] for line in outputs(quiet)} == {"<Decision>IGNORE</Decision>"}
    written = (corpus / "replay" / "silent.proactive-sound-bench.outputs.jsonl").read_text().splitlines()
    assert [json.loads(line)["output"] for line in written][:3] == [
        "<Decision>RESPOND</Decision><Reply></Reply>",
        "<Decision>RESPOND</Decision><Reply></Reply>",
        "<Decision>IGNORE</Decision>",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "moshi"], "nor a kind of listener"),
        (["--model", "command"], "end the line with: -- PROGRAM"),
        (["--model", "audio-interaction"], "needs --checkpoint DIR"),
        (["--model", "openai-realtime"], "model: Field required"),
        (["--suite", "stability"], "pass --model"),
        (["--model", "command", "--suite", "natural", "--", "true"], "needs --audio DIR"),
        (["--model", "command", "--split", "dev", "--", "true"], "has no split 'dev'"),
        (["--model", "command", "--", "no-such-program"], "is not on PATH"),
    ],
)
def test_mistakes_are_one_line(
    corpus: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run(capsys, monkeypatch, "validate", corpus, "--no-contract", *arguments)
    assert result.status == 2
    assert message in result.err
    assert "Traceback" not in result.err


def test_the_documented_program_joins(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "validation.md").read_text(encoding="utf-8"), re.S)
    program = tmp_path / "my_model.py"
    program.write_text(code, encoding="utf-8")
    command = ("--no-contract", "--model", "command", "--limit", 4, "--", sys.executable, program)
    result = run(capsys, monkeypatch, "validate", corpus, *command)
    assert result.status == 0, result.err
    assert "scores  " in result.out
    rows = pq.read_table(corpus / "replay" / "command.parquet").to_pylist()
    assert len(rows) == 4
    replies = [reply for row in rows for reply in row["replies"]]
    assert replies
    assert {(reply["text"], reply["emotion"]) for reply in replies} == {("What was that?", "surprise")}
    assert all(0 <= chunk["score"] <= 1 for row in rows for chunk in row["chunks"])


def test_workers_on_ray_find_a_corpus_that_was_named_from_here(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(replay: Replay, **_: object) -> None:
        monkeypatch.chdir("/")
        raise BadInput(f"{len(replay.source.jobs())} jobs, {replay.folder.results.parent.parent}")

    monkeypatch.setattr("flows.replay.replay_on_ray", elsewhere)
    monkeypatch.chdir(corpus.parent)
    arguments = ("--no-contract", "--model", "command", "--name", "far", "--runner", "ray", "--", "true")
    result = run(capsys, monkeypatch, "validate", corpus.name, *arguments)
    assert f"{len(CorpusSource(corpus).jobs())} jobs, {corpus}" in " ".join(result.err.split())


@pytest.mark.slow
@pytest.mark.parametrize("gpus", [None, 0.5])
def test_workers_hear_shards_side_by_side(
    corpus: Path, silent: CommandListener, monkeypatch: pytest.MonkeyPatch, gpus: float | None
) -> None:
    alone = run_replay(Replay(CorpusSource(corpus), silent, corpus)).results.read_bytes()
    if gpus is not None:
        ray = pytest.importorskip("ray", reason="Ray is not installed; it comes with the extra ray")
        # Ray counts a GPU that is not there, and lets nobody see it but who asked for it.
        monkeypatch.setattr(ray, "init", functools.partial(ray.init, num_gpus=1))
        Path(silent.argv[1]).write_text(
            f"import os\nassert os.environ['CUDA_VISIBLE_DEVICES'] == '0'\n{SILENT_PROGRAM}"
        )
        silent = silent.model_copy(update={"keep_env": ("CUDA_VISIBLE_DEVICES",)})
    together = run_replay(
        Replay(CorpusSource(corpus), silent.model_copy(update={"name": "pair"}), corpus),
        workers=2,
        runner=None if gpus is None else Runner(gpus=gpus),
    ).results
    one, other = (pq.read_table(results).drop_columns("chunks") for results in (pa.BufferReader(alone), together))
    assert one.equals(other)


def test_a_cross_encoder_scores_replies(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(("[PAD]", "[UNK]", "glass", "run"))}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(tmp_path)  # noqa: S106

    def save(outputs: int) -> None:
        config = BertConfig(
            vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
        )
        config.num_labels = outputs
        BertForSequenceClassification(config).save_pretrained(tmp_path)

    save(1)
    scorer = CrossEncoder(str(tmp_path))
    scored = scorer("glass", "run")
    assert 0 < scored < 1
    assert scorer("glass", "run") == scored != scorer("run", "glass")
    save(3)
    with pytest.raises(BadInput, match="has 3 outputs"):
        CrossEncoder(str(tmp_path))


def test_settings_of_a_listener_come_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "moshi.yaml"
    file.write_text("kind: command\nargv: [python, moshi.py]\npace: live\n")
    settings = listener_settings(str(file), {})
    assert isinstance(settings, CommandListener)
    assert (settings.name, settings.pace, settings.argv) == ("moshi", "live", ("python", "moshi.py"))
    file.write_text("kind: audio-chat\nmodel: m\nbase_url: https://me:secret@host/v1\n")
    with pytest.raises(BadInput) as caught:
        listener_settings(str(file), {})
    assert "secret" not in str(caught.value)
