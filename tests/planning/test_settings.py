"""The scene grammar hangs together, and captions are recognised as what they speak of."""

import numpy as np
import pytest

from pipeline.grounding.verify import Evidence, RuleVerifier, Target
from pipeline.planning.scripted import refine
from pipeline.planning.settings import Setting, Sound, fit, grammar, indoors, recognise, renders
from pipeline.planning.validator import PLACE, TIME, count_words
from pipeline.synthesis.kinds import KINDS
from schemas.plan import SubEvent
from schemas.recipe import GroundingParams

SETTINGS = grammar().settings
SOUNDS = grammar().sounds


def named(name: str) -> Setting:
    return next(s for s in SETTINGS if s.name == name)


def test_there_are_many_settings_of_both_kinds() -> None:
    assert len(SETTINGS) >= 36
    assert min(sum(s.indoor for s in SETTINGS), sum(not s.indoor for s in SETTINGS)) >= 15


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_a_setting_only_names_sounds_that_exist_and_belong(setting: Setting) -> None:
    listed = {*setting.typical, *setting.maybe, *setting.beds, *setting.outside}
    assert listed <= SOUNDS.keys()
    other_side = "outdoor" if setting.indoor else "indoor"
    assert not [n for n in (*setting.typical, *setting.maybe, *setting.beds) if SOUNDS[n].where == other_side]
    assert all(SOUNDS[name].bed for name in setting.beds)
    assert bool(setting.outside) == (setting.opening is not None)
    assert setting.opening is None or SOUNDS[setting.opening].rendered_s is not None


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_a_setting_works_without_any_clip(setting: Setting) -> None:
    always = [n for n in setting.beds if SOUNDS[n].renders_bed and not SOUNDS[n].times]
    fills = [n for n in setting.typical if SOUNDS[n].rendered_s and not SOUNDS[n].bag_only]
    assert len(always) >= 3
    assert len(fills) >= 3


RENDERED = [sound for sound in SOUNDS.values() if sound.rendered_s]


@pytest.mark.parametrize("sound", RENDERED, ids=lambda s: s.name)
def test_what_is_rendered_for_a_sound_passes_the_verifier(sound: Sound) -> None:
    for how in sound.how:
        caption = f"{sound.say}, {how}"
        name = renders(caption, sound.tags, bed=False)
        assert name is not None
        seconds = sum(sound.rendered_s or ()) / 2
        event = SubEvent(name=sound.name, role="foreground", rough_duration_s=seconds, brief_description=caption)
        wanted = refine(event, sound.tags).model_copy(update={"accept_tags": sound.tags})
        heard = Evidence(KINDS[name].captions[0], KINDS[name].tags, "synthesized", None, seconds, 1, False, False, None)
        verdict = RuleVerifier(GroundingParams())(Target(event, wanted, sound.kind, "A place."), heard)
        assert verdict.verdict == "accept", verdict.reason


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_every_scenario_names_its_place_and_no_other(setting: Setting) -> None:
    for doing in setting.doings:
        for place in setting.places:
            assert indoors(f"{doing} {place}") in (setting.indoor, None)
            assert PLACE.search(f"{doing} {place}")
    assert indoors("，".join(setting.zh)) in (setting.indoor, None)


def test_every_way_to_say_a_time_is_a_time() -> None:
    for moments in grammar().times.values():
        assert all(TIME.search(moment) for language in ("en", "zh") for moment in moments[language])


@pytest.mark.parametrize("sound", SOUNDS.values(), ids=lambda s: s.name)
def test_a_sound_is_recognised_by_its_name_and_its_own_words(sound) -> None:
    assert recognise(sound.name.replace("_", " ")) is sound
    assert recognise(sound.say) is sound
    assert all(4 <= count_words(f"{sound.say} {how}")[0] <= 12 for how in sound.how)
    assert 0 < sound.duration_s[0] <= sound.duration_s[1]


@pytest.mark.parametrize("sound", [s for s in SOUNDS.values() if s.rendered_s], ids=lambda s: s.name)
def test_what_counts_as_rendered_is_rendered_as_a_sound_that_shares_a_tag(sound) -> None:
    kinds = [renders(f"{sound.say}, {how}", sound.tags, bed=False) for how in sound.how]
    assert all(kinds)
    assert sound.bag_only or all(KINDS[kind].criterion is None for kind in kinds if kind)


@pytest.mark.parametrize(
    ("caption", "sound"),
    [
        ("a dog barks once", "dog_bark"),
        ("Dog bark", "dog_bark"),
        ("sea waves", "sea_waves"),
        ("person sneeze", "sneeze"),
        ("Fire crackling", "fire_crackle"),
        ("a cockerel crowing at dawn", "rooster"),
        ("the front door bell chimes twice", "doorbell"),
        ("a bicycle bell rings", "bicycle_bell"),
        ("railway level crossing bell", "crossing_bell"),
        ("baby crying", "baby_cry"),
        ("vehicle horn, car horn, honking", "car_horn"),
        ("footsteps crunching on gravel", "gravel_steps"),
    ],
)
def test_captions_are_recognised(caption: str, sound: str) -> None:
    found = recognise(caption)
    assert found is not None
    assert found.name == sound


def test_nonsense_is_not_recognised() -> None:
    assert recognise("qwertz 00342_final(2)") is None
    assert recognise("") is None


@pytest.mark.parametrize(
    ("setting", "sound", "score", "outside"),
    [
        ("beach", "sea_waves", 1.0, False),
        ("library", "sea_waves", 0.0, False),
        ("library", "car_horn", 0.4, True),
        ("metro platform", "helicopter", 0.0, False),
        ("forest trail", "toilet_flush", 0.0, False),
        ("kitchen", "sneeze", 0.4, False),
    ],
)
def test_fit_follows_acoustics(setting: str, sound: str, score: float, outside: bool) -> None:
    found = fit(named(setting), SOUNDS[sound])
    assert (found.score, found.outside) == (score, outside)


@pytest.mark.parametrize(
    "sound",
    [
        "dog_bark", "rain", "sea_waves", "baby_cry", "clock_tick", "sneeze", "helicopter", "chainsaw", "rooster",
        "fire_crackle",
    ],
)  # fmt: skip
def test_everyday_sounds_have_several_homes(sound: str) -> None:
    homes = [s for s in SETTINGS if sound in s.beds or fit(s, SOUNDS[sound]).score > 0]
    assert len(homes) >= 5


@pytest.mark.parametrize("sound", [s for s in SOUNDS.values() if s.bag_only], ids=lambda s: s.name)
def test_every_trigger_has_a_home(sound) -> None:
    assert sum(fit(s, sound).score > 0 for s in SETTINGS) >= 2


def test_a_car_park_is_no_car() -> None:
    assert indoors("Shoppers load up in a car park at noon") is False
    assert indoors("A family drives in a car at noon") is True
    assert indoors("Someone waits") is None
    assert indoors("清晨，厨房里，有人在做饭") is True


def test_order_rules_have_no_circle() -> None:
    rules = grammar().before
    names = {name for rule in rules for name in rule} | {n for pair in grammar().exclusive for n in pair}
    assert names <= SOUNDS.keys()
    reach = np.array([[(a, b) in rules for b in sorted(names)] for a in sorted(names)])
    for _ in names:
        reach = reach | (reach.astype(int) @ reach.astype(int) > 0)
    assert not reach.diagonal().any()
