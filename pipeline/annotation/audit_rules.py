"""What the silence auditor knows: which concepts together are worth a reply (the concepts' words: audit.yaml).

Written from the four criteria alone (acute distress; severe weather, natural hazard, breaking structure; damage or
fire; safety-critical signal), never from an evaluation set.
"""

from dataclasses import dataclass
from typing import Final

from pipeline.packaged import packaged_yaml
from schemas.taxonomy import AuditLabel, Criterion

LEXICON: Final[dict[str, tuple[str, ...]]] = {
    concept: tuple(phrase.strip() for phrase in phrases.split("/"))
    for concept, phrases in packaged_yaml("pipeline.annotation", "audit.yaml").items()
}
"""Concept -> phrases."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Concepts of `needs` within `reach` words of the caption, none of `unless` there -> `label`.

    A need with a leading "@" may also stand in the scenario, an exception with one also beside the sound. `assist`
    and `far` replace the label under that policy, and for a sound that is far away.
    """

    label: AuditLabel
    criterion: Criterion
    confidence: float
    reason: str
    needs: str
    unless: str = ""
    assist: AuditLabel | None = None
    far: AuditLabel | None = None
    reach: int = 9


RULES: Final[tuple[Rule, ...]] = (
    # acute physiological distress
    Rule("respond", "distress", 0.92, "blocked airway or failing breath", "CHOKE", "MACHINE CHOKED_UP"),
    Rule("respond", "distress", 0.88, "a coughing fit, not a cough", "COUGH FIT", "MACHINE"),
    Rule("respond", "distress", 0.8, "coughing and fighting for breath", "COUGH BREATH_HARD", "MACHINE @EXERCISE"),
    Rule("borderline", "distress", 0.5, "hard coughing: a cold or a fit", "COUGH FREQUENT", "MACHINE"),
    Rule("respond", "distress", 0.72, "wheezing breath", "WHEEZE", "MACHINE MUSIC PLAYFUL BEAST @EXERCISE"),
    Rule("borderline", "distress", 0.5, "hard breathing: effort or distress", "BREATH_HARD",
         "MACHINE DOG BEAST MUSIC CROWD @PLAYFUL @EXERCISE @SPORT STEAM"),
    Rule("respond", "distress", 0.76, "failing breath", "BREATH ABNORMAL",
         "MACHINE MUSIC BEAST DOG @PLAYFUL @EXERCISE @SPORT GENTLE", reach=6),
    Rule("respond", "distress", 0.84, "somebody trapped or threatened", "TRAPPED HUMAN", "@PLAYFUL @SPORT"),
    Rule("respond", "distress", 0.64, "a yelp of pain", "YELP HUMAN", "BEAST DOG JOY_TEARS @PLAYFUL @SPORT", reach=6),
    Rule("respond", "distress", 0.9, "a voice in pain", "PAIN VOCAL", "@SPORT"),
    Rule("respond", "distress", 0.8, "somebody hurt", "PAIN HUMAN", "@SPORT"),
    Rule("respond", "distress", 0.95, "a call for help", "HELP", "HELP_DESK @PLAYFUL"),
    Rule("respond", "distress", 0.82, "an injury", "SCALD", "@PLAYFUL"),
    Rule("respond", "distress", 0.7, "failing breath", "GURGLE HUMAN", "BABY MACHINE @PLAYFUL"),
    Rule("respond", "distress", 0.85, "a call for help", "HELP_WORD SHOUT", "HELP_DESK @PLAYFUL"),
    Rule("respond", "distress", 0.92, "a scream of terror", "SCREAM TERROR", "MACHINE BEAST @PLAYFUL",
         far="borderline"),
    Rule("respond", "distress", 0.68, "a human scream", "SCREAM",
         "MACHINE BEAST MUSIC SKID STEAM WIND EMERGENCY_CAR SIREN BABY ANGER @PLAYFUL @SPORT", far="borderline"),
    Rule("respond", "distress", 0.7, "a human scream", "SCREAM HUMAN", "BEAST MUSIC BABY ANGER @PLAYFUL @SPORT",
         far="borderline", reach=4),
    Rule("borderline", "distress", 0.5, "a baby's scream: pain or temper", "SCREAM BABY", "@PLAYFUL"),
    Rule("respond", "distress", 0.82, "people in panic", "CROWD TERROR", "@PLAYFUL"),
    Rule("respond", "distress", 0.92, "collapse, seizure or injury", "COLLAPSE", "MACHINE @PLAYFUL"),
    Rule("respond", "distress", 0.8, "somebody falls", "HUMAN FALL", "FALL_BENIGN @PLAYFUL @SPORT"),
    Rule("respond", "distress", 0.74, "vomiting", "VOMIT", "@PLAYFUL"),
    Rule("respond", "distress", 0.82, "breathing stops in sleep", "SNORE CHOKE"),
    Rule("borderline", "distress", 0.5, "a moan: pain or effort", "MOAN HUMAN",
         "@PLAYFUL @EXERCISE @SPORT MUSIC BABY"),
    Rule("respond", "distress", 0.78, "violence against a person", "VIOLENCE", "@SPORT @PLAYFUL"),
    Rule("respond", "distress", 0.85, "a patient monitor in alarm", "MONITOR ALARM"),
    Rule("respond", "distress", 0.8, "a patient monitor in alarm", "MONITOR INTENSE"),
    # negative emotion, only where the policy comforts
    Rule("silent", "emotion", 0.72, "crying: no emergency", "WEEP",
         "JOY_TEARS BEAST DOG @PLAYFUL MACHINE MUSIC WIND SIREN", assist="respond"),
    Rule("silent", "emotion", 0.68, "anger: no emergency", "ANGER", "BEAST VENOM MUSIC @PLAYFUL", assist="respond"),
    # breaking structure, ground and weather
    Rule("respond", "hazard", 0.9, "glass or crockery breaks", "GLASS BREAK",
         "BREAK_IDIOM RECYCLE DRINK BALLOON WAVE", far=None),
    Rule("borderline", "hazard", 0.5, "bottles in a bin or a break", "GLASS BREAK RECYCLE"),
    Rule("respond", "hazard", 0.8, "a structure gives way", "STRUCTURE GIVE_WAY",
         "BREAK_IDIOM CARPENTRY HEARTH GLASS FIRE WIND RAIN WAVE DRINK GENTLE HUMAN COUGH FALL_BENIGN MUSIC"),
    Rule("respond", "hazard", 0.8, "something heavy falls", "FALLER FALLING",
         "BREAK_IDIOM CARPENTRY HEARTH DROPS WAVE GENTLE FALL_BENIGN MUSIC @PLAYFUL", reach=3),
    Rule("respond", "hazard", 0.82, "a structure gives way", "LOAD_BEARING COLLAPSING",
         "BREAK_IDIOM CARPENTRY HEARTH DRINK WAVE GENTLE MUSIC"),
    Rule("respond", "hazard", 0.72, "a structure under strain", "STRUCTURE CREAK UNDER_LOAD"),
    Rule("respond", "hazard", 0.92, "a geological hazard or flood", "GEO", "GENTLE FALL_BENIGN"),
    Rule("respond", "hazard", 0.82, "severe weather", "STORM", "GENTLE", far="borderline"),
    Rule("respond", "hazard", 0.78, "thunder close by", "THUNDER INTENSE", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.76, "thunder close by", "THUNDER @CLOSE", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.74, "thunder close by", "THUNDER GIVE_WAY", "GENTLE", far="silent"),
    Rule("borderline", "hazard", 0.5, "thunder: near or far", "THUNDER", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.7, "a hailstorm", "HAIL BATTERING", "GENTLE IDIOM", far="borderline"),
    Rule("borderline", "hazard", 0.5, "a storm of unknown force", "STORM_MILD", "GENTLE VEHICLE", far="silent"),
    Rule("respond", "hazard", 0.68, "weather that destroys", "STORM_MILD RAGING", "GENTLE"),
    Rule("respond", "hazard", 0.68, "weather that destroys", "WIND RAGING", "GENTLE MUSIC"),
    Rule("respond", "hazard", 0.66, "weather that destroys", "RAIN RAGING", "GENTLE"),
    Rule("respond", "hazard", 0.64, "dangerous sea", "WAVE RAGING", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.86, "an explosion", "EXPLOSION", "BALLOON @PLAYFUL", far="borderline"),
    Rule("respond", "signal", 0.86, "gunfire", "GUN", "@GUN_BENIGN @SPORT", far="borderline"),
    Rule("respond", "hazard", 0.74, "a venomous or swarming animal", "VENOM THREAT", "@ZOO @PLAYFUL"),
    Rule("respond", "hazard", 0.74, "a venomous or swarming animal", "VENOM VENOM_SOUND", "@ZOO @PLAYFUL"),
    Rule("respond", "hazard", 0.7, "a venomous or swarming animal", "VENOM @CLOSE", "@ZOO @PLAYFUL"),
    Rule("borderline", "hazard", 0.5, "a dangerous animal: near or far", "VENOM", "@ZOO @PLAYFUL", far="silent"),
    Rule("respond", "hazard", 0.68, "a dangerous animal close by", "PREDATOR THREAT", "@ZOO @PLAYFUL",
         far="borderline"),
    Rule("respond", "hazard", 0.62, "an attacking dog", "DOG THREAT INTENSE", "@PLAYFUL", far="silent"),
    Rule("borderline", "hazard", 0.5, "a growling dog: warning or play", "DOG THREAT", "@PLAYFUL", far="silent"),
    # equipment and fire
    Rule("borderline", "equipment", 0.55, "a detector's battery warning", "SMOKE_ALARM LOW_BATTERY",
         assist="respond"),
    Rule("respond", "equipment", 0.95, "a smoke, fire or gas alarm", "SMOKE_ALARM", "LOW_BATTERY", far="borderline"),
    Rule("respond", "equipment", 0.9, "gas or pressure escapes", "GAS ESCAPING", "STEAM FIZZ"),
    Rule("respond", "equipment", 0.74, "steam bursts out", "STEAM FAULT", "FIZZ"),
    Rule("respond", "equipment", 0.9, "an electrical fault", "ARC", "WELDING"),
    Rule("respond", "equipment", 0.86, "an electrical fault", "WIRING SPARKS", "WELDING"),
    Rule("respond", "equipment", 0.86, "fire where none belongs", "FIRE @BUILT",
         "@HEARTH FIRE_OTHER WELDING @WILDLAND"),
    Rule("respond", "hazard", 0.84, "fire in the wild", "FIRE @WILDLAND", "@HEARTH FIRE_OTHER"),
    Rule("respond", "equipment", 0.8, "a fire that spreads", "FIRE SPREADING", "@HEARTH FIRE_OTHER"),
    Rule("respond", "equipment", 0.8, "smoke where none belongs", "SMOKE_SIGN", "@HEARTH"),
    Rule("borderline", "equipment", 0.5, "a fire: hearth or accident", "FIRE",
         "@HEARTH FIRE_OTHER WELDING GUN GUN_BENIGN GENTLE"),
    Rule("respond", "equipment", 0.82, "a machine that fails", "MACHINE FAULT",
         "NORMAL_OPERATION FIZZ STORM WAVE IDIOM BALLOON", reach=8),
    Rule("respond", "equipment", 0.68, "a machine wearing itself out", "WEARING_PART NOISE_OF_WEAR",
         "NORMAL_OPERATION DOG", reach=4),
    Rule("respond", "equipment", 0.66, "a machine wearing itself out", "MACHINE MILD_FAULT VIOLENT",
         "NORMAL_OPERATION GENTLE"),
    Rule("borderline", "equipment", 0.5, "a machine that may be failing", "WEARING_PART MILD_FAULT",
         "NORMAL_OPERATION GENTLE", assist="respond", far="silent", reach=3),
    Rule("silent", "equipment", 0.6, "a nuisance, no danger", "LEAKY", assist="respond"),
    Rule("silent", "equipment", 0.6, "a nuisance, no danger", "MACHINE MILD_FAULT", "NORMAL_OPERATION GENTLE",
         assist="respond", reach=3),
    Rule("respond", "equipment", 0.78, "water where none belongs", "OVERFLOW"),
    Rule("borderline", "equipment", 0.5, "an unattended pot", "BOIL_OVER", assist="respond"),
    # safety-critical signals
    Rule("respond", "hazard", 0.94, "a civil warning", "CIVIL_SIREN"),
    Rule("respond", "signal", 0.8, "an emergency siren", "SIREN", "CIVIL_SIREN MUSIC", far="silent"),
    Rule("respond", "signal", 0.8, "an emergency vehicle in action", "EMERGENCY_CAR WAIL", "", far="silent"),
    Rule("respond", "signal", 0.9, "a reversing vehicle", "REVERSE_BEEP", "", far="silent"),
    Rule("respond", "signal", 0.86, "a reversing vehicle", "REVERSE BEEP", "CLOCK", far="silent"),
    Rule("respond", "signal", 0.8, "a reversing vehicle", "REVERSE VEHICLE @CLOSE", "", far="silent"),
    Rule("respond", "signal", 0.88, "a horn at close range", "HORN @CLOSE", "@HORN_BENIGN BEAST", far="silent"),
    Rule("respond", "signal", 0.8, "an insistent horn", "HORN INTENSE", "@HORN_BENIGN BEAST TRAFFIC", far="silent"),
    Rule("respond", "signal", 0.66, "the horn of a heavy vehicle", "HORN BIG_HORN",
         "@HORN_BENIGN BEAST TRAFFIC GENTLE", far="silent"),
    Rule("borderline", "signal", 0.5, "a ship's or train's signal: near or far", "SHIP_HORN HORN", far="silent"),
    Rule("borderline", "signal", 0.5, "a horn: near or far", "HORN", "@HORN_BENIGN BEAST TRAFFIC MUSIC",
         far="silent"),
    Rule("respond", "signal", 0.82, "emergency braking", "SKID", "@SPORT", far="borderline"),
    Rule("respond", "hazard", 0.92, "a collision", "COLLISION", "BREAK_IDIOM WAVE @SPORT", far="borderline"),
    Rule("respond", "hazard", 0.85, "a collision", "VEHICLE CRASH", "BREAK_IDIOM WAVE MUSIC @SPORT",
         far="borderline"),
    Rule("respond", "signal", 0.8, "a train at speed", "BIG_HORN HURTLING"),
    Rule("respond", "signal", 0.8, "a vehicle out of control", "VEHICLE HURTLING"),
    Rule("respond", "signal", 0.76, "a railway crossing's warning", "CROSSING", "", far="silent"),
    Rule("respond", "signal", 0.78, "a security or danger alarm", "ALARM_SERIOUS", "CLOCK", far="silent"),
    Rule("respond", "equipment", 0.8, "a machine's fault alarm", "ALARM FAULT_SIGN", "CLOCK", far="borderline"),
    Rule("respond", "signal", 0.66, "an insistent alarm", "ALARM INTENSE", "@CLOCK BEAST", far="borderline"),
    Rule("borderline", "signal", 0.5, "an alarm of unknown kind", "ALARM", "@CLOCK BEAST", far="silent"),
    Rule("respond", "signal", 0.85, "a shouted warning", "WARNING_SHOUT", "@PLAYFUL @SPORT"),
)  # fmt: skip

EVERYDAY: Final[tuple[tuple[str, str], ...]] = (
    ("MUSIC", "music"),
    ("BODY", "an everyday human sound"),
    ("BABY", "an everyday human sound"),
    ("ANIMAL", "an animal going about its day"),
    ("WEATHER", "ordinary weather or water"),
    ("HEARTH", "a fire where it belongs"),
    ("CLOCK", "a domestic signal"),
    ("HOUSEHOLD", "household routine"),
    ("TOOL", "a tool at work"),
    ("TRAFFIC_SOUND", "ordinary traffic"),
    ("CROWD", "people together"),
)
