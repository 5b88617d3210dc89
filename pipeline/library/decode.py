"""A sound file of any common format to 16 kHz mono float32, or the reason why not."""

import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from schemas.protocol import SAMPLE_RATE

if TYPE_CHECKING:
    from torchaudio.transforms import Resample

MIN_RATE_HZ = 4_000
MAX_RATE_HZ = 384_000
MAX_CLIP_S = 600.0
FFMPEG_SUFFIXES = frozenset({".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka"})
SUFFIXES = (
    frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".w64"}) | FFMPEG_SUFFIXES
)

_BLOCK_FRAMES = 1 << 20
_SHORT_CHUNK = re.compile(r"(?:data|SSND|Data Size) *: \d+ \(should be \d+\)")
"""How libsndfile says that a file ends before its samples do. Of a file's own length or an odd number of bytes it says
"should be", too, and nothing is missing there."""


class Unreadable(Exception):
    """The file cannot become a clip; the message is the reason, with the rule and the fix."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """`samples`: float32 mono at the rate asked for, |x| <= 1; the rest describes the source."""

    samples: NDArray[np.float32]
    source_rate_hz: int
    source_channels: int
    source_duration_s: float


def decode(path: Path, *, max_clip_s: float = MAX_CLIP_S, rate_hz: int = SAMPLE_RATE) -> Decoded:
    """Read, downmix by averaging, resample with a Kaiser-windowed sinc, and scale down where that overshoots.

    Raises:
        Unreadable: not audio, truncated, empty, longer than `max_clip_s`, NaN or infinite samples, or a rate
            outside 4-384 kHz.
    """
    if path.suffix.lower() in FFMPEG_SUFFIXES:
        mono, rate, channels = _read_with_ffmpeg(path, max_clip_s)
    else:
        mono, rate, channels = _read(path, max_clip_s)
    if not len(mono):
        raise Unreadable("has 0 samples; a clip needs at least one")
    if not np.isfinite(mono).all():
        raise Unreadable("has NaN or infinite samples; export it again from its source")
    samples = resample(mono, from_rate=rate, to_rate=rate_hz)
    peak = float(np.abs(samples).max())
    if peak > 1.0:
        samples = samples / np.float32(peak)
    return Decoded(samples, rate, channels, round(len(mono) / rate, 6))


def resample(samples: NDArray[np.float32], *, from_rate: int, to_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """`samples` at `to_rate`; ceil(n * to_rate / from_rate) of them."""
    if from_rate == to_rate:
        return samples
    import torch  # two seconds, which listing and searching need not wait for

    with torch.inference_mode():
        return _resampler(from_rate, to_rate)(torch.from_numpy(samples)).numpy()


@lru_cache(maxsize=32)
def _resampler(from_rate: int, to_rate: int) -> "Resample":
    from torchaudio.transforms import Resample

    # Kaiser with beta 12 and 32 zero crossings: to 16 kHz -0.2 dB at 7 kHz, below -80 dB from 9 kHz.
    return Resample(
        from_rate, to_rate, resampling_method="sinc_interp_kaiser", lowpass_filter_width=32, rolloff=0.94, beta=12.0
    )


def _read(path: Path, max_clip_s: float) -> tuple[NDArray[np.float32], int, int]:
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels, expected = file.samplerate, file.channels, file.frames
            _check_rate(rate)
            _check_length(expected / rate, max_clip_s)
            if file.format == "MP3" and not _mp3_states_its_length(path):
                expected = 0  # an estimate from the size of the file, tags and all
            # What an encoder adds and a decoder takes away again.
            slack = 2 * 1_152 if file.format == "MP3" else 0
            truncated = _SHORT_CHUNK.search(file.extra_info) or (file.format == "OGG" and not _ogg_is_whole(path))
            blocks = list(_mono_blocks(file))
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"is no readable audio ({error.error_string.rstrip('.')}); replace or remove it") from error
    mono = np.ascontiguousarray(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))
    if truncated or len(mono) < expected - slack:
        raise Unreadable("is truncated: it ends before its own header or stream says; fetch it again")
    return mono, rate, channels


def _mono_blocks(file: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    """By blocks, so that many channels never lie in memory at once. `SoundFile.blocks` would do but fills up the
    last block of a truncated file with whatever its buffer held."""
    while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        mono = block[:, 0] if file.channels == 1 else block.mean(axis=1)
        yield mono.astype(np.float32, copy=False)


def _ogg_is_whole(path: Path) -> bool:
    """Whether the last page is complete and carries the end-of-stream flag (RFC 3533)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * 65_307))  # the largest page has 65,307 bytes
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])


def _mp3_states_its_length(path: Path) -> bool:
    """Whether a Xing, Info or VBRI header follows the ID3v2 tag, if there is one (its length: 4 times 7 bits)."""
    with path.open("rb") as file:
        head = file.read(10)
        if head.startswith(b"ID3"):
            tag = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
            file.seek(tag)
            head = b""
        head += file.read(2_048)  # the longest frame at 320 kbit/s has 1,441 bytes
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def _read_with_ffmpeg(path: Path, max_clip_s: float) -> tuple[NDArray[np.float32], int, int]:
    for program in ("ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            raise Unreadable(
                f"{path.suffix} needs {program}, which is not installed; "
                "install ffmpeg (for example `apt-get install ffmpeg`) or convert the file to FLAC"
            )
    from pydub import AudioSegment
    from pydub.exceptions import CouldntDecodeError
    from pydub.utils import mediainfo_json

    streams = [s for s in mediainfo_json(str(path)).get("streams", []) if s.get("codec_type") == "audio"]
    if not streams:
        raise Unreadable("is no readable audio (ffprobe finds no audio stream); replace or remove it")
    _check_rate(int(streams[0]["sample_rate"]))
    try:
        # One second more than allowed bounds the memory where the header tells no length.
        segment = AudioSegment.from_file(str(path), duration=math.ceil(max_clip_s) + 1)
    except CouldntDecodeError as error:
        raise Unreadable("is no readable audio (ffmpeg cannot decode it); replace or remove it") from error
    _check_length(segment.duration_seconds, max_clip_s)
    frames = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    scale = np.float32(1 << (8 * segment.sample_width - 1))
    return frames.mean(axis=1, dtype=np.float32) / scale, segment.frame_rate, segment.channels


def _check_rate(rate: int) -> None:
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise Unreadable(f"has a sample rate of {rate} Hz; the rule is {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz; resample it")


def _check_length(duration_s: float, max_clip_s: float) -> None:
    if duration_s > max_clip_s:
        raise Unreadable(f"lasts {duration_s:.1f} s; a clip may last {max_clip_s:g} s; split it or raise --max-clip-s")
