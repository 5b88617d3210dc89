"""Who makes the sounds and the speech that nobody recorded, who listens to them, and how each is reached."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.distributions import Distribution, Uniform
from schemas.service import KeyVariable, Service, Url
from schemas.taxonomy import EventKind


class _Frozen(BaseModel):
    # A mistaken value may be a key, so messages do not repeat what was given.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _no_secret(name: str) -> str:
    if any(word in name.upper() for word in ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")):
        raise ValueError("names a secret; a program that needs one reads it from a file of its own")
    return name


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_no_secret)]
Argv = Annotated[tuple[str, ...], Field(min_length=1)]


class Program(_Frozen):
    """A program run without a shell, in a private folder, with an environment that holds no secrets."""

    argv: Argv
    """The program and its arguments, with gaps such as {text} or {caption}; no shell sees them."""
    timeout_s: Annotated[float, Field(gt=0, le=7200)] = 300.0
    max_mb: Annotated[float, Field(gt=0, le=4096)] = 256.0
    """All that it may write."""
    keep_env: tuple[Variable, ...] = ()
    """Variables it gets besides PATH and the locale, such as CUDA_VISIBLE_DEVICES or HF_HOME."""
    version: str = "1"
    """Change it with the program or its model, so that cached results are made anew."""


# -- sounds ----------------------------------------------------------------------------------------

Kinds = Annotated[tuple[EventKind, ...], Field(min_length=1)]


class _Generator(_Frozen):
    makes: Kinds = ("sfx", "music")
    """Other kinds of events go to the next generator."""
    takes: Annotated[int, Field(ge=1, le=20)] = 2
    """Variants that are made and verified before the next generator has its turn."""
    licence: str = "unknown"
    """Of what it makes: an SPDX id, or LicenseRef-NAME for a provider's terms."""
    attribution: str = ""


class Procedural(_Frozen):
    """The embedded synthesizer."""

    kind: Literal["procedural"] = "procedural"
    takes: Annotated[int, Field(ge=1, le=20)] = 4


class ElevenLabs(_Generator, Service):
    """ElevenLabs' sound generation."""

    kind: Literal["elevenlabs"] = "elevenlabs"
    base_url: Url = "https://api.elevenlabs.io"
    api_key_env: KeyVariable = "ELEVENLABS_API_KEY"
    model: str = "eleven_text_to_sound_v2"
    prompt_influence: Annotated[float, Field(ge=0, le=1)] = 0.3
    output_format: Annotated[str, Field(pattern=r"^(mp3|pcm|opus)_\d+(_\d+)?$")] = "mp3_44100_128"
    makes: Kinds = ("sfx",)
    licence: str = "LicenseRef-ElevenLabs-Terms"


class Diffusers(_Generator):
    """AudioLDM 2 or Stable Audio through diffusers, MusicGen through transformers; safetensors only."""

    kind: Literal["diffusers"] = "diffusers"
    pipeline: Literal["audioldm2", "stable_audio", "musicgen"]
    model: str
    """A local folder, or a hub id that is fetched once."""
    revision: str | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] = 50
    guidance: Annotated[float, Field(ge=0, le=50)] = 3.5
    negative_prompt: str = "low quality"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    max_duration_s: Annotated[float, Field(gt=0, le=190)] = 30.0


class Command(_Generator, Program):
    """Any program: the caption on its standard input or in a {caption} argument, a sound file out.

    Gaps: {caption}, {tags}, {duration_s}, {seed}, {kind} and {out}, the file to write.
    """

    kind: Literal["command"] = "command"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "command"


Generator = Annotated[Procedural | ElevenLabs | Diffusers | Command, Field(discriminator="kind")]


class SynthesisParams(_Frozen):
    """What makes the sounds that nobody recorded."""

    generators: Annotated[tuple[Generator, ...], Field(min_length=1)] = (Procedural(),)
    """In order of preference."""
    cache: str | None = None
    """Folder of generated sounds, speech and transcripts; None is a folder of the user's cache."""


# -- captions --------------------------------------------------------------------------------------


class KnownCaptions(_Frozen):
    """What annotators wrote, and what a generator knows of its own sounds."""

    kind: Literal["annotations"] = "annotations"


class ClapTags(_Frozen):
    """Zero-shot tags: the sounds of the ontology that a CLAP encoder finds nearest."""

    kind: Literal["clap"] = "clap"
    checkpoint: str | None = None
    """As for `library index --encoder clap`; null takes the encoder of the library's CLAP index."""
    tokenizer: str | None = None
    top: Annotated[int, Field(ge=1, le=10)] = 3
    margin: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Tags whose similarity is at most this far below the best one's are given too."""


