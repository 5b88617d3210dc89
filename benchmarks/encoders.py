"""How often an encoder finds the right class by words that do not name it.

    python benchmarks/encoders.py [ESC10_FOLDER] [--minilm PATH_OR_ID] [--clap PATH_OR_ID] [--json FILE]

ESC10_FOLDER holds ESC-10 recordings in one folder per class. The queries are five paraphrases per class that share no
word with its name; recall@k is the share of queries with a clip of the class among the first k. Of hybrids every
encoder weighs the same. Without recordings or a model's weights there is nothing to judge: what is not given is left
out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path

from pipeline.library import hybrid
from pipeline.library.library import Library, import_library, index_library

QUERIES = {
    "dog bark": (
        "a hound woofing at the gate",
        "canine yapping behind a fence",
        "a puppy yelping for attention",
        "watch animal growling and woofing",
        "terrier making noise in the yard",
    ),
    "rain": (
        "a downpour on the pavement",
        "drizzle pattering against the window",
        "a heavy shower drumming on the roof",
        "water drops falling from a stormy sky",
        "a wet afternoon, drops on leaves",
    ),
    "sea waves": (
        "ocean surf rolling onto the beach",
        "breakers crashing on the shore",
        "the tide washing over pebbles",
        "swell lapping along the coast",
        "a seaside with foaming water",
    ),
    "baby cry": (
        "an infant wailing for its mother",
        "a newborn sobbing in the cot",
        "a hungry toddler bawling",
        "an upset little child in tears",
        "a small kid howling at night",
    ),
    "clock tick": (
        "a timepiece on the mantel, second by second",
        "the steady beat of a wristwatch",
        "an old pendulum counting seconds",
        "a mechanical timer running down",
        "regular tiny clicks of an alarm timekeeper",
    ),
    "person sneeze": (
        "somebody with hay fever going achoo",
        "a sudden explosive breath through the nose",
        "a man with a cold, atishoo",
        "an allergic reaction, nasal outburst",
        "someone says bless you after this",
    ),
    "helicopter": (
        "rotor blades beating overhead",
        "a chopper hovering above",
        "an aircraft lifting off vertically",
        "a rescue flight passing by, thudding rotors",
        "whirring aircraft circling low",
    ),
    "chainsaw": (
        "a lumberjack felling a tree with a motor tool",
        "a petrol engine cutting through logs",
        "power tool buzzing in the woods",
        "cutting timber with a loud two-stroke motor",
        "forestry worker revving a cutting machine",
    ),
    "rooster": (
        "a cock crowing at dawn",
        "cock-a-doodle-doo on the farm",
        "male chicken announcing the morning",
        "poultry calling at sunrise",
        "a farmyard bird waking everybody",
    ),
    "fire crackling": (
        "logs burning in the hearth",
        "a campfire popping at night",
        "embers snapping in the stove",
        "flames licking dry wood",
        "a bonfire blazing",
    ),
}


def recall(library: Library, weights: dict[str, float]) -> tuple[float, float]:
    """(recall@1, recall@3) of the fused scores, of one encoder alone where there is one."""
    texts = [text for group in QUERIES.values() for text in group]
    wanted = [name for name, group in QUERIES.items() for _ in group]
    found = (
        hybrid.search(library, texts, [()] * len(texts), 3, weights=weights)
        if len(weights) > 1
        else library.search(texts, 3, encoder=next(iter(weights)))
    )
    classes = [[class_of(library.clips[hit.clip_id].path) for hit in hits] for hits in found]
    at_1 = sum(names[0] == name for names, name in zip(classes, wanted, strict=True))
    at_3 = sum(name in names for names, name in zip(classes, wanted, strict=True))
    return at_1 / len(texts), at_3 / len(texts)


def class_of(path: str) -> str:
    """The class in a path such as `001 - Dog bark/1-100032-A.ogg`."""
    return Path(path).parent.name.split(" - ")[-1].lower()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--minilm")
    parser.add_argument("--clap")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.folder is None:
        print("no recordings given, so nothing is judged; give the folder of ESC-10")
        return
    encoders = {"lexical": None, "minilm": arguments.minilm, "clap": arguments.clap}
    judged = [name for name, checkpoint in encoders.items() if name == "lexical" or checkpoint]
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        import_library(arguments.folder, Path(folder) / "library")
        for name in judged:
            index_library(Path(folder) / "library", name, checkpoint=encoders[name])
        library = Library.open(Path(folder) / "library")
        missing = sorted(set(QUERIES) - {class_of(clip.path) for clip in library.clips.values()})
        if missing:
            parser.error(f"{str(arguments.folder)!r} has no recordings of {missing[0]!r}; give ESC-10 in class folders")
        print(f"{len(library.clips)} clips, {sum(map(len, QUERIES.values()))} queries of {len(QUERIES)} classes")
        print(f"{'score':<24}{'recall@1':>10}{'recall@3':>10}{'threshold':>11}{'AUC':>8}")
        for names in (n for size in range(1, len(judged) + 1) for n in itertools.combinations(judged, size)):
            at_1, at_3 = recall(library, dict.fromkeys(names, 1.0))
            label = "+".join(names)
            learnt = library.index(names[0]).calibration if len(names) == 1 else None
            threshold = f"{learnt.threshold:>11.3f}{learnt.auc or 0:>8.3f}" if learnt else f"{hybrid.EVEN_ODDS:>11.3f}"
            print(f"{label:<24}{at_1:>10.2f}{at_3:>10.2f}{threshold}")
            figures |= {f"{label}_recall_at_1": at_1, f"{label}_recall_at_3": at_3}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
