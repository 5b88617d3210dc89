"""`doctor` tells what works here, never trusts a version where only an import proves it, and names a fix that fits."""

import importlib
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from flows.doctor import Check, doctor_report


def report(monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    """The report with imports that do nothing, since the first test has seen them succeed."""
    monkeypatch.setattr(importlib, "import_module", lambda name: None)
    return {check.name: check for check in doctor_report()}


def test_everything_required_works_where_the_tests_run() -> None:
    checks = doctor_report()
    assert [check for check in checks if check.required and not check.ok] == []
    asked_for = {"torch", "torchaudio", "openai", "pydub", "numpy", "pandas", "pyarrow", "faiss-cpu", "laion-clap"}
    assert asked_for | {"prefect", "espeakng-loader", "ffmpeg", "gpu"} <= {check.name for check in checks}
    assert not any(check.fix for check in checks if check.ok)


def test_laion_clap_is_not_imported_because_its_import_calls_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(importlib, "import_module", imported.append)
    doctor_report()
    assert "laion_clap" not in imported
    assert {"torch", "faiss", "yaml"} <= set(imported)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "espeakng-loader":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    real = metadata.version
    monkeypatch.setattr(metadata, "version", version)
    check = report(monkeypatch)["espeakng-loader"]
    assert (check.ok, check.required, check.found) == (False, False, "not installed")
    assert shlex.split(check.fix)[:4] == [sys.executable, "-m", "pip", "install"]
    assert shlex.split(check.fix)[4].startswith("espeakng-loader")


def test_version_outside_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "26.0.0" if name == "pyarrow" else real(name))
    check = report(monkeypatch)["pyarrow"]
    assert not check.ok
    assert check.found.startswith("26.0.0, wanted ")
    assert "pyarrow" in shlex.split(check.fix)[-1]
    assert "<26" in shlex.split(check.fix)[-1]


@pytest.mark.parametrize(
    ("package", "ffmpeg", "fix"),
    [
        ("torchaudio", False, "--force-reinstall"),
        ("torchcodec", False, "ffmpeg"),
        ("torchcodec", True, "--force-reinstall"),
    ],
)
def test_package_that_fails_to_import(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str, ffmpeg: bool, fix: str
) -> None:
    def import_module(name: str) -> None:
        if name == package:
            raise OSError("libfoo.so: cannot open shared object file\nand a long explanation")

    if ffmpeg:
        program(tmp_path / "ffmpeg")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib, "import_module", import_module)
    check = next(check for check in doctor_report() if check.name == package)
    assert not check.ok
    assert check.found.endswith("fails to import: libfoo.so: cannot open shared object file")
    assert fix in check.fix


def test_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = report(monkeypatch)
    assert (checks["ffmpeg"].ok, checks["ffmpeg"].required) == (False, False)
    assert checks["ffmpeg"].fix.endswith("install ffmpeg")
    program(tmp_path / "google-chrome")
    assert report(monkeypatch)["chromium"].found == str(tmp_path / "google-chrome")


def test_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    check = report(monkeypatch)["current folder"]
    assert not check.ok
    assert str(tmp_path) in check.found
    assert "Permission denied" in check.found
    assert check.fix == f"chmod u+w {tmp_path}"


def program(path: Path) -> None:
    path.write_text("")
    path.chmod(0o755)