class ChatCaptions(Service):
    """An OpenAI-compatible chat endpoint that takes `input_audio`."""

    kind: Literal["chat"] = "chat"
    model: Annotated[str, Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=16)] = 512


Captions = Annotated[KnownCaptions | ClapTags | ChatCaptions, Field(discriminator="kind")]
"""Who says what is heard in a clip that nobody annotated."""


# -- speech ----------------------------------------------------------------------------------------

Language = Literal["en", "zh"]


class Espeak(_Frozen):
    """The embedded voice."""

    kind: Literal["espeak"] = "espeak"


class OpenAISpeech(Service):
    """`/v1/audio/speech`: hosted, or CosyVoice, Fish-Speech, Higgs Audio and others behind a compatible server."""

    kind: Literal["openai"] = "openai"
    base_url: Url = "https://api.openai.com/v1"
    model: Annotated[str, Field(min_length=1)]
    response_format: Literal["wav", "flac", "mp3", "opus", "pcm"] = "wav"
    pcm_rate_hz: Annotated[int, Field(ge=8000, le=48_000)] = 24_000
    """Of `pcm`, which does not say."""
    instructions: bool = False
    """The model takes `instructions`: emotion and dialect are asked for in words."""
    seed: bool = False
    """The server takes `seed`: a second try differs."""
    clones: bool = False
    """The server takes `ref_audio` (a data URL) and `ref_text` of a voice with a reference clip."""
    words_per_minute: Annotated[float, Field(gt=0)] = 160.0
    """The voices' own rate, at speed 1."""
    licence: str = "unknown"


class SpeechCommand(Program):
    """Any program: the text on its standard input or in a {text} argument, a sound file out.

    Gaps: {text}, {voice}, {language}, {dialect}, {rate_wpm}, {pitch}, {emotion}, {seed}, {reference},
    {reference_text} and {out}, the file to write.
    """

    kind: Literal["command"] = "command"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "command"
    licence: str = "unknown"


Engine = Annotated[Espeak | OpenAISpeech | SpeechCommand, Field(discriminator="kind")]


class VoiceParams(_Frozen):
    """A voice of the pool. One with a reference clip is a real person's: consent and licence must be on record."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    language: Language
    dialect: str = ""
    reference: str | None = None
    """A recording of the speaker, for engines that clone."""
    reference_text: str = ""
    consent: str = ""
    """Who agreed to what, and where it is on record."""
    licence: str = ""

    @model_validator(mode="after")
    def _consent_for_a_clone(self) -> VoiceParams:
        if self.reference is not None and not (self.consent.strip() and self.licence.strip()):
            raise ValueError(
                "a voice with a reference clip needs `consent` and `licence`: say where they are on record"
            )
        return self


class SpeechParams(_Frozen):
    """Who speaks the user's side."""

    engine: Engine = Espeak()
    voices: tuple[VoiceParams, ...] = ()
    """The pool; empty takes the embedded engine's own voices."""
    rate_wpm: Distribution = Uniform(low=140, high=180)
    pitch: Distribution = Uniform(low=35, high=65)

    @field_validator("engine", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _voices_of_served_engines(self) -> SpeechParams:
        if self.engine.kind != "espeak" and not self.voices:
            raise ValueError(f"speech.engine {self.engine.kind!r} needs speech.voices: list at least one name")
        return self


# -- speech check ----------------------------------------------------------------------------------


class _Check(_Frozen):
    max_error: Annotated[float, Field(ge=0, le=1)] = 0.10
    """Word error rate (characters in Mandarin) above which speech is made again (arXiv 2606.05121)."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """After them the whole instance is discarded."""
    max_run: Annotated[int, Field(ge=1)] = 4
    """Longest divergent run of words (characters in Mandarin): a good total can hide a stretch of garbage."""


class NoCheck(_Frozen):
    """Nobody listens; rows say `not_run`."""

    kind: Literal["none"] = "none"


class FasterWhisper(_Check):
    """Whisper through CTranslate2, in this process."""

    kind: Literal["faster-whisper"] = "faster-whisper"
    model: Annotated[str, Field(min_length=1)] = "small"
    """A local folder, or a name that is fetched once."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "default"


class OpenAITranscription(_Check, Service):
    """`/v1/audio/transcriptions`: hosted, or any compatible server."""

    kind: Literal["openai"] = "openai"
    base_url: Url = "https://api.openai.com/v1"
    model: Annotated[str, Field(min_length=1)] = "whisper-1"


Asr = Annotated[NoCheck | FasterWhisper | OpenAITranscription, Field(discriminator="kind")]
