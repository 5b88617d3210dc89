"""CLAP from both formats: equal weights give equal vectors, and nothing else is asked of user, hub or file."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from pipeline.errors import BadInput
from pipeline.library.clap import ClapEncoder, windows_of
from pipeline.library.clap_towers import WINDOW
from pipeline.library.clip import Clip
from tests.library.clap_models import write_laion, write_tokenizer, write_transformers

TEXTS = ["a dog barks twice", "heavy rain on a tin roof", "玻璃碎了", "word " * 200]


@pytest.fixture(scope="module", params=["tiny", "tiny fused", pytest.param("base", marks=pytest.mark.slow)])
def both(request, tmp_path_factory) -> tuple[ClapEncoder, ClapEncoder]:
    """The same weights behind transformers and behind laion-clap."""
    folder = tmp_path_factory.mktemp("clap")
    model = write_transformers(folder / "hf", size=request.param.split()[0], fused="fused" in request.param)
    with pytest.MonkeyPatch.context() as patch:
        write_laion(folder / "laion" / "model.pt", model, patch, best_metric=np.float64(0.9))
    return ClapEncoder(str(folder / "hf"), None), ClapEncoder(str(folder / "laion" / "model.pt"), None)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Bursts of coloured noise at 48 kHz."""
    draw = np.random.default_rng(seed)
    noise = draw.standard_normal(round(48_000 * seconds))
    tone = np.sin(2 * np.pi * (200 + 300 * seed) * np.arange(len(noise)) / 48_000)
    return (0.1 * (noise + 2 * tone) * np.abs(np.sin(np.arange(len(noise)) / 9_000))).astype(np.float32)


SOUNDS = {"short": sound(0.7), "whole": sound(10.0, 2), "long": sound(12.0, 3)}


def embed(encoder: ClapEncoder, names=tuple(SOUNDS)) -> np.ndarray:
    clips = cast(list[Clip], [SimpleNamespace(clip_id=name) for name in names])
    return encoder.embed_clips(clips, lambda clip, rate_hz: SOUNDS[clip.clip_id])


def test_both_loaders_agree_and_the_batch_does_not_show(both, monkeypatch):
    transformers, laion = (embed(encoder) for encoder in both)
    assert np.abs(transformers - laion).max() < 1e-4
    assert np.abs(transformers[0] - transformers[1]).max() > 0.01  # the tower does tell sounds apart
    for encoder, whole in zip(both, (transformers, laion), strict=True):
        assert np.linalg.norm(whole, axis=1) == pytest.approx(1, abs=1e-6)
        monkeypatch.setattr(encoder, "_batch_size", lambda: 1)
        assert np.abs(embed(encoder) - whole).max() < 1e-5


def test_both_loaders_agree_on_texts_whatever_their_company(both):
    transformers, laion = (encoder.embed_texts(TEXTS) for encoder in both)
    assert transformers.shape == laion.shape == (4, 512)
    assert np.abs(transformers - laion).max() < 1e-4
    assert np.abs(transformers[0] - transformers[1]).max() > 0.001
    assert np.linalg.norm(laion, axis=1) == pytest.approx(1, abs=1e-6)
    both[1]._embed_text.cache_clear()
    assert np.array_equal(both[1].embed_texts(TEXTS[1:2])[0], laion[1])


def test_long_clips_are_embedded_by_windows():
    long = np.arange(2 * WINDOW + 100, dtype=np.float32)
    assert [int(window[0]) for window in windows_of(long)] == [0, WINDOW, WINDOW + 100]
    assert all(len(window) == WINDOW for window in windows_of(long))
    (one,) = windows_of(np.ones(WINDOW // 3 - 10, np.float32))
    assert (len(one), one.sum()) == (WINDOW, WINDOW - 30)
    (exact,) = windows_of(long[:WINDOW])
    assert np.array_equal(exact, long[:WINDOW])


def test_the_identity_follows_the_weights(tmp_path):
    for name, seed in (("a", 0), ("again", 0), ("b", 1)):
        write_transformers(tmp_path / name, size="shallow", seed=seed)
    a, again, b = (ClapEncoder(str(tmp_path / name), None).identity() for name in ("a", "again", "b"))
    assert a == again != b
    assert (a["rate_hz"], a["dimension"], a["normalisation"]) == (48_000, 512, "unit length")


class Hostile:
    """Runs code when it is unpickled the usual way."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tokenizer(tmp_path)
    torch.save({"state_dict": {"a": torch.zeros(1)}, "more": Hostile()}, tmp_path / "bad.pt")
    with pytest.raises(BadInput, match=r"bad\.pt.*plain weights"):
        ClapEncoder(str(tmp_path / "bad.pt"), None)
    assert not (tmp_path / "ran").exists()
    (tmp_path / "torn.pt").write_bytes((tmp_path / "bad.pt").read_bytes()[:100])
    with pytest.raises(BadInput, match=r"torn\.pt.*plain weights"):
        ClapEncoder(str(tmp_path / "torn.pt"), None)
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(BadInput, match=r"other\.pt.*HTSAT and RoBERTa"):
        ClapEncoder(str(tmp_path / "other.pt"), None)


def test_checkpoints_that_cannot_be_had_are_named_with_a_way_out(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.pt' does not exist"):
        ClapEncoder("nowhere.pt", None)
    with pytest.raises(BadInput, match=r"HF_HUB_OFFLINE is set.*hf download laion/clap.*--local-dir"):
        ClapEncoder("laion/clap-htsat-unfused", None)
    with pytest.raises(BadInput, match="neither a local path nor the id"):
        ClapEncoder("not a/hub/id", None)
    write_transformers(tmp_path / "pickled", size="shallow")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(BadInput, match="safetensors"):
        ClapEncoder(str(tmp_path / "pickled"), None)


def test_a_laion_checkpoint_without_a_tokenizer_says_what_is_needed(tmp_path):
    model = write_transformers(tmp_path / "hf")
    with pytest.MonkeyPatch.context() as patch:
        write_laion(tmp_path / "laion" / "model.pt", model, patch)
    for path in (tmp_path / "laion").glob("*.json"):
        path.unlink()
    with pytest.raises(BadInput, match=r"needs the tokenizer of roberta-base.*--tokenizer"):
        ClapEncoder(str(tmp_path / "laion" / "model.pt"), None)
    assert ClapEncoder(str(tmp_path / "laion" / "model.pt"), str(tmp_path / "hf")).dimension == 512


def test_laion_clap_is_used_without_its_side_effects():
    """No hub, no logger, no trainer, no change of sys.path or sys.argv."""
    code = (
        "import sys; before = (list(sys.path), list(sys.argv))\n"
        "from pipeline.library.clap_towers import clap_module\n"
        "clap_module()\n"
        "assert (sys.path, sys.argv) == before\n"
        "assert not {'laion_clap', 'training', 'wandb', 'webdataset'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
