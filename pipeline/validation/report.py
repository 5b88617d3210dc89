"""The report of a corpus: a folder of plain files that opens from file:// and asks the network for nothing.

index.html     overview (rendered here) and the frame of the pages that app.js fills
data/          streams.js lists the streams, KEY.js holds one; scripts, because a file:// page may not fetch
audio/ img/    FLAC as the shard stores it, spectrograms and thumbnails
findings.json  what the validation found, for the next report of the same corpus

Only some streams have their files in the folder; `serve.py` makes those of all others from the shards when asked.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import TypeAdapter

from pipeline.shards.reader import read_manifest
from pipeline.timing import to_seconds
from pipeline.validation.findings import Findings
from pipeline.validation.listing import Listed, index, read_listed, row_of, select
from pipeline.validation.opinions import AUDIT, read_audit, read_figures, read_heard
from pipeline.validation.pictures import tick_heights
from pipeline.validation.stream_page import Stream, detail, fade_samples, read_stream
from schemas.distributions import Distribution
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE

if TYPE_CHECKING:
    import pandas as pd

MAX_LISTED: Final = 20_000
"""Rows that the list takes; a browser holds them in some 20 MB."""


def write_report(corpus: Path, findings: Findings | None, *, max_streams: int = 60) -> Path:
    """Write `corpus`/report and return its index.html; an older report stays whole until the new one is.

    Figures are over all rows; the list has up to MAX_LISTED of them and `max_streams` get a page, those with findings
    first, then those whose labels are in doubt, the others spread over splits and sub-tasks. Shards that cannot be
    read are named in the report.

    Raises:
        BadInput: `corpus` is no finished corpus.
        OSError: the disk is full or not writable; the older report is still there.
    """
    manifest = read_manifest(corpus)
    by_rule = findings.by_rule() if findings else {}
    rows, unreadable = read_listed(corpus, manifest, (finding for found in by_rule.values() for finding in found))
    listed = select(rows, MAX_LISTED)
    keys = {(row.shard, row.index): key_of(number) for number, row in enumerate(listed)}
    chosen = select(listed, max_streams)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=corpus) as scratch:
        new = Path(scratch) / "new"
        for folder in ("data", "audio", "img"):
            (new / folder).mkdir(parents=True)
        here = _write_streams(corpus, manifest, new, chosen, keys)
        (new / "data" / "streams.js").write_bytes(script("index", _index(manifest, listed, here)))
        if findings is not None:
            (new / "findings.json").write_text(json.dumps(findings.dump()), encoding="utf-8")
        overview = _overview(corpus, manifest, rows, unreadable)
        validation = None if findings is None else {"summary": findings.summary(), "rules": _rules(findings, keys)}
        counts = {"listed": len(listed), "shown": len(chosen)}
        _write_pages(new, {**overview, "validation": validation, **counts})
        _swap(new, corpus / "report", Path(scratch) / "old")
    return corpus / "report" / "index.html"


def fresh_report(corpus: Path, *, max_streams: int = 60) -> Path:
    """The report's index.html, written again where it is older than what it is about; findings on the same corpus are
    taken over.

    Raises:
        BadInput: `corpus` is no finished corpus.
    """
    page = corpus / "report" / "index.html"
    sources = [corpus / "manifest.json", corpus / AUDIT, *(corpus / "replay").glob("*")]
    times = [path.stat().st_mtime for path in sources if path.is_file()]
    if page.is_file() and page.stat().st_mtime >= max(times, default=0):
        return page
    return write_report(corpus, read_findings(corpus), max_streams=max_streams)


def read_findings(corpus: Path) -> Findings | None:
    """What the last validation that wrote a report found, None where the corpus is newer."""
    kept, manifest = corpus / "report" / "findings.json", corpus / "manifest.json"
    if not (kept.is_file() and manifest.is_file()) or kept.stat().st_mtime < manifest.stat().st_mtime:
        return None
    return Findings.load(json.loads(kept.read_bytes()))


def key_of(number: int) -> str:
    """The name of the files of a listed row; ids are not fit for file names."""
    return f"{number:04d}"


def script(name: str, value: Any) -> bytes:
    """`report.NAME = value;` as a script in which no text of the corpus can end a string, a line or the element."""
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"report.{name} = {data};\n".encode("ascii")


def marked_corpus(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The corpus as a file of marks names it."""
    return {name: manifest["identity"][name] for name in ("recipe_sha256", "library_sha256")}


