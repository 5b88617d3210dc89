"""Samples come back as they went in, whoever writes and whenever it is killed."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from pipeline.library.store import ConditionedCache, StoreWriter

KEYS = [f"{i:064x}" for i in range(20)]


def samples_of(key: str) -> np.ndarray:
    return np.random.default_rng(int(key, 16)).standard_normal(1_000 + int(key, 16)).astype(np.float32)


def fill(folder: Path) -> int:
    cache = ConditionedCache(folder)
    for key in KEYS:
        cache.put(key, samples_of(key), {"key": key, "kept": [[0, 10]]})
        assert cache.get(key) is not None
    return len(KEYS)


def test_the_cache_returns_exactly_what_was_put(tmp_path):
    cache = ConditionedCache(tmp_path / "conditioned")
    assert cache.get(KEYS[0]) is None
    fill(tmp_path / "conditioned")
    for key in KEYS:
        samples, meta = cache.get(key) or pytest.fail("missing")
        assert samples.dtype == np.float32
        assert np.array_equal(samples, samples_of(key))
        assert meta == {"key": key, "kept": [[0, 10]]}


def test_many_processes_may_fill_the_cache_at_once(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(fill, [tmp_path] * 3)) == [len(KEYS)] * 3
    cache = ConditionedCache(tmp_path)
    assert all(np.array_equal((cache.get(key) or pytest.fail("missing"))[0], samples_of(key)) for key in KEYS)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(KEYS)


@pytest.mark.parametrize("kept", [0, 4, 100, 2_000])
def test_a_damaged_cache_file_is_a_miss(tmp_path, kept):
    fill(tmp_path)
    path = next(tmp_path.rglob(f"{KEYS[3]}.*"))
    path.write_bytes(path.read_bytes()[:kept])
    assert ConditionedCache(tmp_path).get(KEYS[3]) is None


def test_a_failed_put_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        ConditionedCache(tmp_path).put(KEYS[0], samples_of(KEYS[0]), {})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_store_is_exact_for_16_bit_sources_and_never_wraps(tmp_path):
    pcm = np.array([-32_768, -1, 0, 1, 32_767], np.int16)
    with StoreWriter(tmp_path / "a", 0) as writer:
        assert writer.append(pcm.astype(np.float32) / 32_768) == 0
        assert writer.append(np.array([1.0, -1.0], np.float32)) == 5
    assert np.fromfile(tmp_path / "a", "<i2").tolist() == [*pcm.tolist(), 32_767, -32_768]


def append_then_fail(path: Path, length: int) -> None:
    with StoreWriter(path, length) as writer:
        writer.append(np.zeros(50, np.float32))
        raise OSError(28, "No space left on device")


def test_a_failed_append_is_cut_off_and_so_is_what_a_killed_one_left(tmp_path):
    path = tmp_path / "a"
    with StoreWriter(path, 0) as writer:
        writer.append(np.zeros(100, np.float32))
    with pytest.raises(OSError, match="No space"):
        append_then_fail(path, 100)
    assert path.stat().st_size == 200
    path.write_bytes(path.read_bytes() + b"torn")
    with StoreWriter(path, 100) as writer:
        assert writer.append(np.ones(1, np.float32)) == 100
    assert path.stat().st_size == 202
