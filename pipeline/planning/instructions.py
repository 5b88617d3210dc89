"""Texts of an instruction corpus: some are spoken to the assistant, all can stay text."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import explain
from pipeline.errors import BadInput

MAX_SPOKEN_CHARACTERS = 300
"""A longer instruction is read, not said."""


class Instruction(BaseModel):
    """One line of the file; further keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instruction: Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\w")]
    answer: Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\w")]
    language: Literal["en", "zh"] = "en"

    @property
    def speakable(self) -> bool:
        """Short enough to be said and answered aloud."""
        return max(len(self.instruction), len(self.answer)) <= MAX_SPOKEN_CHARACTERS


@cache
def load_instructions(path: Path) -> tuple[Instruction, ...]:
    """Read JSON lines of instruction, answer and, where it is not English, language.

    Raises:
        BadInput: no such file, or a line of another form; the message names the line.
    """
    if not path.is_file():
        raise BadInput(f"instructions.file {str(path)!r} is no file; give JSON lines of instruction and answer")
    found: list[Instruction] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(Instruction.model_validate(json.loads(line)))
        except json.JSONDecodeError as error:
            raise BadInput(f"{str(path)!r} line {number} is no JSON ({error.msg}); give one object a line") from None
        except ValidationError as error:
            raise BadInput(f"{str(path)!r} line {number}: {explain(error, Instruction)}") from None
    if not found:
        raise BadInput(f"instructions.file {str(path)!r} has no lines; give JSON lines of instruction and answer")
    return tuple(found)


def as_lines(instructions: tuple[Instruction, ...]) -> bytes:
    """The same texts as JSON lines with sorted keys."""
    lines = (json.dumps(i.model_dump(), sort_keys=True, ensure_ascii=False) + "\n" for i in instructions)
    return "".join(lines).encode()


def instructions_sha256(instructions: tuple[Instruction, ...]) -> str:
    """Hash of what the file says."""
    return hashlib.sha256(as_lines(instructions)).hexdigest()
