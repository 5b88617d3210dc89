"""Texts to be spoken: dialogues, questions with answers, sentences with translations; `dialogues.parquet` of a library.

Read from JSON lines as the published sets have them: MOSS, UltraChat, Magpie, Belle, COIG-CQIA, GammaCorpus, WebQA,
DuReader, ShareGPT; translations come with CoVoST's recordings.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.library import licences
from pipeline.library.clip import Clip
from pipeline.library.importers.corpora import HELD_OUT, rows, value
from pipeline.library.importers.source import Rejected, one_line
from pipeline.library.ingest import CLIPS, read_clips, replacing

DIALOGUES = "dialogues.parquet"
SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".parquet")
MAX_TURNS, MAX_CHARACTERS = 200, 20_000
SCHEMA = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("task", pa.string()),
        ("language", pa.string()),
        (
            "turns",
            pa.list_(
                pa.struct(
                    [
                        ("speaker", pa.string()),
                        ("text", pa.string()),
                        ("language", pa.string()),
                        ("clip_id", pa.string()),
                    ]
                )
            ),
        ),
        ("licence", pa.string()),
        ("attribution", pa.string()),
    ]
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_MOSS_TAGS = re.compile(r"^\s*(?:<\|[^|]*\|>:|\[(?:Human|MOSS)\]:)\s*|\s*<eo[a-z]>\s*$")
_MOSS_TURN = re.compile(r"\[(Human|MOSS)\]:\s*(.*?)\s*<eo[a-z]>", re.S)
_ROLES = {
    "user": "user", "human": "user", "prompter": "user", "assistant": "assistant", "gpt": "assistant",
    "bot": "assistant", "moss": "assistant", "system": "system",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's words; `clip_id` where a clip of the library says them, else ""."""

    speaker: Literal["user", "assistant"]
    text: str
    language: str
    clip_id: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns that alternate, the user's first. In a `translation` the assistant's turn translates the user's."""

    dialogue_id: str
    task: Literal["dialogue", "translation"]
    language: str
    turns: tuple[Turn, ...]
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True)
class DialogueReport:
    """What an import of dialogues did; `dialogues` counts all that the library now has."""

    imported: int
    duplicates: int
    rejected: tuple[Rejected, ...]
    dialogues: int


def read_dialogues(library: Path) -> list[Dialogue]:
    """The dialogues of a library in order of their ids; none where it has no such table."""
    path = library / DIALOGUES
    if not path.is_file():
        return []
    return [
        Dialogue(**{**row, "turns": tuple(Turn(**turn) for turn in row["turns"])})
        for row in pq.read_table(path).to_pylist()
    ]


def import_dialogues(src: Path, library: Path, *, licence: str | None = None) -> DialogueReport:
    """Add the dialogues of `src`, a file or a folder of them, to a library; equal ones count once.

    Args:
        licence: of rows that state none; otherwise a LICENSE file of the folder is looked at, else `unknown`.

    Raises:
        BadInput: `library` is none, or `src` holds no usable dialogue.
    """
    files = [src] if src.is_file() else sorted(p for p in src.rglob("*") if p.name.endswith(SUFFIXES) and p.is_file())
    if not files:
        raise BadInput(f"source {str(src)!r} has no file of dialogues; give one of {', '.join(SUFFIXES)}")
    folder = src if src.is_dir() else src.parent
    stated = next((p for name in ("LICENSE", "LICENSE.txt", "LICENCE") if (p := folder / name).is_file()), None)
    general = (
        licences.normalise(licence)
        if licence
        else (licences.from_document(stated.read_text("utf-8", errors="replace")) if stated else licences.UNKNOWN)
    )
    return _add(library, (entry for path in files for entry in _parsed(path, general)), str(src))


def import_translations(src: Path, library: Path) -> DialogueReport:
    """Add CoVoST's translations of the clips that the library has from `src`."""
    by_path = {Path(clip.path): clip for clip in read_clips(_checked(library)) if clip.transcript}
    by_name = {path.name: clip for path, clip in by_path.items() if path.is_relative_to(src.resolve())}

    def entries() -> Iterator[Dialogue | Rejected]:
        for table in sorted(src.glob("**/covost_v2.*_*.tsv")):
            source, target = table.name.split(".")[1].split("_")[:2]
            for row in rows(table):
                clip = by_name.get(value(row, "path", "file"))
                split = value(row, "split") or table.name.split(".")[-2]
                text = value(row, "translation")
                if clip is not None and text and split not in HELD_OUT:
                    yield _translation(clip, source, target.split("-")[0], text)

    return _add(library, entries(), str(src))


def _translation(clip: Clip, source: str, target: str, text: str) -> Dialogue:
    turns = (Turn("user", clip.transcript, source, clip.clip_id), Turn("assistant", text, target))
    return Dialogue(_id(turns), "translation", source, turns, "CC-BY-NC-4.0", "CoVoST 2")


def _checked(library: Path) -> Path:
    if not (library / CLIPS).is_file():
        raise BadInput(f"{str(library)!r} is no library; import recordings first, dialogues stand beside them")
    return library


