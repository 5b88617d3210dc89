"""The main job on embedded defaults: starter library, corpus, validation, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from flows.build_corpus import build_corpus
from flows.starter import make_starter
from pipeline.config import load_recipe
from pipeline.errors import GateFailed
from pipeline.validation.contract import validate_corpus
from pipeline.validation.report import write_report

DEMO_RECIPE = Path(str(resources.files("flows"))) / "demo.yaml"


@dataclass(frozen=True, slots=True)
class Demo:
    """Where a demo's results are."""

    corpus: Path
    report: Path
    manifest: dict[str, Any]


def run_demo(out: Path, *, workers: int, on_progress: Callable[[str, int, int], None]) -> Demo:
    """Build the demo into `out`/library and `out`/corpus, validate it and write its report.

    Raises:
        GateFailed: the corpus breaks a rule of its contract.
    """
    library = make_starter(out / "library", on_progress)
    corpus = out / "corpus"
    built = build_corpus(load_recipe(DEMO_RECIPE), library, corpus, workers=workers, on_progress=on_progress)
    findings = validate_corpus(
        corpus, library=library, on_progress=lambda done, total: on_progress("validated", done, total)
    )
    report = write_report(corpus, findings)
    if findings.by_rule():
        raise GateFailed(f"the demo corpus breaks {sorted(findings.by_rule())}; see {str(report)!r}")
    return Demo(corpus, report, built.manifest)
