"""A cross-encoder that says how well a reply fits what was heard, as Proactive-Sound-Bench may be scored with."""

from __future__ import annotations

import torch

from pipeline.errors import BadInput
from pipeline.library import checkpoints


class CrossEncoder:
    """A transformers sequence classifier with one output, safetensors only; its score is the sigmoid of its logit."""

    def __init__(self, checkpoint: str) -> None:
        """Load a local folder or hub id. Raises BadInput where it is none, or has more than one output."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = checkpoints.find(checkpoint)
        checkpoints.weights(folder)
        try:
            with checkpoints.quiet():
                self._model = AutoModelForSequenceClassification.from_pretrained(
                    folder, use_safetensors=True, local_files_only=True
                ).eval()
                self._tokenize = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise BadInput(f"reranker {checkpoint!r} cannot be loaded ({reason}); fetch it again") from error
        if self._model.config.num_labels != 1:
            raise BadInput(
                f"reranker {checkpoint!r} has {self._model.config.num_labels} outputs; a reranker has one, such as "
                "BAAI/bge-reranker-base"
            )

    def __call__(self, description: str, reply: str) -> float:
        """In [0, 1]."""
        tokens = self._tokenize(description, reply, truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            return float(self._model(**tokens).logits.reshape(()).sigmoid())
