"""MiniLM and other sentence encoders: captions and queries by what they mean."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.library import checkpoints
from pipeline.library.clip import Clip
from pipeline.library.encoders import ReadClip, save_settings, text_of

_LONGEST = 256


class MiniLmEncoder:
    """The mean of a transformer's last hidden states, of unit length: what sentence-transformers calls mean pooling
    (Reimers and Gurevych, EMNLP 2019). Texts are embedded one by one, so that none depends on its neighbours."""

    name = "minilm"
    listens = False

    def __init__(self, checkpoint: str) -> None:
        """Load a sentence-transformers folder or hub id. Raises BadInput where it is none or pools otherwise."""
        from transformers import AutoModel, AutoTokenizer

        self._settings: dict[str, str | None] = {"checkpoint": checkpoint}
        folder = checkpoints.find(checkpoint)
        files = checkpoints.weights(folder)
        _check_pooling(folder)
        try:
            with checkpoints.quiet():
                self._model = AutoModel.from_pretrained(folder, use_safetensors=True, local_files_only=True).eval()
                self._tokenize = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise BadInput(f"checkpoint {checkpoint!r} cannot be loaded ({reason}); fetch it again") from error
        self._sha256 = checkpoints.sha256(files)
        self._longest = _max_tokens(folder)
        self.dimension = int(self._model.config.hidden_size)
        self._embed_text = lru_cache(maxsize=1 << 16)(self._embed_one)

    def identity(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": 1,
            "checkpoint_sha256": self._sha256,
            "dimension": self.dimension,
            "max_tokens": self._longest,
            "normalisation": "unit length",
        }

    def content_of(self, clip: Clip) -> str:
        return text_of(clip)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        found = [self._embed_text(text) for text in texts]
        return np.stack(found) if found else np.zeros((0, self.dimension), np.float32)

    def embed_clips(self, clips: Sequence[Clip], read: ReadClip) -> NDArray[np.float32]:
        return self.embed_texts([text_of(clip) for clip in clips])

    def save(self, folder: Path) -> None:
        save_settings(folder, self.name, self._settings)

    def _embed_one(self, text: str) -> NDArray[np.float32]:
        import torch

        tokens = self._tokenize(text, truncation=True, max_length=self._longest, return_tensors="pt")
        with torch.inference_mode():
            mean = self._model(**tokens).last_hidden_state[0].mean(dim=0).double().numpy()
        return (mean / np.linalg.norm(mean)).astype(np.float32)


def _check_pooling(folder: Path) -> None:
    path = folder / "1_Pooling" / "config.json"
    pooling = json.loads(path.read_text("utf-8")) if path.is_file() else {"pooling_mode_mean_tokens": True}
    if not pooling.get("pooling_mode_mean_tokens"):
        raise BadInput(
            f"checkpoint {str(folder)!r} does not pool by the mean of tokens; only such models are supported"
        )


def _max_tokens(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    return int(json.loads(path.read_text("utf-8"))["max_seq_length"]) if path.is_file() else _LONGEST
