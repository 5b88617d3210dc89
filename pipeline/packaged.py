"""YAML that comes with the package: banks of texts, the grammar of scenes, the auditor's words."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

# libyaml's, where the wheel has it, takes a tenth of the time; both read plain data alone.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def packaged_yaml(package: str, name: str) -> Any:
    """What the file `name` of a package holds."""
    return yaml.load(files(package).joinpath(name).read_text(encoding="utf-8"), Loader=_LOADER)
