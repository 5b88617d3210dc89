"""The silence auditor on captions written for this test, grouped by what a listener would want."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.audit import audit

DISTRESS = """
a man choking on a piece of food at the table
somebody gasps for air, unable to breathe
a violent coughing fit that does not stop
an old woman coughs uncontrollably, bent over the sink
he keeps coughing blood
a child wheezing heavily during an asthma attack
a hiker groaning in agony after breaking an ankle
a woman screams in terror
a person cries out in pain
someone is shouting for help from the next room
a toddler gagging, her airway blocked
somebody tumbles down the stairs and moans
an elderly man slips and falls hard on the bathroom tiles
a patient's heart monitor flatlines
a man retching and vomiting into a bucket
a swimmer drowning, splashing and gasping for breath
laboured breathing with a rattling chest
a worker has a seizure on the factory floor
a sleeping man snores, stops breathing, then chokes
bystanders flee in panic
a woman hyperventilating in a lift
"""
HAZARD = """
a window pane shatters on the floor
glass breaking
a wine bottle smashes onto stone
a porcelain plate falls and breaks into pieces
the ceiling cracks and collapses
a large tree trunk splinters and topples over
rocks tumbling down a slope, a rockfall
thick ice cracking under a skater on a frozen lake
an earthquake shakes the shelves
a tornado roars across the field
a deafening thunderclap right overhead
loud thunder cracks close by
a hailstorm hammers the skylight
a flash flood rushes through the street
a landslide of mud and stones
an avalanche thunders downhill
a rattlesnake rattling near the trail
a bear growls close to the tent
a huge explosion shakes the building
a scaffold gives way with a crash
a hurricane tearing off roof tiles
two cars collide at an intersection
"""
EQUIPMENT = """
a smoke alarm shrieking in the hallway
a carbon monoxide detector beeping loudly
gas hissing from a cracked pipe
natural gas leaking from the stove
electrical arcing at a wall outlet
a frayed power cable sparks and crackles
the transformer pops and sizzles
an engine misfires and smokes
metal grinding on metal inside the gearbox
the washing machine bangs violently, off balance
a bearing screeches in the conveyor
a car tyre bursts at speed
a water pipe bursts and water gushes out
the bathtub is overflowing onto the floor
a grease fire flares up on the stove
flames engulf the curtains
the motor overheats with a burning smell
a compressor malfunctions with a loud bang
a short circuit buzzes in the fuse box
an old generator shaking violently
"""
SIGNAL = """
the low note of a siren rises to a howl
a car horn blares right behind you
a truck honks loudly at close range
an ambulance siren wailing past
a police siren
a fire engine rushes by with its siren on
the reversing beeper of a delivery van
a forklift backup alarm beeping
a freight train blasts its horn
tyres screech as a driver brakes hard
a level crossing bell starts ringing
gunshots ring out in the street
a burglar alarm goes off
a klaxon sounds on the ship
someone yells watch out
a lorry hurtling towards the pavement with its horn blaring
"""
SILENT = """
a single cough
a man coughs twice and clears his throat
somebody sneezes
a baby crying in its cot
a dog barking in the yard
dogs bark at the postman
a cat meows for food
a rooster crows at dawn
rain falling on leaves
light drizzle against a window
waves rolling onto a beach
wind moves through the trees
a helicopter flying over
a chainsaw cutting logs
a car passing by on a wet road
a train rolls through the station
city traffic with a few horns in a traffic jam
a church bell
an alarm clock rings in the bedroom
the microwave beeps three times
a kitchen timer goes off
a phone notification chime
a kettle whistles
water boiling in a pot
onions sizzling in a pan
a glass is set down gently on a wooden table
two glasses clink
ice cubes crack in a glass of lemonade
a campfire crackles under the stars
logs crackling in the fireplace
a candle flame flickers
distant thunder
a siren fading far away
a faint car horn in the distance
footsteps on gravel
a door creaks open
a floorboard creaks under a step
keyboard typing in an office
a vacuum cleaner running steadily
a drill bores into concrete
someone chopping firewood with an axe
a twig snaps underfoot
a balloon pops at a birthday party
fireworks explode over the harbour
a crowd cheering at a goal
children screaming with laughter on a trampoline
fans scream at a concert
a weightlifter groans while lifting a barbell
a jogger breathing heavily on a treadmill
a dog panting after a run
a woman sobbing quietly
a couple arguing in the kitchen
a soda can hisses as it opens
a bus door opens with a hiss of air
a goose honks on the pond
a jazz band with a bright horn section
the referee blows a whistle
a cymbal crashes
a starting pistol at a race
a siren in a movie
a toy fire truck with a little siren
glass shattering in a video game
a parrot imitating a smoke alarm
actors scream on stage during a rehearsal
no alarm, only the hum of a fan
the room is quiet without any siren or shouting
the audience breaks into laughter
a woman falls asleep while the clock ticks
a coffee grinder grinding beans
an angle grinder cutting metal
an engine idling smoothly
a printer printing pages
a lion roars in its enclosure at the zoo
bees buzzing around a flower
a piano playing a slow melody
a bicycle bell rings twice
a ticking clock
applause in a hall
a stream running over stones
"""
BORDERLINE = """
fire crackling
thunder
a car horn
a dog growling
an alarm sounds
a man moans
heavy breathing
a smoke detector chirps once for its low battery
a fire alarm during a scheduled evacuation drill
a smoke alarm is switched off
bottles smash into a recycling bin
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize(
    ("criterion", "caption"),
    [
        (criterion, caption)
        for criterion, group in [
            ("distress", DISTRESS),
            ("hazard", HAZARD),
            ("equipment", EQUIPMENT),
            ("signal", SIGNAL),
        ]
        for caption in lines(group)
    ],
)
def test_danger_is_answered_under_its_criterion(criterion: str, caption: str) -> None:
    judged = audit(caption)
    assert (judged.label, judged.criterion) == ("respond", criterion), judged.reason


