"""Real pipeline classes on tiny random weights, saved and loaded as people have them."""

from pathlib import Path
from typing import Any

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
    model: Any = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=audio.to_dict(), decoder=decoder.to_dict())
    )
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()  # they are zeros until trained
    model.generation_config.update(decoder_start_token_id=16, pad_token_id=16, bos_token_id=16, guidance_scale=3.0)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    EncodecFeatureExtractor(sampling_rate=8_000).save_pretrained(folder)


def audioldm2(folder: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="the extra `generate` is not installed")
    import transformers as hf

    letters = {
        letter: i for i, letter in enumerate(["<s>", "<pad>", "</s>", "<unk>", *"adogbrklwquity", "Ġ", "<mask>"])
    }
    new_tokens: dict[str, Any] = {"max_new_tokens": 8}
    pieces = [(piece, -2.0) for piece in ["<pad>", "</s>", "<unk>", "▁", *"adogbrkslwquity"]]
    text = hf.ClapTextConfig(
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=1,
        num_hidden_layers=1,
        pad_token_id=1,
        vocab_size=100,
        projection_dim=8,
    )
    audio = hf.ClapAudioConfig(
        spec_size=8,
        window_size=4,
        num_mel_bins=8,
        depths=[1, 1],
        num_attention_heads=[1, 1],
        num_hidden_layers=1,
        hidden_size=192,
        projection_dim=8,
        patch_size=2,
        patch_stride=2,
        patch_embed_input_channels=4,
    )
    vocoder = hf.SpeechT5HifiGan(
        hf.SpeechT5HifiGanConfig(
            model_in_dim=8,
            sampling_rate=16_000,
            upsample_initial_channel=16,
            upsample_rates=[2, 2],
            upsample_kernel_sizes=[4, 4],
            resblock_kernel_sizes=[3, 7],
            resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
            normalize_before=False,
        )
    )
    vocoder.conv_post.weight.data *= 1e4  # random weights hardly sound
    diffusers.AudioLDM2Pipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=[8, 16], in_channels=1, out_channels=1, norm_num_groups=8, latent_channels=4,
            down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
        ),
        text_encoder=hf.ClapModel(
            hf.ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=16)
        ),
        text_encoder_2=hf.T5EncoderModel(
            hf.T5Config(vocab_size=100, d_model=32, d_ff=8, d_kv=8, num_heads=1, num_layers=1)
        ),
        projection_model=diffusers.AudioLDM2ProjectionModel(
            text_encoder_dim=16, text_encoder_1_dim=32, langauge_model_dim=16
        ),
        language_model=hf.GPT2LMHeadModel(
            hf.GPT2Config(n_embd=16, n_head=1, n_layer=1, vocab_size=100, n_positions=99, **new_tokens)
        ),
        tokenizer=hf.RobertaTokenizer(vocab=letters, merges=[], model_max_length=77),
        tokenizer_2=hf.T5Tokenizer(vocab=pieces, model_max_length=77, extra_ids=0),
        feature_extractor=hf.ClapFeatureExtractor(feature_size=8),
        unet=diffusers.AudioLDM2UNet2DConditionModel(
            block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, sample_size=32, in_channels=4,
            out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(8, 16),
        ),
        scheduler=diffusers.DDIMScheduler(),
        vocoder=vocoder,
    ).save_pretrained(folder)  # fmt: skip


@pytest.mark.parametrize("make", [audioldm2, stable_audio, musicgen], ids=lambda make: make.__name__)
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
