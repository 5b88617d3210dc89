"""The contract check and a checker that has none of our code say the same of good and of broken corpora."""

import runpy
import sys
from pathlib import Path

import pytest

from pipeline.validation.contract import validate_corpus
from tests.factories import Handmade
from tests.validation.test_corruptions import CASES, Corruption

SEEN = {
    "audio_clipped": "audio is not clipped",
    "audio_truncated": "audio decodes",
    "audio_of_garbage": "audio decodes",
    "audio_at_8_khz": "audio is 16 kHz",
    "audio_in_stereo": "audio is mono",
    "audio_a_sample_short": "num_samples equals the decoded length",
    "length_no_whole_chunks": "length is whole chunks",
    "audio_silent": "audio is finite and not silent",
    "response_a_chunk_late": "response chunk follows from the event's end",
    "response_a_chunk_early": "response chunk follows from the event's end",
    "response_dropped": "a respond event has its response",
    "response_in_a_silent_stretch": "no response to a verified-silent event",
    "two_responses_in_a_chunk": "responses are sorted, one per chunk",
    "event_answered_twice": "one response per event",
    "responses_out_of_order": "responses are sorted, one per chunk",
    "response_to_no_event": "a response names its event",
    "response_after_the_end": "response chunk lies in the stream",
    "response_without_words": "response has a text",
    "turn_with_another_text": "turn and response text agree",
    "turn_with_another_response": "turn and response text agree",
    "event_past_the_end": "event interval lies in the stream",
    "event_without_a_licence": "event has a licence",
    "sub_task_of_another_ability": "ability and sub_task are in the taxonomy",
    "provenance_that_is_none": "provenance_json is JSON",
    "an_id_twice": "ids are unique",
    "a_clip_in_two_splits": "no clip in two splits",
    "a_noise_clip_in_two_splits": "no clip in two splits",
    "a_pair_of_one": "a pair is two rows of one split",
    "a_pair_in_two_splits": "a pair is two rows of one split",
    "a_byte_flipped": "shard hash and size",
    "a_row_too_many_in_the_manifest": "shard row count",
    "a_shard_that_datasets_cannot_decode": "schema metadata declares audio for datasets",
    "a_shard_too_many": "manifest lists exactly the shards on disk",
    "a_shard_missing": "a listed shard exists",
    "a_card_without_front_matter": "dataset card has front matter",
}
"""Corruptions that the checker can see, and what it calls them; of the others it has no rule."""


def checked(
    corpus: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> set[str]:
    """The rules that the checker finds broken."""
    monkeypatch.setattr(sys, "argv", ["check_corpus.py", str(corpus)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(shared / "acceptance" / "check_corpus.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    found = {line.removeprefix("FAIL ").split(":")[0] for line in lines if line.startswith("FAIL ")}
    assert done.value.code == int(bool(found))
    return found


@pytest.mark.parametrize("case", [case for case in CASES if case.name in SEEN], ids=lambda case: case.name)
def test_both_find_what_is_broken(
    case: Corruption,
    handmade: Handmade,
    root: Path,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = handmade.write(root, case.ids, case.edit)
    if case.spoil is not None:
        case.spoil(corpus)

    assert SEEN[case.name] in checked(corpus, shared, monkeypatch, capsys)
    assert case.rule in validate_corpus(corpus, library=handmade.library if case.library else None).by_rule()


def test_both_find_nothing_in_a_good_corpus(
    handmade: Handmade, root: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = handmade.write(root)

    assert checked(corpus, shared, monkeypatch, capsys) == set()
    assert validate_corpus(corpus, library=handmade.library).by_rule() == {}


def test_every_corruption_named_here_is_made() -> None:
    assert set(SEEN) <= {case.name for case in CASES}
    assert len(SEEN) >= 20
