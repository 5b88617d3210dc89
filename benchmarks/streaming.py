"""Time per chunk of a long session, and what listening while speaking is worth.

    python benchmarks/streaming.py [--quick] [--size medium] [--device cpu] [--dtype float32] [--json FILE]

Models are random, of a stated size: time does not depend on weights. Three tables, one run:

1. one chunk of a session that has heard 10, 150, 600 and 3,000 chunks, in processor time of one thread, small model:
   hearing it (log-mel and tower) against the released code's way, which encodes the whole history again at every chunk;
   and all of it (hearing and one control token), policy sliding, in contexts of 1,024, 2,048 and 4,096 positions. Last
   row: a context just before it slides, the dearest chunk there can be. Attention costs more the more it can look back
   on, until the context is full: from there on a chunk costs the same for ever;
2. FIFO against one chunk after another, same model and same arrivals, on a simulated clock with the proportions of a
   3B model: encode 60 ms, control step 45 ms, token 25 ms, replies of 40 tokens every 10 chunks;
3. the same measured raw, in real time, with a model of `--size`. No goals: how they compare depends on how long a
   reply takes and what many drained chunks cost at once, both the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from pipeline.streaming.checkpoint import DTYPES, Model
from pipeline.streaming.decoder import Cache, Decoder
from pipeline.streaming.encoder import Encoder, blocks_of
from pipeline.streaming.engine import Costs, Engine, LiveEngine, SimulatedEngine, SimulatedLoop
from pipeline.streaming.fifo import Fifo, Listener, play
from pipeline.streaming.latency import CHUNK_S, Latencies
from pipeline.streaming.logmel import offline
from pipeline.streaming.session import SPEAKING, Heard, Session, State
from pipeline.streaming.text import Text
from schemas.protocol import CHUNK_SAMPLES, CHUNK_TOKENS, EMOTION_IDS, KEEP_SILENCE, TEXT_BEGIN, TEXT_END

AGES = (10, 150, 600, 3_000)
CONTEXTS = (1_024, 2_048, 4_096)
AT_ONCE = 25
"""Chunks per forward on the way to an age."""
FULL = "full"
REPLY_TOKENS, REPLY_EVERY = 40, 10
COSTS = Costs(encode_s=0.060, listen_s=0.045, speak_s=0.025)
GOALS = {"flat": 1.10, "resume": 4.5, "first_chunk": 2.1}


@dataclass(frozen=True, slots=True)
class Size:
    """A decoder of Qwen2.5's shape and a tower of Qwen2.5-Omni's."""

    width: int
    layers: int
    heads: int
    groups: int
    inner: int
    tower_width: int
    tower_layers: int
    tower_heads: int
    vocabulary: int = 151_936


SIZES = {
    "small": Size(64, 2, 4, 2, 128, 64, 2, 4),
    "medium": Size(256, 6, 4, 2, 1_024, 512, 6, 8),
    "3b": Size(2_048, 36, 16, 2, 11_008, 1_280, 32, 20),
}


def random_model(size: Size, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Model:
    """A model of random weights."""
    torch.manual_seed(0)
    decoder = Qwen2Config(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.groups,
        head_dim=size.width // size.heads,  # pyright: ignore[reportCallIssue]
        max_position_embeddings=4_096,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )
    tower = Qwen2_5OmniAudioEncoderConfig(
        d_model=size.tower_width,
        encoder_layers=size.tower_layers,
        encoder_attention_heads=size.tower_heads,
        encoder_ffn_dim=4 * size.tower_width,
        output_dim=size.width,
    )
    with torch.device(device):
        network = Qwen2Model(decoder).eval().requires_grad_(False)
        encoder = Qwen2_5OmniAudioEncoder(tower).eval().requires_grad_(False)
        head = torch.randn(size.vocabulary, size.width, dtype=dtype)
    network.to(dtype=dtype)  # pyright: ignore[reportCallIssue]
    encoder.to(dtype=dtype)  # pyright: ignore[reportCallIssue]
    letters = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    return Model(Encoder(encoder), Decoder(network, head), Text(letters, None), 4_096)


def noise(chunks: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((chunks, CHUNK_SAMPLES))).astype(np.float32).clip(-1, 1)


def private(state: State) -> State:
    """`state` with keys and values of its own, so that going on with it copies nothing."""
    return replace(state, cache=Cache(state.cache.rows.clone(), state.cache.length))


def per_chunk(figures: dict[str, float], *, rounds: int) -> None:
    """Table 1; lower quartiles, as the machine's other work only lengthens."""
    model, chunks = random_model(SIZES["small"]), noise(50)
    sessions = {
        context: Session(
            model,
            system_prompt="a" * 40,
            eviction="sliding",
            max_positions=context,
            draw_with=lambda *_: KEEP_SILENCE,
        )
        for context in CONTEXTS
    }
    states = {(context, age): state for context in CONTEXTS for age, state in _aged(sessions[context], chunks).items()}
    hearing: dict[str, list[float]] = {age: [] for _, age in states}
    everything: dict[tuple[int, str], list[float]] = {key: [] for key in states}
    for _ in range(rounds):
        for key, aged in states.items():
            session, state = sessions[key[0]], private(aged)
            for chunk in chunks[:6]:
                start = time.thread_time()
                frames, heard = session.perceive(chunk, state)
                between = time.thread_time()
                state = session.settle(session.listen(frames, heard))
                everything[key].append(time.thread_time() - start)
                hearing[key[1]].append(between - start)
    print(f"{'':>14}{'hearing, ms':>34}{'all, ms, with a context of':>30}")
    print(f"{'chunks heard':>14}{'here':>17}{'encoded again':>17}" + "".join(f"{c:>10,}" for c in CONTEXTS))
    for age in hearing:
        figures[f"hear_{age}_ms"] = 1000 * statistics.quantiles(hearing[age], n=4)[0]
        again = "-"
        if age != FULL:
            history = np.resize(chunks.ravel(), int(age) * CHUNK_SAMPLES)
            figures[f"reencode_{age}_ms"] = 1000 * _reencoding_s(model, history)
            again = f"{figures[f'reencode_{age}_ms']:.1f}"
        for context in CONTEXTS:
            figures[f"chunk_{age}_context_{context}_ms"] = 1000 * statistics.quantiles(everything[context, age], n=4)[0]
        cells = "".join(f"{figures[f'chunk_{age}_context_{context}_ms']:>10.2f}" for context in CONTEXTS)
        print(f"{age if age == FULL else f'{int(age):,}':>14}{figures[f'hear_{age}_ms']:>17.2f}{again:>17}{cells}")
    first, last = AGES[0], AGES[-1]
    names = {"hearing": "hear_{}_ms"} | {f"context {c:,}": f"chunk_{{}}_context_{c}_ms" for c in CONTEXTS}
    for name, key in names.items():
        ratio = figures[key.format(last)] / figures[key.format(first)]
        worst = figures[key.format(FULL)] / figures[key.format(first)]
        figures[f"flatness_{name.replace(' ', '_').replace(',', '')}"] = ratio
        _goal(f"chunk {last:,} / chunk {first}, {name}", ratio, ratio <= GOALS["flat"], "at most 1.10")
        if name != "hearing":
            figures[f"flatness_full_{name.replace(' ', '_').replace(',', '')}"] = worst
            print(f"    just before it slides: {worst:.2f}")


