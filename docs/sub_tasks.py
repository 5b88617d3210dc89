"""The pictures of docs/sub-tasks.md, one for each sub-task, from a corpus that shows them all:

    streamaudio demo --out demo && python docs/sub_tasks.py demo/corpus

Each is the shortest stream of its sub-task, among those without another sub-task if there is one: the spectrogram with
the 0.4 s grid, what is heard, and the labelled responses.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths, to_row
from pipeline.timing import to_seconds
from pipeline.validation.pictures import log_mel, png, thumbnail
from schemas.protocol import CHUNK_SAMPLES
from schemas.row import Event, Row
from schemas.taxonomy import ABILITY_OF

OUT = Path(__file__).parent / "sub-tasks"
WIDTH, LEFT, TOP, HEIGHT, LANE, LINE = 960, 64, 8, 84, 17, 16
REPLIES = 6
COLOURS = {"speech": "#2f6fb0", "sfx": "#c46a1b", "music": "#7a4fa3"}


def chosen(corpus: Path) -> dict[str, Row]:
    """Sub-task -> its row."""
    found = dict[str, tuple[tuple[bool, int, str], Row]]()
    for shard in shard_paths(read_manifest(corpus)):
        for row in map(to_row, iter_rows(corpus / shard)):
            rank = (len({turn.sub_task for turn in row.turns}) > 1, row.num_samples, row.id)
            if row.sub_task not in found or rank < found[row.sub_task][0]:
                found[row.sub_task] = rank, row
    return {task: row for task, (_, row) in found.items()}


def picture(row: Row) -> str:
    """An SVG; its texts are drawn with the viewer's fonts."""
    scale = (WIDTH - LEFT) / row.num_samples
    lanes = list(_lanes(row))
    bottom = TOP + HEIGHT + 6 + LANE * len(lanes)
    spoken = sorted(row.responses, key=lambda response: response.chunk)
    shown = spoken[: REPLIES if len(spoken) <= REPLIES else REPLIES - 1]
    height = bottom + 12 + LINE * (len(shown) + (len(shown) < len(spoken)))
    image = base64.b64encode(png(thumbnail(log_mel(decode(row.audio))))).decode()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<image x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT}" height="{HEIGHT}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{image}"/>',
        _text(4, TOP + 12, f"{to_seconds(row.num_samples):.1f} s"),
    ]
    for i, (label, events) in enumerate(lanes):
        y = TOP + HEIGHT + 6 + i * LANE
        parts.append(_text(4, y + 12, label))
        for event in events:
            x, width = LEFT + event.start_sample * scale, (event.end_sample - event.start_sample) * scale
            said = f"{event.name}: {event.transcript}" if event.transcript else event.name
            parts.append(
                f'<g><title>{escape(said)}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{LANE - 3}" '
                f'rx="2" fill="{COLOURS[event.kind]}" fill-opacity="{1 if event.decision == "respond" else 0.55}"/>'
            )
            fitting = int(width / 6)
            parts.append((_text(x + 3, y + 11, (event.transcript or event.name)[:fitting], "#fff")) + "</g>")
    for response in spoken:
        x = LEFT + response.chunk * CHUNK_SAMPLES * scale
        parts.append(
            f'<rect x="{x:.1f}" y="{TOP}" width="{CHUNK_SAMPLES * scale:.1f}" height="{bottom - TOP}" fill="#1d9b57" '
            'fill-opacity="0.45"/>'
        )
    for i, response in enumerate(shown):
        at = to_seconds(response.chunk * CHUNK_SAMPLES)
        parts.append(_text(4, bottom + 14 + i * LINE, f"{at:.1f} s", "#1d9b57"))
        parts.append(_text(LEFT, bottom + 14 + i * LINE, response.text[:150]))
    if len(shown) < len(spoken):
        parts.append(_text(LEFT, bottom + 14 + len(shown) * LINE, f"and {len(spoken) - len(shown)} more", "#777"))
    return "\n".join([*parts, "</svg>\n"])


def _lanes(row: Row) -> Iterator[tuple[str, list[Event]]]:
    for label, kinds in (("speech", ("speech",)), ("sounds", ("sfx", "music"))):
        events = [event for event in row.events if event.role == "foreground" and event.kind in kinds]
        if events:
            yield label, events
    for role in ("background", "ambient"):
        free = list[tuple[int, list[Event]]]()
        for event in sorted((e for e in row.events if e.role == role), key=lambda e: e.start_sample):
            lane = next((lane for lane in free if lane[0] <= event.start_sample), None)
            events = lane[1] if lane else []
            if lane:
                free.remove(lane)
            free.append((event.end_sample, [*events, event]))
        yield from ((role[:10], events) for _, events in free)


def _text(x: float, y: float, text: str, colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}">{escape(text)}</text>'


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} CORPUS")
    rows = chosen(Path(sys.argv[1]))
    missing = sorted(set(ABILITY_OF) - set(rows))
    if missing:
        sys.exit(f"{sys.argv[1]!r} has no stream of {', '.join(missing)}; build one with every sub-task")
    OUT.mkdir(exist_ok=True)
    for task, row in rows.items():
        (OUT / f"{task}.svg").write_text(picture(row), encoding="utf-8")
    print(f"{len(rows)} pictures in {OUT}")


if __name__ == "__main__":
    main()
