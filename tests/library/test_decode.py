"""Any common file becomes 16 kHz mono, or says why not."""

import math
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipeline.library import decode as decoding
from pipeline.library.decode import Unreadable, decode, resample


@pytest.mark.parametrize(
    ("name", "rate", "channels", "kw"),
    [
        ("a.wav", 8_000, 1, {}),
        ("a.wav", 48_000, 2, {}),
        ("a.flac", 44_100, 2, {}),
        ("a.ogg", 44_100, 1, {}),
        ("a.opus", 48_000, 1, {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", 44_100, 1, {}),
        ("a.wav", 22_050, 6, {}),
    ],
)
def test_formats_rates_and_channels_become_16_khz_mono(tmp_path, write_tone, name, rate, channels, kw):
    decoded = decode(write_tone(tmp_path / name, rate=rate, channels=channels, seconds=1.0, **kw))
    assert decoded.samples.ndim == 1
    assert decoded.samples.dtype == np.float32
    assert (decoded.source_rate_hz, decoded.source_channels) == (rate, channels)
    assert abs(len(decoded.samples) - 16_000) <= 1
    spectrum = np.abs(np.fft.rfft(decoded.samples))
    assert spectrum.argmax() * 16_000 / len(decoded.samples) == pytest.approx(440, abs=2)


def test_channels_are_averaged(tmp_path):
    frames = np.stack([np.full(1_600, 0.5), np.full(1_600, -0.25)], axis=1)
    soundfile.write(tmp_path / "a.wav", frames, 16_000)
    assert decode(tmp_path / "a.wav").samples == pytest.approx(np.full(1_600, 0.125), abs=1e-4)


@given(st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 96_000]), st.integers(1, 3_000))
def test_resampling_gives_the_length_it_promises(rate, length):
    assert len(resample(np.ones(length, np.float32), from_rate=rate)) == math.ceil(length * 16_000 / rate)


def test_resampling_keeps_what_is_below_7_khz_and_removes_what_would_alias():
    def level_db(hz: float) -> float:
        tone = np.sin(2 * np.pi * hz * np.arange(44_100) / 44_100).astype(np.float32)
        middle = resample(tone, from_rate=44_100)[2_000:-2_000]
        return float(10 * np.log10(2 * np.mean(middle.astype(np.float64) ** 2)))

    assert level_db(100) == pytest.approx(0, abs=0.05)
    assert level_db(7_000) == pytest.approx(0, abs=0.2)
    assert level_db(9_000) < -80
    assert level_db(15_000) < -80


def test_overshoot_is_scaled_down_not_clipped(tmp_path):
    square = np.where(np.arange(44_100) // 50 % 2, 0.999, -0.999)
    soundfile.write(tmp_path / "loud.wav", square, 44_100, subtype="FLOAT")
    soundfile.write(tmp_path / "half.wav", square / 2, 44_100, subtype="FLOAT")
    loud, half = (decode(tmp_path / name).samples for name in ("loud.wav", "half.wav"))
    assert np.abs(half).max() > 0.5
    assert loud == pytest.approx(half / np.abs(half).max(), abs=1e-5)


def refuse(path: Path, match: str, **kw) -> None:
    with pytest.raises(Unreadable, match=match):
        decode(path, **kw)


def test_text_named_wav_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("this is not a sound\n" * 50)
    refuse(tmp_path / "a.wav", "no readable audio")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.flac").touch()
    refuse(tmp_path / "a.flac", "no readable audio")


@pytest.mark.parametrize("name", ["a.wav", "a.ogg", "a.flac", "a.mp3", "a.opus"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.9])
def test_truncated_files_are_refused(tmp_path, name, kept):
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * 48_000)
    subtype, container = ("OPUS", "OGG") if name == "a.opus" else (None, None)
    soundfile.write(tmp_path / name, noise, 48_000, subtype, format=container)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * kept)])
    refuse(tmp_path / name, "truncated|no readable audio")


