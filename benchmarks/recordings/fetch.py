"""Real recordings of dangers, and of much else, from the packages of free games: for examining a probe.

    python benchmarks/recordings/fetch.py --out FOLDER [--part examination] [--keep DIR]
    streamaudio library import FOLDER --out LIB
    streamaudio probe test --library LIB

`sounds.csv` names 370 sounds of 35 packages of Debian 12 (1 to 1,300 MB each): screams, cries, horns, sirens, tyres,
breaking glass, thunder, and animals, doors, steps, engines, instruments. They are chosen by their file names alone, and
captioned by them; nobody listened. Most are recordings, cut and sometimes edited for a game. Two parts, by package:
`development` helped to decide how the probe is trained, `examination` did not. Licences are each package's own
(/usr/share/doc/PACKAGE/copyright); nothing of them is part of this project.

Needs apt-get and dpkg-deb, and no root.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import tempfile
from itertools import groupby
from pathlib import Path

from rich.progress import track

SOUNDS = Path(__file__).with_name("sounds.csv")


def main() -> None:
    """Download package by package, take out what the table names, and write a table beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=("examination", "development"), default="examination")
    parser.add_argument("--keep", type=Path, help="Keep the packages here, and take them from here.")
    arguments = parser.parse_args()
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            parser.error(f"{program} is not installed; the recordings come from packages of Debian or Ubuntu")
    with SOUNDS.open(newline="", encoding="utf-8") as file:
        wanted = [row for row in csv.DictReader(file) if row["part"] == arguments.part]
    packages = [(name, list(rows)) for name, rows in groupby(wanted, lambda row: row["package"])]
    table = list[tuple[str, str]]()
    for name, rows in track(packages, description="packages"):
        for row, path in taken(name, rows, arguments.out, arguments.keep):
            table.append((str(path.relative_to(arguments.out)), row["caption"]))
    with (arguments.out / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "caption"), *table])
    print(f"{len(table)} of {len(wanted)} recordings -> {arguments.out}")


def taken(package: str, rows: list[dict[str, str]], out: Path, keep: Path | None) -> list[tuple[dict[str, str], Path]]:
    """The recordings of one package, copied into its folder of `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        store = keep or Path(scratch)
        store.mkdir(parents=True, exist_ok=True)
        if not list(store.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=store, check=True, stdout=subprocess.DEVNULL)
        tree = Path(scratch) / "tree"
        subprocess.run(["dpkg-deb", "-x", next(store.glob(f"{package}_*.deb")), tree], check=True)
        copied = list[tuple[dict[str, str], Path]]()
        for row in rows:
            source = tree / row["path"].lstrip("/")
            if not source.is_file():
                print(f"{package} has no {row['path']} here: another version?")
                continue
            # Two folders of a package may have files of one name.
            target = out / package / "-".join(Path(row["path"]).parts[-2:])
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            copied.append((row, target))
    return copied


if __name__ == "__main__":
    main()
