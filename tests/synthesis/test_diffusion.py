"""Real pipeline classes on tiny random weights, saved and loaded as people have them."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.synthesis.diffusion import Diffusion
from pipeline.synthesis.generators import Wish
from schemas.sound_services import Diffusers

pytestmark = pytest.mark.slow
MARKS = dict(zip(("pad_token", "eos_token", "unk_token"), ("<pad>", "</s>", "<unk>"), strict=True))


def tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", "a", "dog", "barks", "low", "quality"])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, MARKS["unk_token"]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=10, **MARKS)


def stable_audio(folder: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="the extra `generate` is not installed")
    pytest.importorskip("torchsde", reason="the extra `generate` is not installed")
    from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
    from transformers import T5Config, T5EncoderModel

    diffusers.StableAudioPipeline(
        vae=diffusers.AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[1, 2], decoder_channels=3, decoder_input_channels=3,
            audio_channels=2, channel_multiples=[2, 4], sampling_rate=8_000,
        ),
        text_encoder=T5EncoderModel(T5Config(vocab_size=8, d_model=4, d_kv=4, d_ff=8, num_layers=1, num_heads=1)),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=4, conditioning_dim=4, min_value=0, max_value=32
        ),
        tokenizer=tokenizer(),
        transformer=diffusers.StableAudioDiTModel(
            sample_size=1_600, in_channels=3, num_layers=2, attention_head_dim=4, num_key_value_attention_heads=2,
            out_channels=3, cross_attention_dim=4, time_proj_dim=8, global_states_input_dim=8,
            cross_attention_input_dim=4,
        ),
        scheduler=diffusers.CosineDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    ).save_pretrained(folder)  # fmt: skip


def musicgen(folder: Path) -> None:
    from transformers import (
        EncodecConfig,
        EncodecFeatureExtractor,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    text = T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    audio = EncodecConfig(
        hidden_size=8, codebook_size=16, codebook_dim=8, num_filters=4, upsampling_ratios=[4, 2],
        target_bandwidths=[8.0], num_lstm_layers=1, sampling_rate=8_000, audio_channels=1,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=16, hidden_size=8, ffn_dim=8, num_hidden_layers=1, num_attention_heads=2, num_codebooks=2,
        audio_channels=1, pad_token_id=16, bos_token_id=16,
    )  # fmt: skip
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=audio.to_dict(), decoder=decoder.to_dict())
    )
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()  # they are zeros until trained
    model.generation_config.update(decoder_start_token_id=16, pad_token_id=16, bos_token_id=16, guidance_scale=3.0)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    EncodecFeatureExtractor(sampling_rate=8_000).save_pretrained(folder)


@pytest.mark.parametrize("make", [stable_audio, musicgen], ids=lambda make: make.__name__)
def test_a_model_from_a_folder_makes_sounds_that_its_seed_determines(make, tmp_path):
    import torch

    torch.manual_seed(0)
    make(tmp_path)
    params = Diffusers(pipeline=make.__name__, model=str(tmp_path), steps=2, device="cpu")
    model = Diffusion(params)
    before = torch.random.get_rng_state()
    first, again, other = (model(Wish("a dog barks", (), 0.3, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.dtype == np.float32
    assert len(first) == 4_800
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert Diffusion(params).identity() == model.identity()


def test_weights_that_are_no_safetensors_are_not_loaded(tmp_path):
    import torch

    musicgen(tmp_path)
    torch.save({"a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="safetensors"):
        Diffusion(Diffusers(pipeline="musicgen", model=str(tmp_path)))(Wish("a dog barks", (), 0.3, seed=1))
