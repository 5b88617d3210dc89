"""What Prefect's page shows of a published version: tables, a summary, a picture of the distributions."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pipeline.shards.card import STATISTICS
from pipeline.shards.changes import as_markdown
from pipeline.shards.timings import summary_of
from pipeline.storage import Location


def show(corpus: Location, manifest: Mapping[str, Any]) -> None:
    """Publish the artifacts of a corpus; each version adds to their history under the corpus's name."""
    key = re.sub(r"[^a-z0-9]+", "-", manifest["recipe"]["name"].lower()).strip("-")
    latest = manifest["history"][-1]
    summary = (
        f"# {manifest['recipe']['name']}, version {latest['version']}\n\n{manifest['rows']:,} streams, "
        f"{manifest['hours']:.2f} h, {manifest['responses']:,} responses, {manifest['quarantined']:,} quarantined.\n"
    )
    if latest["changes"]:
        summary += f"\nBy {latest['mode']}, against the version before:\n\n{as_markdown(latest['changes'])}"
    create_markdown_artifact(summary, key=f"{key}-summary", description=str(corpus))
    rows = [{"sub-task": name, "streams": count} for name, count in manifest["sub_tasks"].items()]
    create_table_artifact(rows, key=f"{key}-mixture", description="Streams per sub-task")
    licences = [{"licence": name, "sounds": count} for name, count in manifest["licences"].items()]
    create_table_artifact(licences, key=f"{key}-licences", description="Events and noise clips per licence")
    timings = summary_of(corpus)
    if timings is not None:
        took = [{"stage": name, "seconds": round(value, 2)} for name, value in timings.stages_s.items()]
        create_table_artifact(took, key=f"{key}-timings", description=f"Seconds of work over {timings.streams} streams")
    picture = base64.b64encode((corpus / STATISTICS).read_bytes()).decode()
    # An artifact that is an image prints its address below, which here is all of it.
    create_markdown_artifact(
        f"![Realised distributions](data:image/png;base64,{picture})",
        key=f"{key}-distributions",
        description="Realised distributions",
    )
