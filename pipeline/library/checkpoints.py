"""Where a model's files are: a local file or folder, or a model hub's id; and what identifies their content."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BadInput

HUB_FILES = ("*.json", "*.txt", "*.safetensors", "1_Pooling/config.json")
HUB_LEFT_OUT = ("onnx/*", "openvino/*", "coreml/*")
_TIMEOUT_S = 10.0


def find(checkpoint: str) -> Path:
    """The local file or folder of `checkpoint`; a hub id is looked up in the local cache, then fetched.

    Raises BadInput where there is no such path, or the hub does not have it or cannot be reached.
    """
    path = Path(checkpoint).expanduser()
    if path.exists():
        return path.resolve()
    if path.is_absolute() or path.suffix in {".pt", ".pth", ".bin", ".ckpt"} or checkpoint.startswith("."):
        raise BadInput(
            f"checkpoint {checkpoint!r} does not exist; give a local file or folder, or the id of a hub model"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    wanted = {"allow_patterns": list(HUB_FILES), "ignore_patterns": list(HUB_LEFT_OUT)}
    try:
        return Path(snapshot_download(checkpoint, etag_timeout=_TIMEOUT_S, **wanted))
    except HFValidationError as error:
        raise BadInput(f"checkpoint {checkpoint!r} is neither a local path nor the id of a hub model") from error
    except OSError as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
        reason = "HF_HUB_OFFLINE is set" if offline else str(error).partition("\n")[0]
        raise BadInput(
            f"checkpoint {checkpoint!r} is not on this machine and the model hub gave no answer ({reason}); where it "
            f"can be reached run `hf download {checkpoint} --local-dir FOLDER`, and give --checkpoint FOLDER here"
        ) from error


def sha256(files: Iterable[Path]) -> str:
    """The hash of a file's bytes; of several, that of their hashes in order of name."""
    hashes: list[bytes] = []
    for path in sorted(files):
        with path.open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").digest())
    return (hashes[0] if len(hashes) == 1 else hashlib.sha256(b"".join(hashes)).digest()).hex()


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars of transformers, which know nothing of ours."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def weights(folder: Path) -> list[Path]:
    """The safetensors files of a model folder. Raises BadInput where it has none, whatever else it holds."""
    found = sorted(folder.glob("model*.safetensors"))
    if not found or not (folder / "config.json").is_file():
        raise BadInput(
            f"checkpoint {str(folder)!r} lacks config.json or model.safetensors; weights are read from safetensors "
            "only (pickles run code): save the model again with save_pretrained"
        )
    return found