def _index(
    manifest: Mapping[str, Any], listed: Sequence[Listed], here: Mapping[tuple[str, int], bool]
) -> dict[str, Any]:
    constants = {"rate": SAMPLE_RATE, "chunk": CHUNK_SAMPLES, "ticks": tick_heights()}
    return {**constants, "corpus": marked_corpus(manifest), "size": len(listed), "columns": index(listed, here)}


def _write_streams(
    corpus: Path,
    manifest: Mapping[str, Any],
    folder: Path,
    chosen: Sequence[Listed],
    keys: Mapping[tuple[str, int], str],
) -> dict[tuple[str, int], bool]:
    """Write the files of the chosen rows; whether the audio of each can be decoded."""
    fade, heard = fade_samples(manifest), read_heard(corpus, {row.id for row in chosen})
    here: dict[tuple[str, int], bool] = {}
    for row in chosen:
        place = row.shard, row.index
        stream, key = read_stream(corpus / row.shard, row.index), keys[place]
        about = detail(stream, fade=fade, findings=row.findings, heard=heard.get(row.id, ()), doubt=row.doubt)
        (folder / "data" / f"{key}.js").write_bytes(script(f"details[{key!r}]", about))
        _write_media(folder, key, stream)
        here[place] = stream.samples is not None
    return here


def _write_media(folder: Path, key: str, stream: Stream) -> None:
    files = {
        folder / "audio" / f"{key}.flac": stream.flac,
        folder / "img" / f"{key}.png": stream.picture(small=False),
        folder / "img" / f"{key}-small.png": stream.picture(small=True),
    }
    for path, content in files.items():
        if content is not None:
            path.write_bytes(content)


def _overview(
    corpus: Path, manifest: Mapping[str, Any], rows: Sequence[Listed], unreadable: Sequence[str]
) -> dict[str, Any]:
    import pandas as pd  # 40 MB, which are not needed while the streams are read

    table = pd.DataFrame(
        {
            "sub_task": [row.sub_task for row in rows],
            "ability": [row.ability for row in rows],
            "split": [row.split for row in rows],
            "minutes": [to_seconds(row.num_samples) / 60 for row in rows],
            "chunks": [row.num_chunks for row in rows],
            "responses": [len(row.responses) for row in rows],
            "verified": [row.verified_chunks for row in rows],
        }
    )
    mixture = manifest["recipe"].get("mixture", {})
    splits = _totals(table.groupby("split", sort=False)).reindex(list(manifest["splits"]), fill_value=0)
    return {
        "title": manifest["recipe"].get("pretty_name") or manifest["recipe"].get("name") or "Corpus",
        "manifest": manifest,
        "total": _totals(table.groupby(lambda _: "all")).reindex(["all"], fill_value=0).iloc[0].to_dict(),
        "sub_tasks": _totals(table.groupby(["ability", "sub_task"])).reset_index().to_dict("records"),
        "splits": splits.reset_index().to_dict("records"),
        "mixture": {name: weight / sum(mixture.values()) for name, weight in mixture.items()},
        "distributions": [_distribution(name, came) for name, came in manifest["realised"]["distributions"].items()],
        "listeners": {name: _listener(figures) for name, figures in read_figures(corpus).items()},
        "audited": len(read_audit(corpus)),
        "doubted": sum(row.doubted for row in rows),
        "quarantined": _quarantine(corpus).most_common(),
        "unreadable": unreadable,
    }


_BARS: Final = 24
"""Of a histogram as the overview draws it."""


