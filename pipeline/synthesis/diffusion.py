"""AudioLDM 2 and Stable Audio through diffusers, MusicGen through transformers: weights from safetensors only."""

from __future__ import annotations

import importlib
import math
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import BadInput, MissingDependency
from pipeline.synthesis.audio import standard
from schemas.sound_services import Diffusers

if TYPE_CHECKING:
    from pipeline.synthesis.generators import Wish

CLASSES = {
    "audioldm2": ("diffusers", "AudioLDM2Pipeline"),
    "stable_audio": ("diffusers", "StableAudioPipeline"),
    "musicgen": ("transformers", "MusicgenForConditionalGeneration"),
}


class Diffusion:
    """A text-to-audio model, loaded at its first sound and kept."""

    def __init__(self, params: Diffusers) -> None:
        self._params = params
        try:
            self._version = metadata.version(CLASSES[params.pipeline][0])
        except metadata.PackageNotFoundError as error:
            raise MissingDependency(
                f"pipeline {params.pipeline!r} needs {CLASSES[params.pipeline][0]!r}, which is not installed; "
                "run: pip install 'streamaudio-builder[generate]'"
            ) from error

    def identity(self) -> dict[str, Any]:
        """What changes its sounds; the weights of a local folder count by their sizes and times."""
        p = self._params
        folder = Path(p.model)
        weights = [
            (str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*.safetensors"))
        ]
        return {
            "name": "diffusers", "pipeline": p.pipeline, "model": p.model, "revision": p.revision, "steps": p.steps,
            "guidance": p.guidance, "negative_prompt": p.negative_prompt, "version": self._version,
            "weights": weights,
        }  # fmt: skip

    def __call__(self, wish: Wish) -> np.ndarray:
        """float32, 16 kHz mono, `duration_s` long (at most the recipe's bound). Raises Unusable for NaN or silence."""
        import torch

        duration_s = min(wish.duration_s, self._params.max_duration_s)
        with torch.inference_mode(), torch.random.fork_rng():
            samples, rate = self._make(wish, duration_s)
        samples = samples[: round(duration_s * rate)]
        return standard(samples, rate=rate)

    def _make(self, wish: Wish, duration_s: float) -> tuple[np.ndarray, int]:
        import torch

        p, seed = self._params, wish.seed % 2**63
        if p.pipeline == "musicgen":
            model, processor = self._model
            inputs = processor(text=[wish.caption], padding=True, return_tensors="pt").to(self._device)
            # Codebooks are delayed against one another by a frame each.
            frames = math.ceil(duration_s * model.config.audio_encoder.frame_rate) + model.decoder.num_codebooks
            torch.manual_seed(seed)
            audio = model.generate(**inputs, do_sample=True, guidance_scale=p.guidance, max_new_tokens=frames)
            return _mono(audio[0]), model.config.audio_encoder.sampling_rate
        pipe = self._model
        options: dict[str, Any] = {
            "prompt": wish.caption,
            "negative_prompt": p.negative_prompt,
            "num_inference_steps": p.steps,
            "guidance_scale": p.guidance,
            "generator": torch.Generator("cpu").manual_seed(seed),
        }
        if p.pipeline == "audioldm2":
            audio = pipe(**options, audio_length_in_s=duration_s).audios[0]
            return _mono(audio), pipe.vocoder.config.sampling_rate
        audio = pipe(**options, audio_end_in_s=duration_s).audios[0]
        return _mono(audio), pipe.vae.sampling_rate

    @cached_property
    def _device(self) -> str:
        import torch

        if self._params.device != "auto":
            return self._params.device
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"

    @cached_property
    def _model(self) -> Any:
        import torch

        p = self._params
        half = torch.float16 if self._device == "cuda" else torch.float32
        options: dict[str, Any] = {"revision": p.revision} if p.revision else {}
        module, name = CLASSES[p.pipeline]
        loader = getattr(importlib.import_module(module), name)
        try:
            model = loader.from_pretrained(p.model, use_safetensors=True, dtype=half, **options).to(self._device)
            if p.pipeline == "musicgen":
                from transformers import AutoProcessor

                return model.eval(), AutoProcessor.from_pretrained(p.model, **options)
            model.set_progress_bar_config(disable=True)
            return model
        except (OSError, ValueError, RuntimeError) as error:
            told = " ".join(str(error).split())[:300]
            raise BadInput(
                f"model {p.model!r} cannot be loaded as {p.pipeline} from safetensors: {told}; give a folder in the "
                "diffusers or transformers layout, or a hub id while the hub can be reached"
            ) from error


def _mono(audio: Any) -> np.ndarray:
    """(samples,) or (channels, samples), tensor or array, to (samples,) of float32."""
    array = audio.float().cpu().numpy() if hasattr(audio, "cpu") else np.asarray(audio, np.float32)
    return array.reshape(-1, array.shape[-1]).mean(axis=0)