def _aged(session: Session, chunks: np.ndarray) -> dict[str, State]:
    """States that have heard as many chunks as AGES say, and one that has room for six chunks more and no seventh."""
    frames, _ = session.perceive(chunks[0], session.start())
    blocks = frames.expand(AT_ONCE, -1, -1)
    state, aged = session.start(), {}
    for age in AGES:
        while state.chunks < age:
            state = session.listen(blocks[: min(AT_ONCE, session.most_chunks, age - state.chunks)], state)
        _, heard = session.perceive(chunks[0], state)
        aged[str(age)] = private(heard)
    step = len(CHUNK_TOKENS) + 1
    while not 6 * step <= session.max_positions - state.position < 7 * step:
        state = session.listen(frames, state)
    aged[FULL] = private(session.perceive(chunks[0], state)[1])
    return aged


def _reencoding_s(model: Model, history: np.ndarray) -> float:
    """The released web server's way to the frames of the newest chunk: everything again, then the last ten."""
    start = time.thread_time()
    model.encoder(blocks_of(offline(history)))[-1]
    return time.thread_time() - start


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def scripted(logits: torch.Tensor, state: State) -> int:
    """A reply of 40 tokens at every tenth chunk, whatever the logits say; they are waited for all the same."""
    logits.argmax().item()
    if state.phase == SPEAKING:
        said = len(state.reply)
        return EMOTION_IDS["normal"] if said == 1 else 0 if said < REPLY_TOKENS else TEXT_END
    return TEXT_BEGIN if state.chunks % REPLY_EVERY == REPLY_EVERY // 2 else KEEP_SILENCE


async def fifo(session: Session, engine: Engine, chunks: np.ndarray) -> Latencies:
    listener: Fifo[np.ndarray] = Fifo(session, engine, Listener(session.model))
    player = asyncio.create_task(play(listener, chunks))
    async with aclosing(listener.events()) as events:
        async for _ in events:
            pass
    await player
    return listener.latencies


