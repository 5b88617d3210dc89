"""Marks of a reviewer: JSON of `schemas.marks`, as the report exports it, or CSV with the columns id, mark, reason."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config import explain
from pipeline.errors import BadInput
from schemas.marks import MarkedCorpus, Marks

MAX_BYTES = 200_000_000


def read_marks(path: Path, published: Mapping[str, Any]) -> frozenset[str]:
    """Ids of the rows marked bad in the corpus of a manifest.

    Raises:
        BadInput: the file is absent, too large, no marks, about another corpus, or marks nothing as bad.
    """
    if not path.is_file():
        raise BadInput(f"marks {str(path)!r} are not a file; export them from the report (`streamaudio view CORPUS`)")
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"marks {str(path)!r} have {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
    this = MarkedCorpus(
        recipe_sha256=published["recipe_sha256"], library_sha256=published["identity"]["library_sha256"]
    )
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [{**row, "reason": row.get("reason") or ""} for row in csv.DictReader(file)]
            marks = Marks.model_validate({"corpus": this, "marks": rows})
        else:
            marks = Marks.model_validate_json(path.read_bytes())
    except (ValidationError, UnicodeDecodeError, csv.Error) as error:
        reason = explain(error, Marks) if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise BadInput(f"marks {str(path)!r}: {reason}; export them again") from error
    if marks.corpus != this:
        raise BadInput(
            f"marks {str(path)!r} are about a corpus of recipe {marks.corpus.recipe_sha256[:12]!r} and library "
            f"{marks.corpus.library_sha256[:12]!r}, this one is of {this.recipe_sha256[:12]!r} and "
            f"{this.library_sha256[:12]!r}; use the marks that were made for it"
        )
    if not marks.bad:
        raise BadInput(f"marks {str(path)!r} call no row bad; nothing is to be left out")
    return marks.bad