def _add(library: Path, entries: Iterable[Dialogue | Rejected], src: str) -> DialogueReport:
    known = {dialogue.dialogue_id: dialogue for dialogue in read_dialogues(_checked(library))}
    before, seen = len(known), 0
    rejected: list[Rejected] = []
    for entry in entries:
        if isinstance(entry, Rejected):
            rejected.append(entry)
        else:
            seen += 1
            known[entry.dialogue_id] = entry
    if not seen:
        why = f"; the first, {rejected[0].path!r}, {rejected[0].reason}" if rejected else ""
        raise BadInput(f"source {src!r} has no usable dialogue{why}; rows need turns of a user and an assistant")
    table = pa.Table.from_pylist([asdict(known[key]) for key in sorted(known)], schema=SCHEMA)
    with replacing(library / DIALOGUES) as path:
        pq.write_table(table, path, compression="zstd")
    imported = len(known) - before
    return DialogueReport(imported, seen - imported, tuple(rejected), len(known))


def _parsed(path: Path, general: str) -> Iterator[Dialogue | Rejected]:
    for number, record in enumerate(_records(path), 1):
        where = f"{path.name}:{number}"
        if not isinstance(record, dict):
            yield Rejected(where, "is no JSON object; every row must be one")
            continue
        try:
            turns = _turns(record)
        except ValueError as error:
            yield Rejected(where, one_line(error))
            continue
        yield Dialogue(
            _id(turns), "dialogue", turns[0].language, turns,
            licences.normalise(value(record, "licence", "license")) if value(record, "licence", "license") else general,
            value(record, "attribution", "source", "dataset") or path.stem.removesuffix(".jsonl"),
        )  # fmt: skip


def _records(path: Path) -> Iterator[Any]:
    try:
        if path.suffix == ".parquet":
            yield from pq.read_table(path).to_pylist()
            return
        if path.suffix == ".json" and path.read_text("utf-8-sig").lstrip().startswith("["):
            yield from json.loads(path.read_text("utf-8-sig"))
            return
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BadInput(f"dialogues {str(path)!r} cannot be read ({one_line(error)}); fetch the file again") from error


def _turns(record: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The record's turns, system prompts left out. Raises ValueError where they do not alternate, the user's first."""
    said = [(speaker, text.strip()) for speaker, text in _said(record) if speaker != "system" and text.strip()]
    while said and said[-1][0] == "user":
        said.pop()  # nobody answers
    if not said:
        raise ValueError("has no turn of a user that an assistant answers")
    if len(said) > MAX_TURNS or sum(len(text) for _, text in said) > MAX_CHARACTERS:
        raise ValueError(f"has more than {MAX_TURNS} turns or {MAX_CHARACTERS} characters; split it")
    for i, (speaker, _) in enumerate(said):
        if speaker != ("user", "assistant")[i % 2]:
            raise ValueError(f"turn {i + 1} is the {speaker}'s; turns must alternate, the user's first")
    return tuple(Turn(speaker, text, _language(text)) for speaker, text in said)  # pyright: ignore[reportArgumentType]


def _said(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    chat = record.get("chat") or record.get("conversation")
    listed = record.get("messages") or record.get("conversations")
    if isinstance(record.get("plain_text"), str):  # MOSS 002
        for who, text in _MOSS_TURN.findall(record["plain_text"]):
            yield _ROLES[who.lower()], text
    elif isinstance(chat, dict):  # MOSS 003
        for name in sorted(chat, key=lambda n: int(re.sub(r"\D", "", n) or 0)):
            for who in ("Human", "MOSS"):
                yield _ROLES[who.lower()], _MOSS_TAGS.sub("", str(chat[name].get(who) or ""))
    elif isinstance(chat, list):
        for turn in chat:
            yield "user", str(turn.get("human") or "")
            yield "assistant", str(turn.get("assistant") or "")
    elif isinstance(listed, list):
        for turn in listed:
            role = str(turn.get("role") or turn.get("from") or "").lower()
            if role not in _ROLES:
                raise ValueError(f"has a turn of {role!r}; speakers are {', '.join(sorted(_ROLES))}")
            yield _ROLES[role], str(turn.get("content") or turn.get("value") or "")
    elif isinstance(record.get("data"), list):  # UltraChat
        for i, text in enumerate(record["data"]):
            yield ("user", "assistant")[i % 2], str(text)
    else:
        yield (
            "user",
            "\n".join(
                filter(None, (_text(record, "instruction", "prompt", "question", "query"), _text(record, "input")))
            ),
        )
        yield "assistant", _text(record, "output", "response", "answer", "answers")


def _text(record: Mapping[str, Any], *names: str) -> str:
    found = next((record[name] for name in names if record.get(name)), "")
    return str(found[0] if isinstance(found, list) else found)


def _language(text: str) -> str:
    return "zh" if len(_HAN.findall(text)) * 4 > len(text) else "en"


def _id(turns: tuple[Turn, ...]) -> str:
    return hashlib.sha256("\x1f".join(turn.text for turn in turns).encode()).hexdigest()[:16]
