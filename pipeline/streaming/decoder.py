"""The language model: Qwen2.5's decoder fed with embeddings, over a cache of keys and values of our own.

Positions are exact integers in the cache and in the mask, but the rotary angles use float16(position), as the released
model was run: from 2,048 on several positions share an angle. Products are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model, rotate_half

ATTENTION = "grouped"


def attend(
    module: nn.Module, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, *, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """Attention of [sessions, heads, tokens, size] over the keys and values of fewer groups: the heads of a group stand
    one behind another as if they were tokens. Transformers' own copies keys and values for every head each time."""
    sessions, heads, tokens, size = queries.shape
    stacked = queries.reshape(sessions, keys.shape[1], -1, size)
    result = nn.functional.scaled_dot_product_attention(stacked, keys, values, attn_mask=mask, scale=scaling)
    return result.reshape(sessions, heads, tokens, size).transpose(1, 2), None


AttentionInterface.register(ATTENTION, attend)


class Cache:
    """Keys and values of one session: [layers, 2, groups, capacity, head size], of which `length` are spoken for.

    Written behind `length` only, so that an older view of it (fewer positions) stays true.
    """

    def __init__(self, rows: Tensor, length: int) -> None:
        self.rows = rows
        self.length = length

    def reserve(self, start: int, end: int) -> Cache:
        """A cache with rows [0, start) of this one and with [start, end) for the caller alone to write: this one where
        nobody has gone on from `start` before and there is room, else a copy."""
        capacity = self.rows.shape[3]
        if start == self.length and end <= capacity:
            self.length = end
            return self
        rows = self.rows.new_empty((*self.rows.shape[:3], capacity if end <= capacity else 2 * end, self.rows.shape[4]))
        rows[:, :, :, :start] = self.rows[:, :, :, :start]
        return Cache(rows, end)


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """What one session feeds into a forward: `embeddings` [tokens, width] behind the `position` rows of `cache`."""

    embeddings: Tensor
    cache: Cache
    position: int


class Decoder:
    """A Qwen2 model and its output matrix [vocabulary, width]."""

    def __init__(self, model: Qwen2Model, head: Tensor) -> None:
        model.set_attn_implementation(ATTENTION)
        self.model = model
        self.head = head

    @property
    def device(self) -> torch.device:
        return self.head.device

    def new_cache(self, capacity: int) -> Cache:
        config = self.model.config
        rows = self.head.new_empty(
            (config.num_hidden_layers, 2, config.num_key_value_heads or 0, capacity, config.head_dim)
        )
        return Cache(rows, 0)

    @torch.inference_mode()
    def embed(self, ids: Sequence[int]) -> Tensor:
        """Embeddings [ids, width]."""
        return self.model.embed_tokens(torch.tensor(ids, device=self.device))

    @torch.inference_mode()
    def forward(self, feeds: Sequence[Feed]) -> tuple[Tensor, list[Cache]]:
        """One forward over several sessions.

        Returns:
            Hidden states behind each session's last token, normalised, [sessions, width]; the caches, filled.
        """
        tokens = max(len(feed.embeddings) for feed in feeds)
        caches = [feed.cache.reserve(feed.position, feed.position + len(feed.embeddings)) for feed in feeds]
        # Shorter feeds are padded on their left; what stands there is never stored nor read.
        embeddings = torch.stack(
            [nn.functional.pad(feed.embeddings, (0, 0, tokens - len(feed.embeddings), 0)) for feed in feeds]
        )
        ends = torch.tensor([feed.position + len(feed.embeddings) for feed in feeds], device=self.device)
        positions = (ends[:, None] - tokens + torch.arange(tokens, device=self.device)).clamp(min=0)
        batch = _Batch(feeds, caches)
        mask = self._mask(positions, min(feed.position for feed in feeds), batch.longest)
        output = self.model(
            inputs_embeds=embeddings,
            attention_mask={"full_attention": mask},  # pyright: ignore[reportArgumentType]
            position_ids=rotary_positions(positions),  # pyright: ignore[reportArgumentType]
            past_key_values=batch,  # pyright: ignore[reportArgumentType]
            use_cache=True,
        )
        return output.last_hidden_state[:, -1], caches

    def _mask(self, positions: Tensor, seen: int, keys: int) -> Tensor:
        """What is added to the scores of queries at `positions` [sessions, tokens]: 0 where a key is no later, which is
        so for the first `seen`, else minus infinity; [sessions, 1, heads of a group * tokens, keys] for `attend`."""
        config = self.model.config
        heads = config.num_attention_heads // (config.num_key_value_heads or 1)
        later = torch.arange(seen, keys, device=self.device) > positions.repeat(1, heads)[:, :, None]
        mask = self.head.new_zeros((len(positions), 1, later.shape[1], keys))
        mask[:, 0, :, seen:].masked_fill_(later, -torch.inf)
        return mask

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """[sessions, vocabulary], float32."""
        return (hidden @ self.head.T).float()

    @torch.inference_mode()
    def keep(self, cache: Cache, position: int, anchor: int, start: int) -> tuple[Cache, int]:
        """Forget rows [anchor, start): the rest moves down to follow the anchor, its keys turned to their new angles.

        Source: the attention sinks of Xiao et al. 2023 (StreamingLLM), with a whole prompt for a sink.

        Returns:
            The new cache and its next free position.
        """
        kept = cache.rows[:, :, :, start:position]
        end = anchor + position - start
        rows = torch.empty_like(cache.rows)
        rows[:, :, :, :anchor] = cache.rows[:, :, :, :anchor]
        rows[:, :, :, anchor:end] = kept
        old = rotary_positions(torch.arange(start, position, device=self.device))
        new = rotary_positions(torch.arange(anchor, end, device=self.device))
        angles = (new - old)[:, None] * self.model.rotary_emb.inv_freq.to(self.device, torch.float32)
        turn = torch.cat((angles, angles), dim=-1)
        keys = kept[:, 0].float()
        rows[:, 0, :, anchor:end] = (keys * turn.cos() + rotate_half(keys) * turn.sin()).to(rows.dtype)
        return Cache(rows, end), end


def rotary_positions(positions: Tensor) -> Tensor:
    """What stands for a position in the rotary angles: float16(position), as float32."""
    return positions.to(torch.float16).to(torch.float32)


class _Batch:
    """What Qwen2's attention needs of a cache: store new keys and values, give all there are."""

    def __init__(self, feeds: Sequence[Feed], caches: Sequence[Cache]) -> None:
        self.spans = [(feed.position, len(feed.embeddings)) for feed in feeds]
        self.caches = caches
        self.longest = max(start + count for start, count in self.spans)

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any) -> tuple[Tensor, Tensor]:
        for row, (cache, (start, count)) in enumerate(zip(self.caches, self.spans, strict=True)):
            cache.rows[layer, 0, :, start : start + count] = keys[row, :, -count:]
            cache.rows[layer, 1, :, start : start + count] = values[row, :, -count:]
        if len(self.caches) == 1:
            both = self.caches[0].rows[layer, :, None, :, : self.longest]
        else:
            both = keys.new_zeros((2, len(self.caches), *keys.shape[1:2], self.longest, keys.shape[3]))
            for row, (cache, (start, count)) in enumerate(zip(self.caches, self.spans, strict=True)):
                both[:, row, :, : start + count] = cache.rows[layer, :, :, : start + count]
        return both[0], both[1]
