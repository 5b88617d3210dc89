"""The readers of a trainer: everything once, in a seeded order, resumable, shared out."""

from __future__ import annotations

import functools
import mmap
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import DataLoader

from pipeline.annotation.tokens import tokenize
from pipeline.errors import BadInput
from pipeline.shards.dataset import RandomStreams, Streams
from pipeline.shards.dataset import decode as decode_whole
from pipeline.shards.pages import spans
from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths, to_row
from pipeline.shards.writer import write_shard
from schemas.row import Row


@pytest.fixture(scope="module")
def grouped(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus with each row stored five times under new ids, in row groups of two."""
    folder = tmp_path_factory.mktemp("grouped") / "corpus"
    shutil.copytree(corpus, folder)
    for shard in shard_paths(read_manifest(corpus)):
        table = pq.read_table(corpus / shard)
        records = [{**r, "id": f"{r['id']}-{i}"} for i in range(5) for r in table.to_pylist()]
        pq.write_table(pa.Table.from_pylist(records, schema=table.schema), folder / shard, row_group_size=2)
    return folder


@pytest.fixture(scope="module")
def rows(grouped: Path) -> dict[str, Row]:
    return {r.id: r for r in map(to_row, iter_rows(grouped / "data/train-00000-of-00001.parquet"))}


def ids(samples) -> list[str]:
    return [sample["id"] for sample in samples]


def test_a_sample_is_the_stored_stream(grouped, rows):
    for sample in Streams(grouped):
        row = rows[sample["id"]]
        assert (sample["audio"].numpy() == decode(row.audio)).all()
        assert sample["dense"].nonzero().flatten().tolist() == [r.chunk for r in row.responses]
        assert len(sample["dense"]) == row.num_chunks
        assert sample["responses"] == [r.model_dump() for r in row.responses]


def test_every_stream_comes_once_an_epoch_in_an_order_of_the_seed(grouped, rows):
    streams, again = Streams(grouped, seed=3), Streams(grouped, seed=3)
    first, second = ids(streams), ids(streams)
    assert sorted(first) == sorted(second) == sorted(rows)
    assert [first, second] == [ids(again), ids(again)]
    stored = ids(Streams(grouped, seed=None))
    assert stored == list(rows)
    assert len({tuple(order) for order in (first, second, stored, ids(Streams(grouped, seed=4)))}) == 4


@pytest.mark.parametrize("after", [0, 1, 7, 29, 30])
def test_a_resumed_reader_goes_on_where_it_stopped(grouped, rows, after):
    assert len(rows) == 30
    whole = Streams(grouped, seed=1)
    wanted = ids(whole) + ids(whole)
    begun = Streams(grouped, seed=1)
    stream = iter(begun)
    taken = [next(stream)["id"] for _ in range(after)]
    resumed = Streams(grouped, seed=1)
    resumed.load_state_dict(begun.state_dict())
    assert taken + ids(resumed) == wanted[:30]
    assert ids(resumed) == wanted[30:]


def test_a_state_of_another_order_is_refused(grouped):
    with pytest.raises(BadInput, match="seed"):
        Streams(grouped, seed=2).load_state_dict(Streams(grouped, seed=1).state_dict())


def test_ranks_and_workers_share_an_epoch(grouped, rows):
    ranks = [ids(Streams(grouped, rank=rank, world_size=3)) for rank in range(3)]
    assert sorted(row_id for rank in ranks for row_id in rank) == sorted(rows)
    loader = DataLoader(Streams(grouped), batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert sorted(ids(loader)) == sorted(rows)


def test_tokens_come_with_a_tokenizer_and_refused_rows_are_left_out(grouped, rows, caplog):
    lay_out = functools.partial(tokenize, prefix=(1, 2), encode=lambda text: [ord(c) for c in text])
    for sample in Streams(grouped, tokenize=lay_out):
        (part,) = lay_out(rows[sample["id"]])
        (tokens,) = sample["tokens"]
        assert tokens["input_ids"].tolist() == list(part.input_ids)
        assert (tokens["labels"][tokens["stream_mask"] | tokens["lm_mask"]] != -100).all()
    assert not list(Streams(grouped, tokenize=functools.partial(lay_out, limit=20)))
    assert "left out" in caplog.text


def test_a_stream_can_be_had_by_index(grouped, rows):
    streams = RandomStreams(grouped)
    assert len(streams) == len(rows)
    for index in np.random.default_rng(0).permutation(len(rows)):
        assert streams[int(index)]["id"] == list(rows)[index]
        assert streams.stored(int(index))[1] == rows[list(rows)[index]].audio
    with pytest.raises(IndexError):
        streams[len(rows)]


def test_what_is_not_there_is_told(grouped):
    with pytest.raises(BadInput, match="no split 'valid'"):
        Streams(grouped, "valid")
    with pytest.raises(BadInput, match="rank"):
        Streams(grouped, rank=2, world_size=2)


def test_datasets_streams_and_shards_the_same_rows(grouped, rows, tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed (extra `test`)")
    streamed = datasets.load_dataset(str(grouped), split="train", streaming=True, cache_dir=str(tmp_path))
    streamed = streamed.cast_column("audio", datasets.Audio(decode=False))
    assert {r["id"]: r["audio"]["bytes"] for r in streamed} == {i: row.audio for i, row in rows.items()}
    assert ids(streamed.shuffle(seed=1, buffer_size=10)) != list(rows)


def test_a_shard_gives_the_audio_of_each_row_without_arrow(rows, tmp_path):
    path = tmp_path / write_shard(tmp_path, "data/one.parquet", rows.values()).path
    expected = [row.audio for row in rows.values()]
    with pq.ParquetFile(path) as file, path.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        found = spans(mapped, audio_column(file))
        assert found is not None
        assert [mapped[start:end] for start, end in found] == expected


def audio_column(file: pq.ParquetFile) -> pq.ColumnChunkMetaData:
    group = file.metadata.row_group(0)
    return next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "audio.bytes")


@pytest.mark.parametrize(
    "layout",
    [
        {"compression": "zstd"},
        {"data_page_version": "2.0"},
        {"use_dictionary": True},
        {"write_page_checksum": True},
        {"data_page_size": 1},
    ],
    ids=str,
)
def test_a_shard_written_otherwise_is_read_as_well(corpus, tmp_path, layout):
    shutil.copytree(corpus, folder := tmp_path / "corpus")
    path = folder / "data/train-00000-of-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, **{"compression": "none", "use_dictionary": False, "write_statistics": False, **layout})
    streams = RandomStreams(folder)
    assert [streams.stored(i)[1] for i in range(len(streams))] == [
        audio["bytes"] for audio in table["audio"].to_pylist()
    ]


def test_damaged_audio_is_told(rows):
    row = next(iter(rows.values()))
    assert len(decode_whole(row.audio, row.num_samples)) == row.num_samples
    broken = row.audio[: len(row.audio) // 2] + bytes(200) + row.audio[len(row.audio) // 2 + 200 :]
    for flac in (row.audio[: len(row.audio) // 2], broken, b"RIFF"):
        with pytest.raises(BadInput, match="validate the corpus"):
            decode_whole(flac, row.num_samples)
