"""What is installed here, what that makes possible, and the command that would make the rest work."""

from __future__ import annotations

import importlib
import os
import platform
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from prefect.settings import get_current_settings

DISTRIBUTION = "streamaudio-builder"

# Where the name to import is not the distribution's. laion-clap asks a model hub for files when it is imported,
# so its metadata has to do.
MODULES = {
    "faiss-cpu": "faiss",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "universal-pathlib": "upath",
    "laion-clap": None,
}

INSTALL_FFMPEG = "sudo apt-get install ffmpeg"

OPTIONAL_PACKAGES = {
    "espeakng-loader": "the embedded voice: spoken instructions and turns",
    "torchcodec": "audio columns decoded by `datasets`; needs ffmpeg (soundfile decodes the same bytes without it)",
    "datasets": "load_dataset(CORPUS)",
    "diffusers": "missing sounds from AudioLDM 2 and Stable Audio (extra `generate`)",
    "faster-whisper": "the speech check by Whisper in this process (extra `asr`)",
}


@dataclass(frozen=True, slots=True)
class Program:
    names: tuple[str, ...]
    gives: str
    fix: str


PROGRAMS = (
    Program(("ffmpeg",), "clips that libsndfile cannot read: m4a, aac, wma, webm", INSTALL_FFMPEG),
    Program(
        ("chromium", "chromium-browser", "google-chrome"),
        "the tests that open a report in a browser",
        "sudo apt-get install chromium",
    ),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    `required` marks what no command works without; `ok` says whether it works here, `found` what is here (a version,
    a path, or what is wrong), `gives` what it is for, and `fix` the command that would make it work ("" where it does,
    or where none can).
    """

    group: Literal["machine", "package", "optional package", "optional program"]
    name: str
    required: bool
    ok: bool
    found: str
    gives: str
    fix: str = ""


def doctor_report() -> list[Check]:
    """Looks at this machine; takes some seconds, because the only proof that a package works is its import."""
    return [*_machine(), *_packages(), *_programs()]


def _machine() -> Iterator[Check]:
    supported = (3, 11) <= sys.version_info[:2] < (3, 13)
    found = platform.python_version()
    yield Check("machine", "python", required=True, ok=supported, found=found, gives="every command; 3.11 or 3.12")
    found = f"{os.cpu_count()} ({platform.machine()})"
    yield Check("machine", "cores", required=True, ok=True, found=found, gives="build --workers N")
    yield _gpu()
    yield _writable("current folder", Path.cwd(), "libraries and corpora by relative path")
    yield _writable("temporary folder", Path(tempfile.gettempdir()), "work in progress")
    yield _writable("Prefect's home", get_current_settings().home, "flow runs and schedules")


def _gpu() -> Check:
    try:
        import torch

        if torch.cuda.is_available():
            found = torch.cuda.get_device_name(0)
        else:
            found = "Apple MPS" if torch.backends.mps.is_available() else ""
    except Exception:  # noqa: BLE001  (a torch that cannot be imported is reported among the packages)
        found = ""
    gives = "faster embeddings and replay; every default runs without one"
    return Check("machine", "gpu", required=False, ok=bool(found), found=found or "none", gives=gives)


def _writable(name: str, folder: Path, gives: str) -> Check:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            found = f"{folder}, {shutil.disk_usage(existing).free / 1e9:.0f} GB free"
    except OSError as error:
        fix = f"chmod u+w {shlex.quote(str(existing))}" if isinstance(error, PermissionError) else ""
        return Check("machine", name, required=True, ok=False, found=f"{folder}: {error}", gives=gives, fix=fix)
    return Check("machine", name, required=True, ok=True, found=found, gives=gives)


def _packages() -> Iterator[Check]:
    for text in metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(text)
        name = requirement.name
        if requirement.marker is None:
            yield _package(requirement, required=True, gives="every command")
        elif name in OPTIONAL_PACKAGES:
            yield _package(requirement, required=False, gives=OPTIONAL_PACKAGES[name])


def _package(requirement: Requirement, *, required: bool, gives: str) -> Check:
    name = requirement.name
    group = "package" if required else "optional package"
    wanted = f"{name}{requirement.specifier}"

    def broken(found: str, fix: str) -> Check:
        return Check(group, name, required=required, ok=False, found=found, gives=gives, fix=fix)

    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return broken("not installed", _pip_install(wanted))
    if not requirement.specifier.contains(version, prereleases=True):
        return broken(f"{version}, wanted {requirement.specifier}", _pip_install(wanted))
    module = MODULES.get(name, name.replace("-", "_"))
    if module is not None:
        try:
            with warnings.catch_warnings(action="ignore"):
                importlib.import_module(module)
        except Exception as error:  # noqa: BLE001  (a broken pair of packages raises anything; the report carries it)
            lacks_ffmpeg = name == "torchcodec" and shutil.which("ffmpeg") is None
            fix = INSTALL_FFMPEG if lacks_ffmpeg else _pip_install("--force-reinstall", wanted)
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            return broken(f"{version} fails to import: {reason}", fix)
    return Check(group, name, required=required, ok=True, found=version, gives=gives)


def _pip_install(*arguments: str) -> str:
    return shlex.join([sys.executable, "-m", "pip", "install", *arguments])


def _programs() -> Iterator[Check]:
    for program in PROGRAMS:
        path = next(filter(None, map(shutil.which, program.names)), None)
        yield Check(
            "optional program",
            program.names[0],
            required=False,
            ok=path is not None,
            found=path or "not installed",
            gives=program.gives,
            fix="" if path else program.fix,
        )