@pytest.mark.parametrize("odd", [True, False], ids=["odd bytes, not padded", "a file length of its own"])
def test_a_careless_header_is_no_truncation(tmp_path, odd):
    tone = 0.5 * np.sin(np.arange(16_001) / 20)
    soundfile.write(tmp_path / "a.wav", tone, 16_000, "PCM_U8" if odd else "PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    if odd:
        content = content[: content.index(b"data") + 8 + 16_001]
    else:
        content = content[:4] + struct.pack("<I", len(content)) + content[8:]
    (tmp_path / "a.wav").write_bytes(content)
    assert "should be" in soundfile.SoundFile(tmp_path / "a.wav").extra_info
    assert decode(tmp_path / "a.wav").samples == pytest.approx(tone, abs=0.01)


def test_a_tag_is_no_part_of_an_mp3_without_a_stated_length(tmp_path):
    soundfile.write(tmp_path / "a.mp3", 0.1 * np.random.default_rng(0).standard_normal(32_000), 16_000)
    content = (tmp_path / "a.mp3").read_bytes()
    header = next(mark for mark in (b"Xing", b"Info") if mark in content)
    tag = b"ID3\x03\x00\x00" + bytes([0, 2, 0, 0]) + bytes(2 << 14)
    (tmp_path / "a.mp3").write_bytes(tag + content.replace(header, b"\0\0\0\0", 1))
    assert soundfile.info(tmp_path / "a.mp3").frames > 40_000, "the tag counts in the estimate"
    assert len(decode(tmp_path / "a.mp3").samples) == pytest.approx(32_000, abs=2 * 1_152)
    cut = tag + content[: len(content) * 7 // 10]
    (tmp_path / "cut.mp3").write_bytes(cut)
    refuse(tmp_path / "cut.mp3", "truncated")


def test_nan_and_infinite_samples_are_refused(tmp_path):
    for value in (np.nan, np.inf):
        samples = np.zeros(1_600, np.float32)
        samples[800] = value
        soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
        refuse(tmp_path / "a.wav", "NaN or infinite")


def test_zero_samples_are_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    refuse(tmp_path / "a.wav", "0 samples")


@pytest.mark.parametrize("rate", [100, 655_350])
def test_absurd_rates_are_refused(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.full(1_000, 0.1), rate)
    refuse(tmp_path / "a.wav", f"{rate} Hz; the rule is")


def test_a_two_hour_clip_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        for _ in range(120):
            file.write(np.zeros(60 * 8_000, np.int16))
    monkeypatch.setattr(decoding, "_mono_blocks", lambda _: pytest.fail("decoded"))
    refuse(path, r"lasts 7200\.0 s; a clip may last 600 s; split it or raise --max-clip-s")


def test_the_limit_can_be_raised(tmp_path, write_tone):
    path = write_tone(tmp_path / "a.wav", seconds=2.0)
    refuse(path, "lasts 2.0 s", max_clip_s=1.5)
    assert len(decode(path, max_clip_s=2.0).samples) == 32_000


def test_a_format_that_needs_ffmpeg_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "a.m4a").write_bytes(b"....ftypM4A ")
    refuse(tmp_path / "a.m4a", r"\.m4a needs ffmpeg.*install ffmpeg")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_reads_what_libsndfile_cannot(tmp_path, write_tone):
    wav = write_tone(tmp_path / "a.wav", rate=44_100, channels=2, seconds=1.0)
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, tmp_path / "a.m4a"], check=True)
    decoded = decode(tmp_path / "a.m4a")
    assert (decoded.source_rate_hz, decoded.source_channels) == (44_100, 2)
    assert len(decoded.samples) == pytest.approx(16_000, abs=1_500)
    assert np.abs(decoded.samples).max() == pytest.approx(0.4, abs=0.05)
    (tmp_path / "b.m4a").write_text("no sound")
    refuse(tmp_path / "b.m4a", "no readable audio")
    refuse(tmp_path / "a.m4a", "may last 0.5 s", max_clip_s=0.5)
