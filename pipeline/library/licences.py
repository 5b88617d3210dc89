"""Licences as people write them -> SPDX-like ids; what is not wholly recognised is `unknown`, never a guess.

A Creative Commons licence whose version is not stated keeps its family as the id (`CC-BY`).
"""

import re
from collections.abc import Collection

from schemas.recipe import Use

UNKNOWN = "unknown"
PUBLIC_DOMAIN = "public-domain"

_SPDX = {
    name.lower(): name
    for name in (
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CDLA-Permissive-1.0",
        "CDLA-Permissive-2.0",
        "CDLA-Sharing-1.0",
        "GPL-2.0-only",
        "GPL-2.0-or-later",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "ISC",
        "LGPL-2.1-only",
        "LGPL-3.0-only",
        "MIT",
        "ODbL-1.0",
        "ODC-By-1.0",
        "PDDL-1.0",
        "Unlicense",
    )
}
_CC_URL = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(licen[sc]es|publicdomain)/(\S+?)/?(?=[\s)>\"',]|$)", re.I
)
_CC_PORTED = re.compile(r"cc-by(?:-nc)?(?:-sa|-nd)?-\d\.\d-(?:[a-z]{2}|igo)")
_PHRASES = (
    (r"share[\s-]?alike", "sa"),
    (r"non[\s-]?commercial", "nc"),
    (r"no[\s-]?deriv(?:ative)?(?:s|[\s-]works)?", "nd"),
    (r"attribution", "by"),
    (r"creative[\s-]commons", "cc"),
    (r"sampling\s?(?:\+|plus)", "sampling"),
    (r"public[\s_-]domain(?:[\s-](?:dedication|mark))?|\bpdm\b", "pd"),
    (r"\bcc[\s-]?(?:0|zero)\b|\bcc[\s-]+(?:0|zero)\b", "zero"),
)
_NOISE = frozenset(
    {"cc", "license", "licence", "international", "unported", "universal", "generic", "the", "v", "version"}
)
_ELEMENTS = ("by", "nc", "sa", "nd")


def normalise(*texts: str | None) -> str:
    """The id of the first text that is recognised; give a URL before a name, it is the more exact."""
    for text in texts:
        found = _recognise((text or "").strip())
        if found is not None:
            return found
    return UNKNOWN


def from_document(text: str) -> str:
    """The id of the first Creative Commons address in a licence file's text."""
    address = _CC_URL.search(text)
    return normalise(address[0]) if address else UNKNOWN


def _recognise(text: str) -> str | None:
    lower = text.lower()
    if lower in _SPDX:
        return _SPDX[lower]
    if address := _CC_URL.fullmatch(lower):
        return _from_address(address[1], address[2].split("/"))
    if _CC_PORTED.fullmatch(lower):
        return lower.upper()
    for pattern, word in _PHRASES:
        lower = re.sub(pattern, f" {word} ", lower)
    tokens = re.findall(r"\d\.\d|[^\s()_,.-]+", lower)
    words = {token for token in tokens if token not in _NOISE}
    versions = {word for word in words if re.fullmatch(r"\d\.\d", word)}
    words -= versions
    if words == {"zero"} or words == {"zero", "pd"}:
        return "CC0-1.0"
    if words == {"pd"}:
        return PUBLIC_DOMAIN
    if words <= {*_ELEMENTS, "sampling"} and len(versions) <= 1:
        return _creative_commons(words, *versions)
    return None


def _from_address(section: str, parts: list[str]) -> str | None:
    if section == "publicdomain":
        return {"zero": "CC0-1.0", "mark": PUBLIC_DOMAIN}.get(parts[0])
    rest = [part for part in parts[1:] if re.fullmatch(r"\d\.\d|[a-z]{2}|igo", part)]
    return _creative_commons(set(parts[0].replace("sampling+", "sampling").split("-")), *rest)


def _creative_commons(elements: set[str], *suffixes: str) -> str | None:
    if "sampling" in elements:  # of which there is one version
        return {1: "CC-Sampling+", 2: "CC-NC-Sampling+"}[len(elements)] if elements <= {"sampling", "nc"} else None
    if "by" not in elements or elements - set(_ELEMENTS) or {"sa", "nd"} <= elements:
        return None
    return "-".join(["CC", *(e.upper() for e in _ELEMENTS if e in elements), *(s.upper() for s in suffixes)])


def clashes(licences: Collection[str], use: Use) -> list[tuple[str, frozenset[str]]]:
    """Why sounds under some licences cannot make up one corpus, and the licences that stand in the way.

    A stream is an adaptation of every sound in it. For `private` use nothing stands in the way; what is published may
    hold nothing that forbids adaptations, nor what must be shared under terms that differ; a `commercial` corpus
    nothing that forbids that, or whose terms nobody knows.
    """
    if use == "private":
        return []
    found: list[tuple[str, Collection[str]]] = []
    by_family: dict[str, set[str]] = {}
    for licence in licences:
        if (family := _share_alike(licence)) is not None:
            by_family.setdefault(family, set()).add(licence)
    bound = [licence for members in by_family.values() for licence in members]
    found.append(("allow no adaptations, and every stream is one", [name for name in licences if "-ND" in name]))
    if use == "commercial":
        found.append(("forbid commercial use", [name for name in licences if "-NC" in name]))
        found.append(("are not known, which commercial use needs", [name for name in licences if name == UNKNOWN]))
    if len(by_family) > 1:
        found.append(("must each be shared under their own terms, which exclude each other", bound))
    elif by_family and not any("-NC" in family for family in by_family):
        limited = [name for name in licences if "-NC" in name]
        found.append(
            (
                "cannot be joined: some must be shared without further limits, others forbid commercial use",
                [*bound, *limited] if limited else [],
            )
        )
    return [(why, frozenset(names)) for why, names in found if names]


def _share_alike(licence: str) -> str | None:
    """The terms under which an adaptation must be shared; None where it is free."""
    if "-SA" in licence:
        return "CC-BY-NC-SA" if "-NC" in licence else "CC-BY-SA"
    return next((family for family in ("LGPL", "GPL", "ODbL", "CDLA-Sharing") if licence.startswith(family)), None)
