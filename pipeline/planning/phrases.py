"""How a person names a sound: "dog bark" as a caption becomes "a dog barking", "each dog bark", "a dog"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.planning.banks import bank
from pipeline.planning.scripted import identify
from pipeline.planning.settings import recognise

_PLAIN = re.compile(r"(an?|the|some|two|somebody|someone|people) [a-z' -]{3,50}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """The names of one sound; `one`, `many` are None where nobody counts it, `zh` where there is no Chinese one."""

    sound: str
    hear: str
    one: str | None
    many: str | None
    group: str | None
    thing: str | None
    zh: str | None

    def heard(self, language: str) -> str:
        """What goes after "when you hear", in the language."""
        return self.zh if language == "zh" and self.zh else self.hear


def _says(caption: str, tags: Sequence[str], thing: str) -> bool:
    """Whether an annotation names the instrument itself, not one like it: a cello is no violin, a bass no guitar."""
    instrument = thing.removeprefix("a ").removeprefix("an ").rstrip("s")
    texts = (caption,) if recognise(caption) else tags
    return any(instrument in text.lower().replace(f"bass {instrument}", "") for text in texts)


def phrase_of(caption: str, tags: Sequence[str], *, language: str = "en") -> Phrase | None:
    """The names of the sound in a caption, or None where it has none that can be said in the language."""
    sound = identify(caption, tags)
    entry = bank("phrases").get(sound.name) if sound else None
    if sound is not None and entry is not None:
        hear, one, many, group, thing, zh = (
            None if part.strip('" ') == "-" else part.strip() for part in entry.split(";")
        )
        assert hear is not None
        if group != "music" or _says(caption, tags, thing or hear):
            return Phrase(sound.name, hear, one, many, group, thing, zh)
    plain = caption.strip().lower()
    if language == "en" and _PLAIN.fullmatch(plain):
        return Phrase(plain, plain, None, None, None, None, None)
    return None
