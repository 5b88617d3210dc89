"""The command `validate`: a corpus against its contract, a listener against a corpus, both against the gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from flows.ray_options import Address, Gpus, RunnerKind, runner_of
from flows.terminal import err, out, place, stages
from pipeline.errors import BadInput, GateFailed

if TYPE_CHECKING:
    from flows.replay import Replayed, Scorers
    from pipeline.validation.findings import Findings
    from schemas.recipe import Gates

Folder = Annotated[
    Any, typer.Argument(parser=place, metavar="CORPUS", help="A folder or an s3:// URL that `build` made.")
]
Program = Annotated[
    list[str] | None, typer.Argument(metavar="[-- PROGRAM ARGUMENT...]", help="With --model command: what to run.")
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="KIND|FILE",
        help="Let it hear the corpus: probe, audio-interaction, command, openai-realtime, audio-chat, or YAML of one.",
    ),
]
MAX_SHOWN = 10
MIN_DOUBTFUL = 3
"""Labels that an audit shows though none may be contradicted."""


def validate(
    corpus: Folder,
    program: Program = None,
    library: Annotated[
        Any, typer.Option(parser=place, metavar="LIB", help="Library it was built from, to check every stem.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Write report/ into the corpus.")] = False,
    model: Model = None,
    checkpoint: Annotated[str | None, typer.Option(metavar="DIR", help="Of audio-interaction or of the probe.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the results in CORPUS/replay; the kind without it.")] = None,
    suite: Annotated[
        Literal["corpus", "stability", "natural", "proactive-sound-bench"], typer.Option(help="What it hears.")
    ] = "corpus",
    audio: Annotated[Path | None, typer.Option(metavar="DIR", help="Recordings of the last two suites.")] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Their labels, or the benchmark's list.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Hear these splits only.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Hear so many streams only.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes of the replay.")] = 1,
    runner: RunnerKind = "local",
    address: Address = None,
    gpus: Gpus = 0.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier results of this name away.")] = False,
    contract: Annotated[bool, typer.Option(help="Check the contract before the replay or the audit.")] = True,
    audit: Annotated[
        bool, typer.Option("--audit", help="Train probes on the corpus itself, name labels they contradict (minutes).")
    ] = False,
    embed: Annotated[
        str, typer.Option(metavar="lexical|minilm|DIR|none", help="Compares open replies; DIR: a sentence encoder.")
    ] = "lexical",
    judge: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML of a chat endpoint that scores open replies.")
    ] = None,
    reranker: Annotated[
        str | None, typer.Option(metavar="DIR", help="Cross-encoder that scores the benchmark's replies.")
    ] = None,
) -> None:
    """Check a corpus against its contract, let a model hear it; exit status 3 where a rule or a gate is broken."""
    if not isinstance(corpus, Path) and (report or audit or model is not None):
        raise BadInput(
            f"--report, --audit and --model write into the corpus; copy {str(corpus)!r} to this machine first"
        )
    ray = runner_of(runner, address, gpus)
    if model is None and (program or suite != "corpus" or ray is not None):
        raise BadInput("a program, a suite or Ray needs somebody who listens; pass --model")
    findings = _contract(corpus, library) if contract or not (model or audit) else None
    broken = [] if findings is None else [*findings.by_rule()]
    if "manifest-readable" in broken:
        if report:
            _report(corpus, findings)
        raise GateFailed(f"the manifest of {str(corpus)!r} cannot be read; see above")
    gates = _gates(corpus)
    if model is not None:
        from flows.replay import listener_settings, run_replay, source_of
        from pipeline.validation.replay.run import Replay

        settings = listener_settings(model, _changes(model, corpus, checkpoint, name, program))
        source = source_of(corpus, suite, splits=split or (), limit=limit, audio=audio, labels=labels)
        with stages() as on_progress:
            replayed = run_replay(
                Replay(source, settings, corpus if ray is None else corpus.resolve()),
                gates=gates if suite == "corpus" else None,
                scorers=_scorers(embed, judge, reranker),
                workers=workers,
                runner=ray,
                fresh=fresh,
                on_progress=on_progress,
            )
        _print_scores(replayed)
        for finding in replayed.broken:
            err.print(f"[red]{finding.rule}[/]: {escape(finding.where)}: {escape(finding.detail)}")
        broken += [finding.rule for finding in replayed.broken]
    elif gates.min_f1 is not None or gates.max_false_per_hour is not None:
        err.print("[yellow]not checked[/] the gates on a listener: pass --model")
    if audit:
        _audit(corpus)
    if report:
        _report(corpus, findings)
    if broken:
        raise GateFailed(f"{len(broken)} rules are broken in {str(corpus)!r}: {', '.join(broken)}; see above")


def _audit(corpus: Path) -> None:
    from flows.label_audit import audit_labels
    from pipeline.validation.replay.listener import CHUNK_S

    with stages() as on_progress:
        audited = audit_labels(corpus, on_progress)
    found = audited.contradicted
    table = Table("most doubtful labels", "sub-task", "chunk", "at", "what seems wrong", "doubt", box=None)
    for row in audited.rows[: min(MAX_SHOWN, max(MIN_DOUBTFUL, len(found)))]:
        wrong = "a reply that nothing calls for" if row.doubt == "unexpected" else "no reply where one seems due"
        at = f"{row.chunk * CHUNK_S:.1f} s"
        table.add_row(escape(row.row), row.sub_task, str(row.chunk), at, wrong, f"{row.score:.2f}")
    out.print(table)
    more = f", {len(found) - MAX_SHOWN} more in the file" if len(found) > MAX_SHOWN else ""
    out.print(f"{len(found)} of {len(audited.rows)} rows have a label that is contradicted{more}")
    out.print(f"audit   {audited.file}")
    if found:
        out.print(f"listen: streamaudio view {corpus}, flag 'label in doubt'", style="dim")


def _contract(corpus: Any, library: Any) -> Findings:
    from pipeline.validation.contract import validate_corpus

    with stages() as on_progress:
        findings = validate_corpus(
            corpus, library=library, on_progress=lambda done, total: on_progress("validated", done, total)
        )
    for rule, found in findings.by_rule().items():
        err.print(f"[red]{rule}[/] x{len(found)}: {escape(found[0].where)}: {escape(found[0].detail)}")
    out.print(findings.summary())
    return findings


def _report(corpus: Path, findings: Findings | None) -> None:
    from pipeline.validation.report import read_findings, write_report

    try:
        if findings is None and (findings := read_findings(corpus)) is not None:
            out.print(f"contract not checked now; the report has what was found before: {findings.summary()}")
        out.print(f"report  {write_report(corpus, findings)}")
    except BadInput as unreadable:
        err.print(f"no report: {escape(str(unreadable))}")


def _gates(corpus: Any) -> Gates:
    from pipeline.shards.reader import read_manifest
    from schemas.recipe import Gates

    return Gates.model_validate(read_manifest(corpus).get("recipe", {}).get("gates", {}))


def _changes(
    model: str, corpus: Path, checkpoint: str | None, name: str | None, program: Sequence[str] | None
) -> dict[str, Any]:
    """What the command line says about the listener."""
    from pipeline.shards.reader import read_manifest

    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if checkpoint is not None:
        changes["weights" if model == "probe" else "checkpoint"] = checkpoint
    if program:
        changes["argv"] = tuple(program)
    if model == "probe":
        changes["policy"] = read_manifest(corpus).get("recipe", {}).get("policy", "strict")
    if model == "command" and not program:
        raise BadInput("model 'command' needs a program; end the line with: -- PROGRAM ARGUMENT...")
    if model == "audio-interaction" and checkpoint is None:
        raise BadInput("model 'audio-interaction' needs --checkpoint DIR; its weights are no part of this package")
    return changes


def _scorers(embed: str, judge: Path | None, reranker: str | None) -> Scorers:
    from flows.replay import Scorers, judge_settings

    scorer: Callable[[str, str], float] | None = None
    if reranker is not None:
        from pipeline.validation.replay.reranker import CrossEncoder

        scorer = CrossEncoder(reranker)
    asked = None
    if judge is not None:
        from pipeline.validation.replay.chat import ChatJudge

        asked = ChatJudge(judge_settings(judge))
    if embed == "none":
        return Scorers(judge=asked, rerank=scorer)
    from pipeline.library.encoders import LexicalEncoder, fit

    checkpoint = None if embed == "minilm" else embed
    encoder = LexicalEncoder.unweighted() if embed == "lexical" else fit("minilm", (), checkpoint)
    return Scorers(encoder.embed_texts, encoder.name, asked, scorer)


def _print_scores(replayed: Replayed) -> None:
    scores = replayed.scores
    table = Table(scores["listener"], "precision", "recall", "F1", "false/h", "labels", box=None)
    for column in table.columns:
        column.no_wrap = True
    groups = {"all": scores["triggers"], **scores["by_ability"], **scores["by_group"], **scores["by_position"]}
    for group, triggers in groups.items():
        if triggers is None:
            continue
        at = triggers["tolerance"]["1"]
        figures = (at["precision"], at["recall"], triggers["false_per_hour"])
        precision, recall, false = (_figure({**figure, "low": None}) for figure in figures)
        table.add_row(group, precision, recall, _figure(at["f1"]), false, f"{at['recall']['n']:.0f}")
    out.print(table)
    out.print("(95 % intervals over streams; replies may be one chunk early or late)", style="dim")
    latency, stalls = scores["latency"]["decision"], (scores["triggers"] or {}).get("stalls")
    if latency["n"] and stalls is not None:
        out.print(f"latency p50 {latency['p50_ms']:.3g} ms, p95 {latency['p95_ms']:.3g} ms; stalls {_figure(stalls)}")
    for name, figure in _texts(scores["text"]):
        out.print(f"{name} {_figure(figure)}")
    for tier, found in scores.get("bench", {}).get("tiers", {}).items():
        out.print(f"{tier}: accuracy {_figure(found['accuracy'])}, false alarms {_figure(found['false_alarms'])}")
    out.print(f"replay  {replayed.results}")
    out.print(f"scores  {replayed.scores_file}")


def _texts(text: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One figure a line: (what, of what)."""
    for task, found in {**text.get("transcripts", {}), **text.get("translations", {})}.items():
        for metric, figure in found.items():
            yield f"{task} {metric}", figure
    for kind in ("counts", "choices"):
        if kind in text:
            yield f"{kind} exact", text[kind]["exact"]
    for metric, found in text.get("open", {}).items():
        yield f"open replies, {metric}", found.get("all", found)


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    interval = "" if figure["low"] is None else f" [{_number(figure['low'])}, {_number(figure['high'])}]"
    return f"{_number(figure['value'])}{interval}"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
