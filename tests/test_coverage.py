"""Filling a library ahead of a build."""

import numpy as np
import soundfile

from pipeline.coverage import fill, missing
from pipeline.grounding.captions import no_captioner
from pipeline.library.library import Library, import_library
from pipeline.synthesis.generators import ProceduralGenerator
from pipeline.synthesis.kinds import KINDS
from schemas.recipe import Recipe


def test_kinds_that_a_library_lacks_are_made_verified_and_imported(tmp_path):
    tone = 0.3 * np.sin(np.arange(16_000) / 7) * np.exp(-np.arange(16_000) / 4_000)
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "glass shattering.wav", tone, 16_000)
    import_library(tmp_path / "sounds", tmp_path / "lib")
    triggers = {name for name, kind in KINDS.items() if kind.criterion is not None}
    lacking = missing(Library.open(tmp_path / "lib"), 1)
    assert set(lacking) == triggers - {"glass_breaking"}

    filled = fill(tmp_path / "lib", Recipe(), [ProceduralGenerator()], no_captioner, per_kind=1)
    assert set(filled.added) | set(filled.failed) == set(lacking)
    assert len(filled.failed) <= len(lacking) // 10, filled.failed
    library = Library.open(tmp_path / "lib")
    made = [clip for clip in library.clips.values() if "generated" in clip.path]
    assert len(made) == sum(filled.added.values())
    assert {clip.licence for clip in made} == {"CC0-1.0"}
    assert all("procedural/1:" in clip.attribution for clip in made)
    assert set(missing(library, 1)) <= set(filled.failed)
