"""Labels that a probe trained on the corpus itself contradicts, and the file that names them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.shards.writer import write_atomically
from pipeline.validation.opinions import AUDIT
from pipeline.validation.probe.audit import FOLDS, Doubted, audit_corpus


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """Every row, the most doubtful first, and where it says so."""

    rows: list[Doubted]
    file: Path

    @property
    def contradicted(self) -> list[Doubted]:
        """Rows whose label is confidently contradicted."""
        return [row for row in self.rows if row.contradicted]


def audit_labels(corpus: Path, on_progress: Callable[[str, int, int], None]) -> LabelAudit:
    """Audit a corpus and write `replay/label_audit.json` into it.

    Raises:
        BadInput: no finished corpus, or one that is too small.
    """
    rows, file = audit_corpus(corpus, on_progress=on_progress), corpus / AUDIT
    content = {"folds": FOLDS, "rows": [{**asdict(row), "contradicted": row.contradicted} for row in rows]}
    write_atomically(file, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
    return LabelAudit(rows, file)
