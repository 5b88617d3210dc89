"""Sound that a service or program returned -> 16 kHz mono, or the reason why it is none."""

from __future__ import annotations

import io
from math import gcd

import numpy as np
import soundfile
from scipy.signal import resample_poly

from schemas.protocol import SAMPLE_RATE

MAX_S = 190.0
"""No generator or voice is asked for more."""
MIN_PEAK = 10 ** (-60 / 20)
RATES_HZ = (4_000, 384_000)
FULL_SCALE = 32_768.0


class Unusable(Exception):
    """What was returned is no sound to work with; the message says why."""


class Refused(Exception):
    """A service works, but not for this request."""


def decoded(data: bytes, *, pcm_rate_hz: int | None = None) -> np.ndarray:
    """float32, 16 kHz mono, in [-1, 1]: a sound file's bytes, or raw little-endian int16 where a rate is given.

    Raises Unusable: not audio, not finite, empty, silent, longer than `MAX_S`, or of an odd rate.
    """
    if pcm_rate_hz is not None:
        whole = len(data) - len(data) % 2
        return standard(np.frombuffer(data[:whole], "<i2") / FULL_SCALE, rate=pcm_rate_hz)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.channels < 1 or not RATES_HZ[0] <= file.samplerate <= RATES_HZ[1]:
                raise Unusable(f"{file.channels} channels at {file.samplerate} Hz")
            # Streamed WAV headers promise any length; what is there counts.
            frames = file.read(int(MAX_S + 1) * file.samplerate, dtype="float32", always_2d=True)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise Unusable(f"{len(data)} bytes that are no audio ({error.error_string.rstrip('.')})") from error
    return standard(frames.mean(axis=1), rate=rate)


def standard(samples: np.ndarray, *, rate: int) -> np.ndarray:
    """Mono samples of any rate as float32 at 16 kHz within [-1, 1]. Raises Unusable like `decoded`."""
    if not len(samples):
        raise Unusable("no samples")
    if len(samples) > MAX_S * rate:
        raise Unusable(f"longer than {MAX_S:g} s")
    if not np.isfinite(samples).all():
        raise Unusable("NaN or infinite samples")
    peak = float(np.abs(samples).max())
    if peak < MIN_PEAK:
        raise Unusable("silence")
    if rate != SAMPLE_RATE:
        common = gcd(rate, SAMPLE_RATE)
        # Kaiser 12: below -80 dB outside the band.
        samples = resample_poly(samples, SAMPLE_RATE // common, rate // common, window=("kaiser", 12.0))
        peak = float(np.abs(samples).max())
    return (samples / max(1.0, peak)).astype(np.float32)
