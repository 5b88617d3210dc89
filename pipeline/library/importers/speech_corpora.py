"""Corpora of transcribed speech, each from its published folder."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pipeline.library.importers.corpora import HELD_OUT, Corpus, Files, held_out, lines, rows, said, value
from pipeline.library.importers.source import Rejected, Source

_GARBAGE = re.compile(r"<(?:SIL|MUSIC|NOISE|OTHER)>")
_PUNCTUATION = MappingProxyType({" <COMMA>": ",", " <PERIOD>": ".", " <QUESTIONMARK>": "?", " <EXCLAMATIONPOINT>": "!"})
_HAN_GAP = re.compile(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])")


def librispeech(root: Path) -> Iterator[Source | Rejected]:
    """LibriSpeech (Panayotov et al. 2015): `*/SPLIT/READER/CHAPTER/*.trans.txt` beside FLAC files; CC BY 4.0."""
    names = {}
    for table in root.glob("**/SPEAKERS.TXT"):
        for line in table.read_text("utf-8").splitlines():
            parts = [part.strip() for part in line.split("|", 4)]
            if len(parts) == 5 and not line.startswith(";"):
                names[parts[0]] = parts[4]
    files = Files(root)
    for table in sorted(root.glob("**/*.trans.txt")):
        split, reader = table.parts[-4], table.parts[-3]
        for utterance, text in lines(table):
            if split in HELD_OUT:
                yield held_out(utterance, split)
                continue
            by = f", read by {names[reader]} for LibriVox" if reader in names else ""
            yield said(
                files.take(utterance), text.lower(), speaker=f"librispeech-{reader}", language="en",
                licence="CC-BY-4.0", attribution=f"LibriSpeech{by}",
            )  # fmt: skip


def common_voice(root: Path) -> Iterator[Source | Rejected]:
    """Common Voice (Mozilla): `validated.tsv` beside `clips/`, for one language or a folder of them; CC0."""
    for table in sorted({*root.glob("validated.tsv"), *root.glob("*/validated.tsv")}):
        folder = table.parent
        test = folder / "test.tsv"
        tested = {row["path"] for row in rows(test)} if test.is_file() else set()
        files = Files(folder / "clips", by="name")
        for row in rows(table):
            name = value(row, "path")
            if name in tested:
                yield held_out(name, "test")
                continue
            accent = value(row, "accents", "accent")
            yield said(
                files.take(name if Path(name).suffix else f"{name}.mp3"), value(row, "sentence"),
                speaker=f"common-voice-{value(row, 'client_id')[:16]}", language=value(row, "locale") or folder.name,
                licence="CC0-1.0", attribution="Mozilla Common Voice", tags=(accent,) if accent else (),
            )  # fmt: skip


def voxpopuli(root: Path) -> Iterator[Source | Rejected]:
    """VoxPopuli (Wang et al. 2021): `asr_SPLIT.tsv` per language, recordings by their id below it; CC0."""
    for table in sorted(root.glob("**/asr_*.tsv")):
        files, language = Files(table.parent), table.parent.name
        for row in rows(table):
            name, split = value(row, "id"), value(row, "split") or table.stem.removeprefix("asr_")
            if split in HELD_OUT:
                yield held_out(name, split)
                continue
            yield said(
                files.take(name), value(row, "raw_text", "normalized_text"),
                speaker=f"voxpopuli-{value(row, 'speaker_id')}", language=language, licence="CC0-1.0",
                attribution="VoxPopuli, European Parliament",
            )  # fmt: skip


def gigaspeech(root: Path) -> Iterator[Source | Rejected]:
    """GigaSpeech (Chen et al. 2021) in its Hugging Face layout: `*_metadata.csv` and segmented recordings by their id.

    Its terms: non-commercial research and education; the audio stays its owners'.
    """
    files = Files(root)
    for table in sorted(root.glob("**/*_metadata.csv")):
        split = next((part for part in ("dev", "test") if table.name.startswith(part)), "train")
        for row in rows(table):
            name, text = value(row, "sid", "segment_id"), value(row, "text_tn", "text")
            if split in HELD_OUT:
                yield held_out(name, split)
            elif _GARBAGE.search(text):
                yield Rejected(name, f"holds {text!r}, no speech; the corpus marks it as garbage")
            else:
                for tag, mark in _PUNCTUATION.items():
                    text = text.replace(tag, mark)
                yield said(
                    files.take(name), text.lower(), speaker=f"gigaspeech-{value(row, 'audio_id') or name}",
                    language="en", licence="LicenseRef-GigaSpeech-Terms",
                    attribution=f"GigaSpeech: {value(row, 'title', 'url') or name}",
                )  # fmt: skip


def aishell(root: Path) -> Iterator[Source | Rejected]:
    """AISHELL-1 (Bu et al. 2017): `transcript/aishell_transcript*.txt` and `wav/SPLIT/SPEAKER/`; Apache 2.0."""
    table = next(iter(sorted(root.glob("**/aishell_transcript*.txt"))))
    texts = dict(lines(table))
    files = Files(table.parent.parent)
    for path in list(files.left()):
        split, speaker = path.parts[-3], path.parts[-2]
        if split in HELD_OUT:
            yield held_out(path.stem, split)
            continue
        yield said(
            files.take(path.stem), "".join(texts.get(path.stem, "").split()), speaker=f"aishell-{speaker}",
            language="zh", licence="Apache-2.0", attribution="AISHELL-1, Beijing Shell Shell Technology",
        )  # fmt: skip


def kespeech(root: Path) -> Iterator[Source | Rejected]:
    """KeSpeech (Tang et al. 2021): Kaldi tables below `Tasks/ASR/SPLIT/`; its terms: research only."""
    for scp in sorted(root.glob("Tasks/ASR/*/wav.scp")):
        split = scp.parent.name
        tables = {name: _table(scp.parent / name) for name in ("text", "utt2spk", "utt2subdialect")}
        for utterance, where in lines(scp):
            path = root / where
            if split in HELD_OUT:
                yield held_out(utterance, split)
            elif not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
                yield Rejected(utterance, f"names {where!r}, which is no file under {str(root)!r}; fetch it")
            else:
                dialect = tables["utt2subdialect"].get(utterance, "")
                yield said(
                    path, _HAN_GAP.sub("", tables["text"].get(utterance, "")),
                    speaker=f"kespeech-{tables['utt2spk'].get(utterance, '')}", language="zh",
                    licence="LicenseRef-KeSpeech-Terms", attribution="KeSpeech", tags=(dialect,) if dialect else (),
                )  # fmt: skip


def _table(path: Path) -> Mapping[str, str]:
    return dict(lines(path)) if path.is_file() else {}


def covost(root: Path) -> Iterator[Source | Rejected]:
    """CoVoST 2 (Wang et al. 2020): `covost_v2.SRC_TGT.SPLIT.tsv` and Common Voice's clips of the source language.

    The audio is CC0, the translations are CC BY-NC 4.0; they stand in `dialogues.parquet`.
    """
    files = Files(root, by="name")
    done: set[str] = set()
    for table in sorted(root.glob("**/covost_v2.*_*.tsv")):
        source = table.name.split(".")[1].split("_")[0]
        for row in rows(table):
            name, split = value(row, "path", "file"), value(row, "split") or table.name.split(".")[-2]
            if name in done:
                continue
            done.add(name)
            if split in HELD_OUT:
                yield held_out(name, split)
                continue
            yield said(
                files.take(name), value(row, "sentence"), speaker=f"common-voice-{value(row, 'client_id')[:16]}",
                language=source, licence="CC0-1.0", attribution="Mozilla Common Voice",
            )  # fmt: skip


SPEECH_CORPORA = MappingProxyType(
    {
        "librispeech": Corpus(("**/*.trans.txt",), librispeech),
        "covost": Corpus(("**/covost_v2.*_*.tsv",), covost),
        "commonvoice": Corpus(("**/validated.tsv", "**/clips"), common_voice),
        "voxpopuli": Corpus(("**/asr_*.tsv",), voxpopuli),
        "gigaspeech": Corpus(("**/*_metadata.csv", "**/*chunks_*"), gigaspeech),
        "aishell": Corpus(("**/aishell_transcript*.txt",), aishell),
        "kespeech": Corpus(("Tasks/ASR/*/wav.scp",), kespeech),
    }
)
