"""The audio tower: mel columns of a chunk to 10 frames of 40 ms, every chunk on its own."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from pipeline.errors import BadInput
from pipeline.streaming.logmel import BANDS, COLUMNS
from schemas.protocol import FRAMES_PER_CHUNK

BLOCKS_AT_ONCE = 64


class Encoder:
    """Transformers' Qwen2.5-Omni audio encoder over independent blocks of 40 mel columns."""

    def __init__(self, tower: Qwen2_5OmniAudioEncoder) -> None:
        config = tower.config
        if config.num_mel_bins != BANDS or config.max_source_positions < COLUMNS // 2:
            raise BadInput(
                f"the audio tower takes {config.num_mel_bins!r} bands and {config.max_source_positions!r} positions, "
                f"not {BANDS} bands and at least {COLUMNS // 2} positions"
            )
        self.tower = tower

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """Frames of mel blocks: [chunks, 128, 40] to [chunks, 10, width], on the tower's device."""
        weight = self.tower.proj.weight
        parts = []
        for blocks in mel.split(BLOCKS_AT_ONCE):
            # Each block is a sequence of its own: convolutions padded at its edges, positions from 0.
            flat = blocks.transpose(0, 1).reshape(BANDS, -1).to(weight.device, weight.dtype)
            lengths = torch.full((len(blocks),), COLUMNS, dtype=torch.long, device=weight.device)
            frames = self.tower(flat, feature_lens=lengths).last_hidden_state
            parts.append(frames.reshape(len(blocks), FRAMES_PER_CHUNK, -1))
        return torch.cat(parts)

    @torch.inference_mode()
    def whole(self, mel: Tensor) -> Tensor:
        """Frames of a recording heard at once, in the tower's own blocks of 2 s: [128, columns] to [frames, width]."""
        weight = self.tower.proj.weight
        lengths = torch.tensor([mel.shape[1]], device=weight.device)
        return self.tower(mel.to(weight.device, weight.dtype), feature_lens=lengths).last_hidden_state


def blocks_of(mel: Tensor) -> Tensor:
    """[128, 40 * chunks] as [chunks, 128, 40]."""
    return mel.reshape(BANDS, -1, COLUMNS).transpose(0, 1)
