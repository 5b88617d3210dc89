"""The commands of the streaming module: `stream` and `serve`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Checkpoint = Annotated[
    str | None, typer.Option(metavar="DIR", help="A folder with the released Audio-Interaction files, or a hub id.")
]
CheckpointOrProbe = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", help="A folder with the released Audio-Interaction files, or a hub id; else the bundled probe."
    ),
]
SystemPrompt = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Instead of the checkpoint's system_prompt.txt or, without one, our own."),
]
EvictionPolicy = Annotated[
    Literal["none", "reset", "sliding"],
    typer.Option(help="Of a full context: none (the session ends), reset or sliding."),
]
MaxPositions = Annotated[int | None, typer.Option(min=1, help="Context of a session; the model's own by default.")]
Temperature = Annotated[float, typer.Option(min=0, help="0 is greedy; the model card says 0.3.")]
TopK = Annotated[int | None, typer.Option(min=1, help="Draw among so many; the model card says 3.")]
TopP = Annotated[float, typer.Option(help="Draw among the most probable with this share together.")]
Seed = Annotated[int, typer.Option(help="Of the draws.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N or mps.")]
Dtype = Annotated[str, typer.Option(help="float32 (exact), bfloat16 or float16.")]
Compiled = Annotated[bool, typer.Option("--compile", help="Run both networks through torch.compile.")]

NO_MODEL = (
    "no model: pass --checkpoint DIR, a folder with the released Audio-Interaction files (model_config.yaml, "
    "model-*.safetensors, *ChunkwisedEncoder.pth, tokenizer.json, qwen25OmniConfig/), or its hub id owner/name"
)


def stream(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="Recordings; one session over all.")],
    checkpoint: CheckpointOrProbe = None,
    mode: Annotated[
        Literal["offline", "online"], typer.Option(help="Clamped at each recording's maximum, or at the one so far.")
    ] = "offline",
    gap_s: Annotated[float, typer.Option(min=0, max=3600, help="Silence after every recording.")] = 1.0,
    max_returned_tokens: Annotated[
        int | None, typer.Option(min=1, help="Bounds the forwards per recording as the released script does.")
    ] = None,
    system_prompt: SystemPrompt = None,
    fifo: Annotated[bool, typer.Option("--fifo", help="Listen while speaking, audio arriving in real time.")] = False,
    clock: Annotated[
        str, typer.Option(help="With --fifo: measured (simulated time, real costs), live, or costs in ms as 60,45,25.")
    ] = "measured",
    threshold: Annotated[
        float | None, typer.Option(help="Probability from which the probe replies, between 0 and 1 [its own: 0.4].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per chunk, then a summary.")] = False,
    eviction: EvictionPolicy = "none",
    max_positions: MaxPositions = None,
    temperature: Temperature = 0.0,
    top_k: TopK = None,
    top_p: TopP = 1.0,
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    compiled: Compiled = False,
) -> None:
    """Run the streaming module over recordings as one session: a line per chunk."""
    from pipeline.errors import BadInput

    if fifo and max_returned_tokens is not None:
        raise BadInput("--max-returned-tokens counts the forwards of one recording, which --fifo does not tell apart")

    from flows.stream import ModelOptions, open_model, recordings, run_fifo, run_files, run_probe
    from pipeline.streaming.sampling import Sampling

    emit = _print_json if as_json else _print_line
    if checkpoint is None:
        if fifo or max_returned_tokens is not None or system_prompt is not None:
            raise BadInput(
                "--fifo, --max-returned-tokens and --system-prompt are for a model with words; the bundled probe has "
                "none; pass --checkpoint DIR too"
            )
        run_probe(recordings(audio), emit, gap_s=gap_s, threshold=threshold)
        return
    if threshold is not None:
        raise BadInput("--threshold is the bundled probe's; leave it out, or leave --checkpoint out")
    files = recordings(audio)
    sampling = Sampling(temperature, top_k, top_p)
    options = ModelOptions(checkpoint, system_prompt, device, dtype, compiled, sampling, eviction, max_positions, seed)
    session = open_model(options, lambda text: err.print(text, style="dim", markup=False)).session()
    if fifo:
        run_fifo(session, files, emit, mode=mode, gap_s=gap_s, clock=clock)
    else:
        run_files(session, files, emit, mode=mode, gap_s=gap_s, max_returned_tokens=max_returned_tokens)


def _print_json(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def _print_line(line: dict[str, Any]) -> None:
    if "summary" in line:
        summary = line["summary"]
        out.print(f"{summary['chunks']} chunks, {summary['response']} responses, position {summary['position']}")
        for name, value in (summary.get("latency") or {}).items():
            out.print(f"  {name} {value:.4g}" if value is not None else f"  {name} -")
        if summary["ended"]:
            err.print(f"ended: {summary['ended']}", style="yellow", markup=False)
        return
    text = Text(f"{line['chunk'] * 0.4:7.1f} s  {Path(line['file']).name[:24]:<24} ")
    if line["decision"] == "silent":
        text.append("·" if not line.get("drained") else "drained", style="dim")
    else:
        text.append(f"[{line['emotion']}] " if line["emotion"] else "", style="cyan")
        text.append(line["text"] or "a reply is due", style="bold")
        text.append(" (cut)" if line.get("cut") else "", style="yellow")
    if line["gap"]:
        text.append("  (silence after it)", style="dim")
    out.print(text)


def serve(
    checkpoint: Checkpoint = None,
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback is open to the network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8765,
    max_sessions: Annotated[int, typer.Option(min=1, max=1024, help="Open at a time.")] = 8,
    system_prompt: SystemPrompt = None,
    eviction: EvictionPolicy = "sliding",
    max_positions: MaxPositions = None,
    temperature: Temperature = 0.0,
    top_k: TopK = None,
    top_p: TopP = 1.0,
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    compiled: Compiled = False,
) -> None:
    """Serve the streaming module over WebSockets: PCM16 in, JSON events out, a page with a microphone."""
    from pipeline.errors import BadInput

    if checkpoint is None:
        raise BadInput(NO_MODEL)

    import asyncio

    from flows.stream import ModelOptions, open_model
    from pipeline.seeds import derive
    from pipeline.streaming.sampling import Sampling
    from pipeline.streaming.server import LOOPBACK, Limits, Server

    sampling = Sampling(temperature, top_k, top_p)
    options = ModelOptions(checkpoint, system_prompt, device, dtype, compiled, sampling, eviction, max_positions, seed)
    opened = open_model(options, lambda text: err.print(text, style="dim", markup=False))
    server = Server(
        lambda prompt, number: opened.session(system_prompt=prompt, seed=derive(seed, number, "server")),
        limits=Limits(sessions=max_sessions),
        name=Path(checkpoint).name,
    )

    async def run() -> None:
        async with server.listening(host, port) as (bound, number):
            if bound not in LOOPBACK:
                err.print(f"{bound} is reachable from the network, and the server asks for no password", style="yellow")
            place = f"[{bound}]" if ":" in bound else bound
            out.print(f"http://{place}:{number}/  (ws://{place}:{number}/v1/stream, /v1/realtime)", markup=False)
            await asyncio.Event().wait()

    asyncio.run(run())