async def synchronous(session: Session, engine: Engine, chunks: np.ndarray) -> Latencies:
    """One chunk after another: encode, decide, speak to the end; what arrives meanwhile waits as samples."""
    latencies, listener, state = Latencies(), Listener(session.model), session.start()
    arrived: asyncio.Queue[int] = asyncio.Queue()

    async def arrive() -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for index in range(len(chunks)):
            await asyncio.sleep(started + (index + 1) * CHUNK_S - loop.time())
            latencies.arrived(index, engine.now_s())
            arrived.put_nowait(index)

    player = asyncio.create_task(arrive())
    for _ in range(len(chunks)):
        index = await arrived.get()
        frames = await engine.encode(lambda index=index: listener(chunks[index]))
        latencies.encoded(index, engine.now_s())
        state = await engine.forward(session, Heard(state, frames))
        latencies.decided(index, index, engine.now_s())
        if state.phase == SPEAKING:
            while state.phase == SPEAKING:
                state = await engine.forward(session, Heard(state))
            latencies.reply_ended(engine.now_s())
        state = session.settle(state)
    await player
    return latencies


def compare(name: str, figures: dict[str, float], run: Callable[[Callable[..., Any]], Latencies]) -> None:
    """One table of FIFO against synchronous."""
    results = {"fifo": run(fifo).figures(), "synchronous": run(synchronous).figures()}
    print(f"{'':<14}{'first chunk p50':>17}{'p95':>9}{'resume p50':>13}{'p95':>9}{'stalls':>9}")
    for kind, row in results.items():
        figures |= {f"{name}_{kind}_{key}": float(value) for key, value in row.items() if value is not None}
        cells = [row[f"{what}_p{p}_ms"] or float("nan") for what in ("first_chunk", "resume") for p in (50, 95)]
        row_cells = f"{cells[0]:>14.0f} ms{cells[1]:>9.0f}{cells[2]:>10.0f} ms{cells[3]:>9.0f}"
        print(f"{kind:<14}{row_cells}{row['stall_share']:>9.1%}")
    for what in ("first_chunk", "resume"):
        slow, fast = (results[kind][f"{what}_p50_ms"] for kind in ("synchronous", "fifo"))
        ratio = figures[f"{name}_{what}_ratio"] = float("nan") if not slow or not fast else slow / fast
        told = f"{what.replace('_', '-')} latency, synchronous / FIFO"
        if name == "simulated":
            _goal(told, ratio, ratio >= GOALS[what], f"at least {GOALS[what]}")
        else:
            print(f"  {told}: {ratio:.2f}")
    if name == "simulated":
        stalls = figures[f"{name}_fifo_stalls"]
        _goal("stalls under FIFO", stalls, stalls == 0, "0")


def _goal(what: str, value: float, reached: bool, wanted: str) -> None:
    print(f"  {what}: {value:.2f} (goal {wanted}: {'reached' if reached else 'NOT reached'})")


def costs_of(session: Session, figures: dict[str, float]) -> None:
    """What an encoding, a control step and a token take alone, medians of 20."""
    chunks, state = noise(20), session.start()
    listener = Listener(session.model)
    times: dict[str, list[float]] = {"encode": [], "listen": [], "speak": []}
    for chunk in chunks:
        start = time.perf_counter()
        frames = listener(chunk)
        frames.float().sum().item()
        times["encode"].append(time.perf_counter() - start)
        times["listen"].append(_timed(lambda f=frames, s=state: session.listen(f, s)))
        state = session.listen(frames, state)
        speaking = replace(private(state), phase=SPEAKING)
        times["speak"].append(_timed(lambda s=speaking: session.speak(s)))
        state = session.settle(replace(state, phase="listening"))
    for stage, values in times.items():
        figures[f"raw_{stage}_ms"] = 1000 * statistics.median(values)
    cells = ", ".join(f"{stage} {figures[f'raw_{stage}_ms']:.0f} ms" for stage in times)
    print(f"  alone: {cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="medium", help="of the model of table 3")
    parser.add_argument("--device", default="cpu", help="of table 3")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of table 3")
    parser.add_argument("--chunks", type=int, default=60, help="of tables 2 and 3")
    parser.add_argument("--rounds", type=int, default=20, help="of table 1")
    parser.add_argument("--quick", action="store_true", help="few rounds and chunks, small model: that it runs")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.chunks, arguments.size = 3, 20, "small"
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    chunks = noise(arguments.chunks)

    print("1. time per chunk")
    per_chunk(figures, rounds=arguments.rounds)

    print("\n2. simulated clock: encode 60 ms, control step 45 ms, token 25 ms, replies of 40 tokens")
    small = Session(random_model(SIZES["small"]), system_prompt="a", eviction="sliding", draw_with=scripted)

    def simulated(way: Callable[..., Any]) -> Latencies:
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(way(small, SimulatedEngine(COSTS), chunks))

    compare("simulated", figures, simulated)

    print(
        f"\n3. raw: size {arguments.size}, {arguments.dtype} on {arguments.device}, one thread each for ear and mouth"
    )
    model = random_model(SIZES[arguments.size], device=arguments.device, dtype=DTYPES[arguments.dtype])
    session = Session(model, system_prompt="a", eviction="sliding", draw_with=scripted)
    costs_of(session, figures)

    def live(way: Callable[..., Any]) -> Latencies:
        engine = LiveEngine()
        try:
            return asyncio.run(way(session, engine, chunks))
        finally:
            engine.close()

    compare("raw", figures, live)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
