"""The readers of a trainer: everything once, in a seeded order, resumable, shared out."""

from __future__ import annotations

import functools
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
from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths, to_row
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