@pytest.mark.parametrize("caption", lines(SILENT))
def test_everyday_sound_is_silent(caption: str) -> None:
    judged = audit(caption)
    assert judged.label == "silent", judged.reason
    assert judged.criterion is None


@pytest.mark.parametrize("caption", lines(BORDERLINE))
def test_what_cannot_be_told_apart_is_borderline(caption: str) -> None:
    assert audit(caption).label == "borderline"


@pytest.mark.parametrize(
    ("caption", "context", "label"),
    [
        ("fire crackling", {"scenario": "A family sits by the fireplace on a winter evening."}, "silent"),
        ("fire crackling", {"scenario": "Late at night in the kitchen of a small flat."}, "respond"),
        ("fire crackling", {"scenario": "A dry forest at noon in August."}, "respond"),
        ("fire crackling", {"neighbours": ["marshmallows and laughter at a campsite"]}, "silent"),
        ("a car horn", {"scenario": "A cyclist rides close to a lorry at a crossing."}, "respond"),
        ("a siren wails", {"scenario": "A police film plays on television in the living room."}, "silent"),
        ("heavy breathing", {"scenario": "Runners cross the finish line of a marathon."}, "silent"),
        ("a man moans", {"neighbours": ["an old man falls down the stairs"]}, "respond"),
        ("an alarm sounds", {"scenario": "Early morning in a quiet bedroom."}, "silent"),
        ("a growling lion", {"scenario": "Visitors stroll through the zoo."}, "silent"),
        ("a gunshot", {"scenario": "Sprinters wait for the starting pistol at the stadium."}, "silent"),
        ("a person groans", {"scenario": "Morning workout at the gym."}, "silent"),
    ],
)
def test_context_decides_what_the_caption_leaves_open(caption: str, context: dict, label: str) -> None:
    assert audit(caption, **context).label == label


@pytest.mark.parametrize(
    ("caption", "strict", "assist", "criterion"),
    [
        ("a woman sobbing in grief", "silent", "respond", "emotion"),
        ("a baby crying", "silent", "respond", "emotion"),
        ("a couple quarrelling angrily", "silent", "respond", "emotion"),
        ("tears of joy at a wedding", "silent", "silent", None),
        ("a printer jammed with paper", "silent", "respond", "equipment"),
        ("a fan rattles", "borderline", "respond", "equipment"),
        ("a dog barking", "silent", "silent", None),
        ("glass shattering", "respond", "respond", "hazard"),
    ],
)
def test_the_assist_policy_also_comforts_and_repairs(
    caption: str, strict: str, assist: str, criterion: str | None
) -> None:
    assert audit(caption).label == strict
    judged = audit(caption, policy="assist")
    assert (judged.label, judged.criterion) == (assist, criterion)


def test_tags_decide_where_the_caption_says_nothing() -> None:
    assert audit("1-100032-A", ("Smoke detector, smoke alarm",)).criterion == "equipment"
    assert audit("1-100032-A", ("Dog", "Bark")).label == "silent"


def test_a_tag_that_contradicts_the_caption_leaves_it_open() -> None:
    assert audit("a car passing by", ("Vehicle", "Screaming")).label == "borderline"


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ("a car horn blares right behind you", "a car horn far away"),
        ("an ambulance siren", "an ambulance siren fading into the distance"),
        ("loud thunder overhead", "thunder rumbling in the distance"),
    ],
)
def test_distance_takes_the_danger_away(near: str, far: str) -> None:
    assert (audit(near).label, audit(far).label) == ("respond", "silent")


def test_what_is_denied_is_not_heard() -> None:
    assert audit("a quiet street, no siren").label == "silent"
    assert audit("no dog, but glass shatters").label == "respond"


@given(st.text(max_size=400), st.lists(st.text(max_size=40), max_size=3))
def test_any_text_is_judged(caption: str, tags: list[str]) -> None:
    judged = audit(caption, tags)
    assert 0 <= judged.confidence <= 1
    assert judged.reason
    assert (judged.criterion is None) == (judged.label == "silent")


@given(st.sampled_from(lines(DISTRESS + HAZARD + EQUIPMENT + SIGNAL + SILENT)))
def test_case_and_punctuation_do_not_matter(caption: str) -> None:
    assert audit(caption.upper() + "!").label == audit(caption).label


@pytest.mark.parametrize(
    ("caption", "label"),
    [
        ("one short click of a mouse", "silent"),  # "shorting" of a wire once had the stem of "short"
        ("a mug placed on a shelf", "silent"),  # "mugging"
        ("a bear of a man carries weights", "silent"),  # "bearing"
        ("gunshots ring out", "respond"),  # a boxing "ring" excused them
        ("somebody drops coins on the tiles", "silent"),
        ("a music box plays in the background", "silent"),
    ],
)
def test_words_that_were_once_confused(caption: str, label: str) -> None:
    assert audit(caption).label == label
