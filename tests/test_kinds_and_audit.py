"""The synthesizer says of each sound what it is; the auditor must agree, whichever caption is used."""

import pytest

from pipeline.annotation.audit import audit
from pipeline.synthesis.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_auditor_agrees_with_every_caption_of_a_kind(kind):
    sound = KINDS[kind]
    for caption in sound.captions:
        judged = audit(caption, sound.tags)
        assert judged.label == ("respond" if sound.criterion else "silent"), caption
        assert judged.criterion == sound.criterion, caption
