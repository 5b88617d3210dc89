"""Kinds of triggers are heard equally often over a corpus."""

from collections import Counter

from pipeline import seeds
from pipeline.annotation.audit import audit
from pipeline.planning.annotations import Annotation
from pipeline.planning.blocks import Candidate, Task, trigger
from pipeline.synthesis.kinds import KINDS
from schemas.recipe import Recipe


def drawn(turn: int, bag: tuple[Annotation, ...] = ()) -> Candidate:
    task = Task("natural_hazard", bag, Recipe(), seeds.rng(turn, 0, "test"), audit, "en", 30.0, 0, turn=turn)
    return trigger(task, "hazard")


def test_every_kind_has_its_turn_before_any_comes_again():
    kinds = [name for name, kind in KINDS.items() if kind.criterion == "hazard"]
    counts = Counter(drawn(turn).phrase.sound for turn in range(3 * (len(kinds) + 1)))
    assert set(counts) == set(kinds)
    # The turn of unknown sounds goes to a neighbour where the bag has none.
    assert sorted(counts.values())[:-1] == [3] * (len(kinds) - 1)
    assert max(counts.values()) <= 6


def test_a_danger_that_the_synthesizer_does_not_know_has_its_turn_too():
    avalanche = Annotation(
        "c", "an avalanche thundering down a slope", ("Avalanche",), "sfx", 3.0, None, "respond", "hazard", False
    )
    turns = 1 + sum(kind.criterion == "hazard" for kind in KINDS.values())
    assert sum(drawn(turn, (avalanche,)).annotation == avalanche for turn in range(turns)) == 1
