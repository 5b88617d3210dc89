"""docs/sub-tasks.md has a section and a picture for each sub-task, and its pictures can be made."""

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

from schemas.taxonomy import SUB_TASKS
from tests.factories import Handmade

PAGE = Path(__file__).parents[1] / "docs" / "sub-tasks.md"


def test_each_sub_task_has_its_section_and_picture() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tasks = [task for of_ability in SUB_TASKS.values() for task in of_ability]
    assert re.findall(r"^### (\w+)", text, re.MULTILINE) == tasks
    pictures = [PAGE.parent / target for target in re.findall(r"!\[\w+\]\((.+?)\)", text)]
    assert [path.stem for path in pictures] == tasks
    assert sum(path.stat().st_size for path in pictures) < 1_500_000


def test_a_picture_shows_what_is_heard_and_said(tmp_path: Path) -> None:
    script = runpy.run_path(str(PAGE.with_name("sub_tasks.py")))
    rows = script["chosen"](Handmade.make(tmp_path / "made").write(tmp_path / "corpus"))
    assert rows
    for row in rows.values():
        shown = " ".join(ElementTree.fromstring(script["picture"](row)).itertext())  # noqa: S314 - our own
        assert all(response.text in shown for response in row.responses)
        assert all(event.name in shown for event in row.events)
