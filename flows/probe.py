"""Training and examining the probe, from a recipe to its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.library.library import Library
from pipeline.streaming.probe import CRITERIA, Probe
from pipeline.validation.probe.examples import Example
from pipeline.validation.probe.recordings import recordings
from pipeline.validation.probe.scenes import Part, scenes
from pipeline.validation.probe.scores import Scores, always_silent, by_chance, examine
from pipeline.validation.probe.training import train
from schemas.probe import ProbeRecipe, ProbeScenes

Progress = Callable[[str, int, int], None]
EXAMINATIONS: dict[str, Part] = {"known kinds": "seeds", "new kinds": "kinds"}


def train_probe(recipe: ProbeRecipe, on_progress: Progress) -> Probe:
    """A probe as the recipe says; the bundled one for its defaults.

    Raises:
        MissingDependency: the embedded voice is not installed.
    """

    def rendered(part: Part, count: int) -> list[Example]:
        return list(scenes(part, count, recipe.scenes, seed=recipe.seed, on_progress=_on(on_progress, part)))

    examples = rendered("train", recipe.scenes.streams)
    probe = train(
        examples,
        answers=CRITERIA,
        params=recipe.training,
        seed=recipe.seed,
        odds={**recipe.odds},
        tune=rendered("tune", recipe.scenes.tuned_on) if recipe.threshold is None else (),
        on_progress=_on(on_progress, "training"),
    )
    threshold = recipe.threshold or probe.card.threshold
    card = probe.card.model_copy(update={"trained": recipe, "threshold": threshold})
    return Probe(probe.network, card, policy=probe.policy)


def examinations(
    probe: Probe, streams: int, library: Path | None, on_progress: Progress
) -> Iterator[tuple[str, dict[str, Scores]]]:
    """What the probe, silence and chance make of renderings of known kinds with unknown seeds and voices, of unknown
    kinds, and of real recordings under both policies."""
    recipe = probe.card.trained or ProbeRecipe()
    both = {policy: Probe(probe.network, probe.card, policy=policy) for policy in ("strict", "assist")}
    for name, part in EXAMINATIONS.items():
        # Other streams than the training's even for a recipe that was given this seed.
        held = list(scenes(part, streams, ProbeScenes(), seed=recipe.seed, on_progress=_on(on_progress, name)))
        yield name, _examined(both["assist"], held)
    if library is not None:
        opened = Library.open(library)
        yield "recordings, strict", _examined(both["strict"], list(recordings(opened, policy="strict")))
        yield "recordings, assist", _examined(both["assist"], list(recordings(opened, policy="assist")))


def _examined(probe: Probe, examples: list[Example]) -> dict[str, Scores]:
    return {"probe": examine(probe, examples), "silent": always_silent(examples), "chance": by_chance(examples)}


def _on(on_progress: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: on_progress(stage, done, total)
