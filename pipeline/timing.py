"""Samples, seconds and chunks: the only place where one becomes another."""

from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE


def to_samples(seconds: float) -> int:
    """Nearest sample of a time in seconds."""
    return round(seconds * SAMPLE_RATE)


def to_seconds(samples: int) -> float:
    """Seconds of a number of samples."""
    return samples / SAMPLE_RATE


def last_chunk(end_sample: int) -> int:
    """0-based chunk that contains the end of a half-open interval; `end_sample` >= 1."""
    return -(-end_sample // CHUNK_SAMPLES) - 1


def whole_chunks(samples: int) -> int:
    """`samples` rounded up to a whole number of chunks, in samples."""
    return -(-samples // CHUNK_SAMPLES) * CHUNK_SAMPLES
