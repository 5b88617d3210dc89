"""What a reviewer thinks of a corpus's rows: the file that the report exports and `build --exclude` reads."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MarkedCorpus(_Frozen):
    """Which corpus the marks are about: the same recipe and library give the same rows under the same ids."""

    recipe_sha256: Sha256
    library_sha256: Sha256


class Mark(_Frozen):
    """One row's mark."""

    id: Annotated[str, Field(min_length=1, max_length=1000)]
    mark: Literal["good", "bad"]
    reason: Annotated[str, Field(max_length=2000)] = ""


class Marks(_Frozen):
    """Version 1 of a marks file; a row has one mark at most. Rows that are `bad` are those to leave out."""

    version: Literal[1] = 1
    corpus: MarkedCorpus
    marks: tuple[Mark, ...] = ()

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        twice = [id for id, times in Counter(mark.id for mark in self.marks).items() if times > 1]
        if twice:
            raise ValueError(f"row {twice[0]!r} is marked more than once; keep one of its marks")
        return self

    @property
    def bad(self) -> frozenset[str]:
        """Ids of the rows marked bad."""
        return frozenset(mark.id for mark in self.marks if mark.mark == "bad")
