"""TFJP: what a conditioned clip promises, on real recordings, on generated ones and at the edges."""

import hashlib
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.conditioning.operators import silence_gate, silent_runs
from pipeline.conditioning.stft import analyse
from pipeline.conditioning.tfjp import Conditioned, Profile, condition, conditioned_key
from pipeline.errors import BadInput
from schemas.conditioning import TfjpParams

RATE = 16_000
STEP = 3_200
PARAMS = TfjpParams()
PROFILES: tuple[Profile, ...] = ("sfx", "speech", "ambient", "music")


def longest_silence_ms(samples: np.ndarray, floor_db: float = -60.0) -> int:
    """Oracle: the longest stretch of 10 ms blocks that are all under the floor, straight from the samples."""
    blocks = samples[: len(samples) // 160 * 160].astype(np.float64).reshape(-1, 160)
    longest = current = 0
    for quiet in (blocks**2).mean(axis=1) <= 10 ** (floor_db / 10):
        current = current + 1 if quiet else 0
        longest = max(longest, current)
    return 10 * longest


def expected(clip: np.ndarray, result: Conditioned) -> tuple[np.ndarray, np.ndarray]:
    """(the clip's samples at their mapped places, mask of those that no taper or crossfade may have touched)."""
    placed = np.concatenate([clip[span.clip_start_sample : span.clip_end_sample] for span in result.spans])
    untouched = np.ones(len(placed), bool)
    untouched[:320] = untouched[-320:] = False
    for span in result.spans[1:]:
        untouched[span.start_sample - 160 : span.start_sample + 160] = False
    return placed, untouched


def assert_sound(clip: np.ndarray, result: Conditioned, profile: Profile) -> None:
    """What holds of every result."""
    assert len(result.samples) <= len(clip)
    assert np.isfinite(result.samples).all()
    assert np.abs(result.samples).max(initial=0) <= np.abs(clip).max(initial=0) + 1e-6
    assert result.spans[0].start_sample == 0
    ends = [span.start_sample + span.clip_end_sample - span.clip_start_sample for span in result.spans]
    assert ends == [*(span.start_sample for span in result.spans[1:]), len(result.samples)]
    assert all(a.clip_end_sample < b.clip_start_sample for a, b in pairwise(result.spans))
    for span in result.spans:
        assert result.to_output(span.clip_start_sample) == span.start_sample
        assert result.to_output(span.clip_end_sample - 1) == (
            span.start_sample + span.clip_end_sample - 1 - span.clip_start_sample
        )
        assert result.to_output(span.clip_end_sample) is None
    if profile != "speech" and len(clip) >= STEP:
        assert len(result.samples) % STEP == 0
        assert len(result.samples) > 0
    if profile != "sfx":
        assert len(result.spans) == 1
    if profile == "sfx" and len(clip) >= STEP:
        assert longest_silence_ms(result.samples) <= 300
        energy = analyse(result.samples).energy[1:-1]
        if result.reason is None:
            runs = silent_runs(silence_gate(energy, PARAMS))
            assert all((stop - start) * 20 <= 300 for start, stop in runs)
    if result.iterations == 0:
        placed, untouched = expected(clip, result)
        np.testing.assert_array_equal(result.samples[untouched], placed[untouched])
    again = condition(result.samples, profile=profile, params=PARAMS)
    assert len(again.samples) == len(result.samples)
    np.testing.assert_allclose(again.samples, result.samples, atol=1e-6)


@pytest.fixture(scope="module")
def esc10(shared: Path) -> dict[str, np.ndarray]:
    """ESC-10 at 16 kHz by file name."""
    clips = {}
    for path in sorted((shared / "data" / "esc10").glob("*/*.ogg")):
        samples, rate = soundfile.read(path, dtype="float32")
        clips[path.name] = torchaudio.functional.resample(torch.from_numpy(samples), rate, RATE).numpy()
    return clips


@pytest.mark.parametrize("profile", PROFILES)
def test_every_promise_holds_on_esc10(esc10, profile):
    results = {name: condition(clip, profile=profile, params=PARAMS) for name, clip in esc10.items()}
    for name, result in results.items():
        assert_sound(esc10[name], result, profile)
        assert result.reason is None
    assert sum(result.hit_cap for result in results.values()) < 0.02 * len(results)


def test_clean_clips_of_esc10_keep_their_energy(esc10):
    """Clean: the quietest twentieth of the 20 ms blocks lies 30 dB or more under the loudest."""
    checked = 0
    for name, clip in esc10.items():
        levels = (clip[: len(clip) // 320 * 320].reshape(-1, 320).astype(np.float64) ** 2).mean(axis=1)
        if np.percentile(levels, 5) > levels.max() / 1000:
            continue
        result = condition(clip, profile="sfx", params=PARAMS)
        placed, _ = expected(clip, result)
        loss_db = 10 * np.log10(np.sum(placed.astype(np.float64) ** 2) / np.sum(result.samples.astype(np.float64) ** 2))
        assert loss_db < 1, name
        whole_db = 10 * np.log10(np.sum(clip.astype(np.float64) ** 2) / np.sum(placed.astype(np.float64) ** 2))
        assert whole_db < 0.6, name
        checked += 1
    assert checked > 80


SEGMENT = st.tuples(
    st.sampled_from(["silence", "noise", "tone", "click", "decay"]),
    st.floats(0.01, 1.2),
    st.floats(-70, 0),
)


def render(segments: list[tuple[str, float, float]], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = []
    for kind, seconds, level_db in segments:
        time = np.arange(int(seconds * RATE)) / RATE
        shape = {
            "silence": np.zeros_like(time),
            "noise": np.clip(rng.standard_normal(len(time)) / 3, -1, 1),
            "tone": np.sin(2 * np.pi * 523.25 * time),
            "click": (np.arange(len(time)) == len(time) // 2).astype(float),
            "decay": np.sin(2 * np.pi * 880 * time) * np.exp(-6 * time),
        }[kind]
        parts.append(shape * 10 ** (level_db / 20))
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=60)
@given(segments=st.lists(SEGMENT, min_size=1, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_every_promise_holds_on_generated_clips(profile, segments, seed):
    clip = render(segments, seed)
    before = clip.copy()
    assert_sound(clip, condition(clip, profile=profile, params=PARAMS), profile)
    np.testing.assert_array_equal(clip, before)


def barks(rng: np.random.Generator) -> np.ndarray:
    """Three harmonic bursts in 4 s."""
    clip = np.zeros(4 * RATE)
    time = np.arange(RATE // 3) / RATE
    for start in (0.6, 1.7, 2.9):
        pitch = 420 * (1 + 0.1 * rng.standard_normal())
        burst = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 7)) * np.sin(np.pi * time * 3) ** 2
        clip[int(start * RATE) :][: len(burst)] += 0.2 * burst
    return clip.astype(np.float32)


@pytest.mark.parametrize("snr_db", [10, 5, 0])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_clip_buried_in_stationary_noise_gains_snr(snr_db, colour):
    rng = np.random.default_rng(5)
    clean = barks(rng)
    noise = np.fft.rfft(rng.standard_normal(len(clean)))
    if colour == "pink":
        noise /= np.sqrt(np.maximum(np.arange(len(noise)), 20))
    noise = np.fft.irfft(noise, len(clean))
    active = np.abs(clean) > 0
    noise *= np.sqrt(np.mean(clean[active] ** 2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    result = condition((clean + noise).astype(np.float32), profile="sfx", params=PARAMS)
    assert result.iterations >= 1
    assert not result.hit_cap
    signal, untouched = expected(clean, result)
    noise_before, _ = expected(noise, result)
    error = (result.samples - signal)[untouched]
    gain_db = 10 * np.log10(np.sum(noise_before[untouched] ** 2) / np.sum(error**2))
    assert gain_db > 3


def test_stationary_noise_alone_is_the_sound_itself():
    clip = (0.1 * np.random.default_rng(3).standard_normal(3 * RATE)).astype(np.float32)
    result = condition(clip, profile="sfx", params=PARAMS)
    assert result.iterations == 0
    assert len(result.samples) == 3 * RATE


def test_long_inner_silence_is_cut_and_both_events_stay_in_place():
    rng = np.random.default_rng(1)
    clip = np.zeros(5 * RATE, np.float32)
    clip[RATE : RATE + 3200] = 0.3 * rng.standard_normal(3200)
    clip[4 * RATE : 4 * RATE + 3200] = 0.3 * rng.standard_normal(3200)
    result = condition(clip, profile="sfx", params=PARAMS)
    assert_sound(clip, result, "sfx")
    assert len(result.spans) == 2
    for event in (RATE, 4 * RATE):
        first = result.to_output(event)
        assert first is not None
        np.testing.assert_array_equal(result.samples[first : first + 3200], clip[event : event + 3200])
    assert result.to_output(2 * RATE + RATE // 2) is None
    assert len(result.samples) <= 2 * 3200 + 4800 + 3 * STEP


def test_no_event_is_dropped_to_reach_a_whole_step():
    """Ticks with long pauses: the length is brought down in a pause, not by losing the last tick."""
    rng = np.random.default_rng(6)
    for pause in range(6_000, 16_000, 1_370):
        clip = np.zeros(5 * RATE, np.float32)
        starts = np.arange(1_000, len(clip) - 400, pause)
        for start in starts:
            clip[start : start + 400] = 0.5 * rng.standard_normal(400)
        result = condition(clip, profile="sfx", params=PARAMS)
        assert_sound(clip, result, "sfx")
        places = [result.to_output(int(start) + 200) for start in starts]
        assert None not in places


def test_inner_joins_do_not_click():
    """Two long pauses with a hum under the gate's reach: the join's steepest step is no steeper than the hum's own."""
    time = np.arange(6 * RATE) / RATE
    hum = 5e-4 * np.sin(2 * np.pi * 61 * time)
    clip = hum.copy()
    for start in (0.5, 2.6, 5.1):
        clip[int(start * RATE) :][:4000] += 0.5 * np.sin(2 * np.pi * 700 * time[:4000]) * np.hanning(4000)
    clip = clip.astype(np.float32)
    result = condition(clip, profile="sfx", params=PARAMS)
    assert len(result.spans) == 3
    steepest = np.abs(np.diff(hum)).max()
    for span in result.spans[1:]:
        around = result.samples[span.start_sample - 200 : span.start_sample + 200]
        assert np.abs(np.diff(around)).max() <= 2 * steepest


def test_speech_keeps_its_inside_to_the_sample():
    rng = np.random.default_rng(2)
    words = [(1.3, 0.4), (3.9, 0.5), (4.6, 0.3)]  # a pause of 2.2 s between the first two
    clip = np.zeros(int(6.123 * RATE), np.float32)
    for start, seconds in words:
        clip[int(start * RATE) :][: int(seconds * RATE)] = 0.2 * rng.standard_normal(int(seconds * RATE))
    result = condition(clip, profile="speech", params=PARAMS)
    first, last = int(1.3 * RATE), int(4.9 * RATE)
    offset = result.to_output(first)
    assert offset is not None
    assert 320 <= offset <= 0.2 * RATE
    np.testing.assert_array_equal(result.samples[offset : offset + last - first], clip[first:last])
    assert all(result.to_output(s) == offset + s - first for s in range(first, last, 997))
    assert len(result.samples) - (offset + last - first) <= 0.2 * RATE


def test_speech_of_odd_length_without_silence_is_only_tapered(shared: Path):
    paths = sorted((shared / "data" / "fsdd").rglob("*.wav"))[::12]
    assert paths
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32")
        clip = torchaudio.functional.resample(torch.from_numpy(samples), rate, RATE).numpy()
        result = condition(clip, profile="speech", params=PARAMS)
        assert_sound(clip, result, "speech")


@pytest.mark.parametrize("profile", PROFILES)
def test_pure_silence_is_cut_to_one_step_and_says_so(profile):
    result = condition(np.zeros(5 * RATE, np.float32), profile=profile, params=PARAMS)
    assert len(result.samples) == STEP
    assert result.reason is not None
    assert result.reason.startswith("silent:")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_click_in_the_last_part_of_a_block_is_no_frame(profile):
    clip = np.zeros(RATE + 319, np.float32)
    clip[-1] = 0.9
    result = condition(clip, profile=profile, params=PARAMS)
    assert_sound(clip, result, profile)
    assert result.reason is not None
    assert result.reason.startswith("silent:")


def test_a_single_click_stays_whole():
    clip = np.zeros(5 * RATE, np.float32)
    clip[41_237] = 0.9
    result = condition(clip, profile="sfx", params=PARAMS)
    assert_sound(clip, result, "sfx")
    assert len(result.samples) == STEP
    assert result.samples[result.to_output(41_237)] == np.float32(0.9)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("shape", ["dc", "square"])
def test_dc_and_full_scale_square_are_only_tapered(profile, shape):
    clip = np.ones(2 * RATE, np.float32) if shape == "dc" else np.sign(np.sin(np.arange(2 * RATE) * 0.17 + 0.01))
    clip = clip.astype(np.float32)
    result = condition(clip, profile=profile, params=PARAMS)
    assert_sound(clip, result, profile)
    assert len(result.samples) == len(clip)
    assert result.iterations == 0
    assert abs(result.samples[0]) < 1e-6
    assert abs(result.samples[-1]) < 1e-6


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("length", [0, 1, 480, 3199])
def test_short_clips_pass_untouched_with_a_reason(profile, length):
    clip = np.full(length, 0.5, np.float32)
    result = condition(clip, profile=profile, params=PARAMS)
    np.testing.assert_array_equal(result.samples, clip)
    assert result.reason is not None
    assert result.reason.startswith("too short:")


def test_exactly_one_step_is_kept():
    clip = (0.3 * np.random.default_rng(0).standard_normal(STEP)).astype(np.float32)
    result = condition(clip, profile="sfx", params=PARAMS)
    assert len(result.samples) == STEP
    assert result.reason is None


def test_ten_minutes_keep_every_promise():
    rng = np.random.default_rng(4)
    clip = np.tile(barks(rng), 150) + (0.01 * rng.standard_normal(600 * RATE)).astype(np.float32)
    clip[100 * RATE : 110 * RATE] = 0
    result = condition(clip, profile="sfx", params=PARAMS)
    assert result.iterations >= 1
    assert not result.hit_cap
    assert 585 * RATE < len(result.samples) < 592 * RATE
    assert_sound(clip, result, "sfx")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad):
    clip = np.zeros(RATE, np.float32)
    clip[17] = bad
    with pytest.raises(BadInput, match="sample 17"):
        condition(clip, profile="sfx", params=PARAMS)


@pytest.mark.parametrize("clip", [np.zeros((2, RATE), np.float32), np.zeros(RATE, np.int16)])
def test_other_shapes_and_types_are_refused(clip):
    with pytest.raises(BadInput, match="one channel"):
        condition(clip, profile="sfx", params=PARAMS)


def test_cache_key_depends_on_everything():
    sha = hashlib.sha256(b"clip").hexdigest()
    base = conditioned_key(sha, 0, 80_000, "sfx", PARAMS)
    assert base == conditioned_key(sha, 0, 80_000, "sfx", TfjpParams())
    others = {
        conditioned_key(hashlib.sha256(b"other").hexdigest(), 0, 80_000, "sfx", PARAMS),
        conditioned_key(sha, 1, 80_000, "sfx", PARAMS),
        conditioned_key(sha, 0, 79_999, "sfx", PARAMS),
        conditioned_key(sha, 0, 80_000, "ambient", PARAMS),
        conditioned_key(sha, 0, 80_000, "sfx", TfjpParams(gamma=0.9)),
    }
    assert len(others | {base}) == 6


def test_a_build_worker_conditions_without_torch():
    """It is dear: 450 MB and two seconds for each worker."""
    code = (
        "import sys, numpy as np, pipeline.corpus_build\n"
        "from pipeline.conditioning.tfjp import condition\n"
        "from schemas.conditioning import TfjpParams\n"
        "clip = 0.01 * np.random.default_rng(0).standard_normal(64_000).astype(np.float32)\n"
        "clip[30_000:34_000] *= 30\n"
        "assert condition(clip, profile='sfx', params=TfjpParams()).iterations, 'not denoised'\n"
        "assert not {'torch', 'sklearn', 'pandas', 'faiss'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
