"""Each published corpus from a miniature of its folder: what enters, what stays out, under which licence."""

import json
from pathlib import Path

import pytest

from pipeline.errors import BadInput
from pipeline.library.importers import Rejected, Source, list_sources, recognise
from pipeline.library.ingest import import_library, read_clips


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.fixture
def audio(tmp_path, write_tone):
    """Writes recordings, each of another pitch, so that no two have the same bytes."""

    def write(*names: str) -> None:
        for i, name in enumerate(names):
            write_tone(tmp_path / name, hz=300 + 20 * i)

    return write


def librispeech(root, audio):
    audio("LibriSpeech/train-clean-100/103/1240/103-1240-0000.flac", "LibriSpeech/test-clean/61/1/61-1-0000.flac")
    put(root, "LibriSpeech/SPEAKERS.TXT", ";ID |SEX|SUBSET|MINUTES|NAME\n103 | F | train-clean-100 | 25.1 | Karen S.\n")
    put(
        root,
        "LibriSpeech/train-clean-100/103/1240/103-1240.trans.txt",
        "103-1240-0000 CHAPTER ONE\n103-1240-0001 GONE\n",
    )
    put(root, "LibriSpeech/test-clean/61/1/61-1.trans.txt", "61-1-0000 A TEST\n")
    return {"103-1240-0000.flac": ("chapter one", "en", "CC-BY-4.0", "librispeech-103", "Karen S.")}, {
        "103-1240-0001": "no such recording", "61-1-0000": "test-clean",
    }  # fmt: skip


def commonvoice(root, audio):
    audio("en/clips/common_voice_en_1.mp3", "en/clips/common_voice_en_2.mp3")
    head = "client_id\tpath\tsentence\tup_votes\tage\taccents\tlocale\n"
    put(
        root,
        "en/validated.tsv",
        head
        + 'c0ffee0123456789ab\tcommon_voice_en_1.mp3\tHe said "hi.\t2\t\tScottish English\ten\n'
        + "c1\tcommon_voice_en_2.mp3\tA test.\t2\t\t\ten\n",
    )
    put(root, "en/test.tsv", head + "c1\tcommon_voice_en_2.mp3\tA test.\t2\t\t\ten\n")
    return {"common_voice_en_1.mp3": ('He said "hi.', "en", "CC0-1.0", "common-voice-c0ffee0123456789", "Mozilla")}, {
        "common_voice_en_2.mp3": "test"
    }


def voxpopuli(root, audio):
    audio("en/2017/20170913-0900-PLENARY-1.ogg")
    put(
        root,
        "en/asr_train.tsv",
        "id\traw_text\tnormalized_text\tspeaker_id\tsplit\tgender\n"
        "20170913-0900-PLENARY-1\tMr President, thank you.\tmr president\t99\ttrain\tfemale\n",
    )
    put(root, "en/asr_test.tsv", "id\traw_text\tnormalized_text\tspeaker_id\tsplit\n20170913-x\tNo.\tno\t9\ttest\n")
    return {
        "20170913-0900-PLENARY-1.ogg": ("Mr President, thank you.", "en", "CC0-1.0", "voxpopuli-99", "VoxPopuli")
    }, {"20170913-x": "test"}


def gigaspeech(root, audio):
    audio("xs_chunks_0000/POD1_S1.wav", "xs_chunks_0000/POD1_S2.wav")
    put(
        root,
        "xs_chunks_0000_metadata.csv",
        "sid,speaker,begin_time,end_time,title,url,text_tn,audio_id\n"
        "POD1_S1,N/A,1,2,A podcast,,AS THEY SAY <COMMA> WELL <QUESTIONMARK>,POD1\n"
        "POD1_S2,N/A,2,3,A podcast,,<MUSIC>,POD1\n",
    )
    return {
        "POD1_S1.wav": ("as they say, well?", "en", "LicenseRef-GigaSpeech-Terms", "gigaspeech-POD1", "A podcast")
    }, {"POD1_S2": "garbage"}


def aishell(root, audio):
    audio(
        "data_aishell/wav/train/S0002/BAC009S0002W0122.wav",
        "data_aishell/wav/test/S0764/BAC009S0764W0121.wav",
        "data_aishell/wav/train/S0002/BAC009S0002W0999.wav",
    )
    put(
        root,
        "data_aishell/transcript/aishell_transcript_v0.8.txt",
        "BAC009S0002W0122 而 对 楼市\nBAC009S0764W0121 甚至 出现\n",
    )
    return {"BAC009S0002W0122.wav": ("而对楼市", "zh", "Apache-2.0", "aishell-S0002", "AISHELL-1")}, {
        "BAC009S0764W0121": "test", "BAC009S0002W0999.wav": "no transcript",
    }  # fmt: skip


