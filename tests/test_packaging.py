"""What an installation contains."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_folder_of_modules_is_a_package() -> None:
    # Otherwise a wheel lacks it and the import contracts do not see it, while a checkout works.
    folders = {
        module.parent for name in ("flows", "pipeline", "prompts", "schemas") for module in (ROOT / name).rglob("*.py")
    }
    assert sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()) == []
