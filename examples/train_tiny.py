"""Ten steps of training on a corpus: a tiny causal model learns in which chunks a reply starts.

    python examples/train_tiny.py CORPUS [--steps 10]

What a trainer needs of a corpus, and no more: `Streams` gives shuffled audio with one label per chunk of 0.4 s.
"""

from __future__ import annotations

import argparse
from itertools import cycle, islice

import torch
from torch import nn

from pipeline.shards.dataset import Streams
from schemas.protocol import CHUNK_SAMPLES


class Listener(nn.Module):
    """Log energies of 32 bands per chunk, a GRU over the chunks, a logit per chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(32, 32, batch_first=True)
        self.decide = nn.Linear(32, 1)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (num_samples,), whole chunks, to logits (num_chunks,)."""
        spectrum = torch.fft.rfft(audio.view(-1, CHUNK_SAMPLES))[:, 1:].abs().square()
        bands = spectrum.view(len(spectrum), 32, -1).mean(-1)
        heard, _ = self.memory(torch.log(bands + 1e-6)[None])
        return self.decide(heard[0])[:, 0]


def train(corpus: str, steps: int) -> list[float]:
    """The loss of every step."""
    torch.manual_seed(0)
    model = Listener()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    # Nearly every chunk is silent: a reply weighs as much as fifty of them.
    loss_of = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(50.0))
    losses: list[float] = []
    for stream in islice(cycle(Streams(corpus, split="train")), steps):
        audio, label = torch.as_tensor(stream["audio"]), torch.as_tensor(stream["dense"])
        loss = loss_of(model(audio), label.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ten steps of training on a corpus.")
    parser.add_argument("corpus")
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    for step, loss in enumerate(train(given.corpus, given.steps), start=1):
        print(f"step {step}: loss {loss:.3f}")