def kespeech(root, audio):
    audio("Audio/1000001/phase1/1000001_a.wav")
    base = "Tasks/ASR/train_phase1/"
    put(root, base + "wav.scp", "1000001_a Audio/1000001/phase1/1000001_a.wav\n1000001_b ../../etc/passwd\n")
    put(root, base + "text", "1000001_a 今天 天气 好\n")
    put(root, base + "utt2spk", "1000001_a 1000001\n")
    put(root, base + "utt2subdialect", "1000001_a Zhongyuan\n")
    put(root, "Tasks/ASR/test/wav.scp", "t1 Audio/t1.wav\n")
    return {"1000001_a.wav": ("今天天气好", "zh", "LicenseRef-KeSpeech-Terms", "kespeech-1000001", "KeSpeech")}, {
        "1000001_b": "no file under", "t1": "test",
    }  # fmt: skip


def covost(root, audio):
    audio("clips/common_voice_en_1.mp3", "clips/common_voice_en_2.mp3")
    head = "path\tsentence\ttranslation\tclient_id\n"
    put(root, "covost_v2.en_zh-CN.train.tsv", head + "common_voice_en_1.mp3\tGood morning.\t早上好。\tc0\n")
    put(root, "covost_v2.en_zh-CN.test.tsv", head + "common_voice_en_2.mp3\tBye.\t再见。\tc0\n")
    return {"common_voice_en_1.mp3": ("Good morning.", "en", "CC0-1.0", "common-voice-c0", "Mozilla")}, {
        "common_voice_en_2.mp3": "test"
    }


SPEECH = [librispeech, commonvoice, voxpopuli, gigaspeech, aishell, kespeech, covost]


def fma(root, audio):
    audio("fma_small/000/000002.mp3", "fma_small/000/000005.mp3")
    put(
        root,
        "fma_metadata/tracks.csv",
        ",artist,set,track,track,track\n,name,split,genre_top,license,title\n"
        "track_id,,,,,\n2,AWOL,training,Hip-Hop,Attribution-NonCommercial-ShareAlike 3.0 International,Food\n"
        "5,AWOL,test,Hip-Hop,Attribution,This World\n",
    )
    return {"000002.mp3": ("hip-hop music", ("Music", "Hip-Hop music"), "music", "CC-BY-NC-SA-3.0", "Food by AWOL")}, {
        "5": "test"
    }


def audioset(root, audio):
    audio("wav/Y--PJHxphWEs.wav", "wav/-0SdAVK79lg_30.000_40.000.wav", "wav/0123456789a.wav")
    put(
        root,
        "class_labels_indices.csv",
        'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/0bt9lr,"Dog"\n'
        '2,/t/dd1,"Baby cry, infant cry"\n3,/m/04rlf,"Music"\n',
    )
    head = "# Segments csv created Sun Mar  5 10:54:31 2017\n# YTID, start_seconds, end_seconds, positive_labels\n"
    put(
        root,
        "balanced_train_segments.csv",
        head + '--PJHxphWEs, 30.000, 40.000, "/m/0bt9lr,/t/dd1"\n'
        '-0SdAVK79lg, 30.000, 40.000, "/m/04rlf"\nnotdownload, 1.000, 2.000, "/m/09x0r"\n',
    )
    put(root, "eval_segments.csv", head + '0123456789a, 0.000, 10.000, "/m/09x0r"\n')
    return {
        "Y--PJHxphWEs.wav": (
            "dog, baby cry, infant cry", ("Dog", "Baby cry, infant cry"), "sfx", "unknown", "youtu.be/--PJHxphWEs",
        ),
        "-0SdAVK79lg_30.000_40.000.wav": ("music", ("Music",), "music", "unknown", "youtu.be/-0SdAVK79lg"),
    }, {"0123456789a": "eval"}  # fmt: skip


def fsd50k(root, audio):
    audio("FSD50K.dev_audio/64760.wav", "FSD50K.eval_audio/1.wav")
    put(
        root,
        "FSD50K.ground_truth/dev.csv",
        'fname,labels,mids,split\n64760,"Chink_and_clink,Glass","/m/1,/m/2",train\n',
    )
    put(root, "FSD50K.ground_truth/eval.csv", "fname,labels,mids\n1,Bark,/m/3\n")
    put(root, "FSD50K.ground_truth/vocabulary.csv", "0,Accordion,/m/0mkg\n")
    put(
        root,
        "FSD50K.metadata/dev_clips_info_FSD50K.json",
        json.dumps(
            {
                "64760": {
                    "title": "glasses toast.wav",
                    "license": "http://creativecommons.org/licenses/by/3.0/",
                    "uploader": "ann",
                }
            }
        ),
    )
    return {
        "64760.wav": ("glasses toast", ("Chink and clink", "Glass"), "sfx", "CC-BY-3.0", "glasses toast.wav by ann")
    }, {"1": "eval"}