def _distribution(name: str, came: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked in words, what came of it, and bars of both: shares of what lies in each."""
    edges, counts = came["histogram"]["edges"], came["histogram"]["counts"]
    asked = TypeAdapter(Distribution).validate_python(came["requested"])
    step = -(-len(counts) // _BARS)
    below = [0.0, *(asked.cdf(edge) for edge in edges), 1.0]
    groups = [range(i, min(i + step, len(counts))) for i in range(0, len(counts), step)]
    bars = [(sum(counts[i] for i in g) / came["n"], below[g[-1] + 1] - below[g[0]]) for g in groups]
    highest = max(max(bar) for bar in bars) or 1.0
    parameters = asked.model_dump(exclude={"kind"})
    return {
        **{key: came[key] for key in ("n", "mean", "std", "p5", "p95", "drift", "chance")},
        "name": name,
        "requested": f"{came['requested']['kind']}: {', '.join(f'{k} {_plain(v)}' for k, v in parameters.items())}",
        "bars": [(realised / highest, wanted / highest) for realised, wanted in bars],
    }


def _plain(value: Any) -> str:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, list | tuple) else f"{value:g}"


def _listener(figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """A listener's figures within a chunk, None where there was nothing to measure."""
    triggers = figures["triggers"]
    if triggers is None:
        return None
    latency = figures["latency"]["decision"]
    return {**triggers["tolerance"]["1"], "false_per_hour": triggers["false_per_hour"], "latency": latency}


def _totals(groups: Any) -> pd.DataFrame:
    """Streams, minutes, responses and shares per group."""
    sums = groups[["minutes", "chunks", "responses", "verified"]].sum()
    sums.insert(0, "streams", groups.size())
    return sums


def _quarantine(corpus: Path) -> Counter[tuple[str, str]]:
    """Rejected scenes per (stage, reason); empty where the file is absent or unreadable (a finding says so)."""
    try:
        records = pq.read_table(corpus / "quarantine.parquet", columns=["stage", "reason"]).to_pylist()
    except (pa.ArrowException, OSError):
        return Counter()
    return Counter((record["stage"], record["reason"]) for record in records)


def _rules(findings: Findings, keys: Mapping[tuple[str, int], str]) -> list[dict[str, Any]]:
    """Per broken rule its count and first findings, each with the key of its stream's page or None."""
    return [
        {
            "rule": rule,
            "count": findings.count(rule),
            "first": [(finding, keys.get(row_of(finding) or ("", -1))) for finding in found[:3]],
        }
        for rule, found in findings.by_rule().items()
    ]


def _write_pages(folder: Path, context: Mapping[str, Any]) -> None:
    environment = Environment(
        loader=PackageLoader("pipeline.validation", "report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    environment.filters["title_words"] = lambda name: _words(name)[:1].upper() + _words(name)[1:]
    environment.filters["quantity"] = _quantity
    environment.filters["figure"] = _figure
    environment.filters["share"] = lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "–"
    page = environment.get_template("index.html.j2").render(context)
    (folder / "index.html").write_text(page, encoding="utf-8")
    for source in (resources.files("pipeline.validation") / "report").iterdir():
        if source.name.endswith((".css", ".js")):
            (folder / source.name).write_bytes(source.read_bytes())


def _words(name: str) -> str:
    return re.sub(r"\b(qa|asr|en|zh)\b", lambda short: short[0].upper(), name.replace("_", " "))


def _quantity(name: str) -> str:
    """`event_snr_db` as "Event SNR, dB"."""
    what, _, unit = name.rpartition("_")
    units = {"s": "s", "db": "dB", "chunks": "chunks"}
    return f"{what.replace('_', ' ').capitalize().replace('snr', 'SNR')}, {units.get(unit, unit)}"


def _figure(figure: Mapping[str, Any]) -> str:
    """A value with its interval."""
    if figure["value"] is None:
        return "–"
    interval = "" if figure["low"] is None else f" [{figure['low']:.2f}, {figure['high']:.2f}]"
    return f"{figure['value']:.2f}{interval}"


def _swap(new: Path, target: Path, old: Path) -> None:
    """Put `new` in the place of `target`, which goes to `old`."""
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
