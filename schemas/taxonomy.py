"""The 7 abilities (the paper's), the 28 sub-tasks (ours) and the criteria that make a sound worth a reply."""

from typing import Final, Literal

from schemas.protocol import Emotion

Ability = Literal[
    "voice_chatting",
    "instruction_following",
    "audio_understanding",
    "translation",
    "realtime_asr",
    "proactive_response",
    "audio_agent",
]

SUB_TASKS: Final[dict[Ability, tuple[str, ...]]] = {
    "voice_chatting": ("single_turn_qa", "multi_turn_dialogue", "hesitation_pause", "barge_in"),
    "instruction_following": ("count_events", "alert_on_event", "stay_silent_unless", "history_review"),
    "audio_understanding": ("sound_event_qa", "scene_description", "music_qa", "multiple_choice_qa"),
    "translation": ("en_zh_sentence", "zh_en_sentence", "en_zh_simultaneous", "zh_en_simultaneous"),
    "realtime_asr": ("read_speech", "spontaneous_speech", "noisy_speech", "mandarin_speech"),
    "proactive_response": ("physiological_distress", "natural_hazard", "equipment_fault", "safety_signal"),
    "audio_agent": ("smart_home_control", "environment_aware_reply", "emotion_aware_reply", "idle_check_in"),
}
ABILITY_OF: Final[dict[str, Ability]] = {task: ability for ability, tasks in SUB_TASKS.items() for task in tasks}

INCREMENTAL: Final = frozenset(
    {"en_zh_simultaneous", "zh_en_simultaneous", "read_speech", "spontaneous_speech", "noisy_speech", "mandarin_speech"}
)
"""Sub-tasks that answer while the speech goes on: one turn per partial."""
MANY_RESPONSES: Final = INCREMENTAL | {"scene_description"}
"""Sub-tasks in which one event may carry several responses."""

Criterion = Literal["distress", "hazard", "equipment", "signal", "emotion"]
"""Why a sound deserves a reply; `emotion` only under the policy `assist`."""
TASK_OF_CRITERION: Final[dict[str, str]] = {
    "distress": "physiological_distress",
    "hazard": "natural_hazard",
    "equipment": "equipment_fault",
    "signal": "safety_signal",
}
CRITERION_OF_TASK: Final[dict[str, str]] = {task: criterion for criterion, task in TASK_OF_CRITERION.items()}

TONE: Final[dict[Emotion, Emotion]] = {
    "happy": "happy",
    "sad": "sad",
    "angry": "normal",
    "surprise": "surprise",
    "urgent": "urgent",
    "normal": "normal",
}
"""How somebody speaks -> how the reply to it is meant: feelings are shared, anger is calmed."""

Policy = Literal["strict", "assist"]
Role = Literal["foreground", "background", "ambient"]
EventKind = Literal["sfx", "speech", "music"]
EventSource = Literal["retrieved", "synthesized", "spoken"]
Decision = Literal["respond", "silent", "none"]
AuditLabel = Literal["silent", "respond", "borderline"]