def clotho(root, audio):
    audio("development/Distant rain.wav")
    put(
        root,
        "clotho_captions_development.csv",
        "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n"
        "Distant rain.wav,Rain falls.,Rain falls.,Rain falls.,Rain falls.,Rain falls.\n",
    )
    (root / "clotho_metadata_development.csv").write_bytes(
        b"file_name,keywords,sound_id,sound_link,start_end_samples,manufacturer,license\n"
        b'Distant rain.wav,rain;far,1,http://f.org/1,"[0, 9]",Jos\xe9,https://creativecommons.org/publicdomain/zero/1.0/\n'
    )
    put(root, "clotho_captions_evaluation.csv", "file_name,caption_1\ne.wav,No.\n")
    return {"Distant rain.wav": ("Rain falls.", ("rain", "far"), "sfx", "CC0-1.0", "by José")}, {"e.wav": "evaluation"}


def musan(root, audio):
    audio(
        "musan/music/fma/music-fma-0000.wav",
        "musan/speech/librivox/speech-librivox-0000.wav",
        "musan/noise/free-sound/noise-free-sound-0000.wav",
    )
    put(root, "musan/music/fma/ANNOTATIONS", "music-fma-0000 classical,baroque N Some_Body\n")
    by = "CC-BY-4.0"
    return {
        "music-fma-0000.wav": ("classical music", ("Music", "classical", "baroque"), "music", by, "MUSAN"),
        "speech-librivox-0000.wav": ("people speaking", ("Speech",), "speech", by, "MUSAN"),
        "noise-free-sound-0000.wav": ("background noise", ("Noise",), "sfx", by, "MUSAN"),
    }, {}


def wham(root, audio):
    audio("wham_noise/tr/011a.wav", "wham_noise/tt/050a.wav", "wham_noise/cv/01.wav")
    put(root, "wham_noise/metadata/noise_meta_tr.csv", "utterance_id\n011a.wav\n")
    expected = (
        "murmur of people and background noise in an urban place",
        ("Hubbub, speech noise, speech babble", "Background noise"),
        "sfx",
        "CC-BY-NC-4.0",
        "WHAM!",
    )
    return {"011a.wav": expected, "01.wav": expected}, {"050a": "tt"}


def dns(root, audio):
    audio(
        "datasets_fullband/noise_fullband/door_Freesound_validated_363113_4.wav",
        "datasets_fullband/noise_fullband/-0D7pe3mcEs.wav",
    )
    return {
        "door_Freesound_validated_363113_4.wav": ("door", ("door",), "sfx", "CC0-1.0", "DNS"),
        "-0D7pe3mcEs.wav": ("background noise", ("Noise",), "sfx", "unknown", "DNS"),
    }, {}


SOUNDS = [fma, audioset, fsd50k, clotho, musan, wham, dns]


def listed(root):
    entries = list(list_sources(root, "auto"))
    found = {entry.path.name: entry for entry in entries if isinstance(entry, Source)}
    rejected = {Path(entry.path).name: entry.reason for entry in entries if isinstance(entry, Rejected)}
    return found, rejected


def check_rejected(rejected, expected):
    assert set(rejected) == set(expected)
    for name, reason in expected.items():
        assert reason in rejected[name]


@pytest.mark.parametrize("make", SPEECH, ids=lambda make: make.__name__)
def test_speech(make, tmp_path, audio):
    expected, left_out = make(tmp_path, audio)
    assert recognise(tmp_path) == make.__name__
    found, rejected = listed(tmp_path)
    assert set(found) == set(expected)
    for name, (transcript, language, licence, speaker, attribution) in expected.items():
        source = found[name]
        assert (source.kind, source.transcript, source.language) == ("speech", transcript, language)
        assert (source.licence, source.speaker) == (licence, speaker)
        assert attribution in source.attribution
    check_rejected(rejected, left_out)


@pytest.mark.parametrize("make", SOUNDS, ids=lambda make: make.__name__)
def test_sounds(make, tmp_path, audio):
    expected, left_out = make(tmp_path, audio)
    assert recognise(tmp_path) == make.__name__
    found, rejected = listed(tmp_path)
    assert set(found) == set(expected)
    for name, (caption, tags, kind, licence, attribution) in expected.items():
        source = found[name]
        assert (source.caption, source.tags, source.kind, source.licence) == (caption, tags, kind, licence)
        assert attribution in source.attribution
    check_rejected(rejected, left_out)


def test_dialects_are_tags(tmp_path, audio):
    kespeech(tmp_path, audio)
    assert listed(tmp_path)[0]["1000001_a.wav"].tags == ("Speech", "Zhongyuan")


def test_a_layout_that_is_asked_for_must_be_there(tmp_path, audio):
    audio("a.wav")
    assert recognise(tmp_path) == "folder"
    with pytest.raises(BadInput, match=r"not laid out like fsd50k; it needs FSD50K\.ground_truth"):
        list(list_sources(tmp_path, "fsd50k"))


def test_licences_and_transcripts_reach_the_library(tmp_path, audio):
    librispeech(tmp_path, audio)
    report = import_library(tmp_path, tmp_path.parent / f"{tmp_path.name}-lib")
    (clip,) = read_clips(report.library)
    assert (clip.transcript, clip.licence, clip.kind) == ("chapter one", "CC-BY-4.0", "speech")
    assert len(report.rejected) == 2
