"""Appended, renewed and thinned corpora are whole, repeat nothing, and are published in one step or not at all."""

import functools
import json
import shutil
from pathlib import Path

import pytest

from flows import versions
from flows.versions import renew, without
from pipeline.errors import BadInput, GateFailed, StaleIdentity
from pipeline.shards import versions as shard_versions
from pipeline.shards.changes import changes, lines
from pipeline.shards.merging import merge
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths
from pipeline.storage import delete_below
from pipeline.validation.contract import validate_corpus
from schemas.distributions import Const
from schemas.recipe import Recipe
from tests.flows.version_builds import build_here

RECIPE = Recipe.model_validate(
    {
        "name": "nightly",
        "seed": 3,
        "streams": 4,
        "streams_per_shard": 2,
        "mixture": {"natural_hazard": 3, "count_events": 1},
        "splits": {"train": 0.5, "test": 0.5},
        "pairs": 1.0,
        "scene": {"duration_s": ["uniform", 12, 15]},
        "conditioning": "off",
        "max_quarantined": 0.5,
    }
)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(versions, "build_corpus", build_here)


@pytest.fixture(scope="module")
def first(starter, tmp_path_factory) -> Path:
    """A published first version. Read only."""
    out = tmp_path_factory.mktemp("first") / "corpus"
    build_here(RECIPE, starter, out)
    return out


@pytest.fixture(scope="module")
def second(first, starter, tmp_path_factory) -> Path:
    """The first version and an append, which was killed after its first shard and gone on with. Read only."""
    out = tmp_path_factory.mktemp("second") / "corpus"
    shutil.copytree(first, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "build_corpus", functools.partial(build_here, shards=1))
        with pytest.raises(KeyboardInterrupt):
            renew(RECIPE, starter, out, mode="append")
        assert read_manifest(out) == read_manifest(first)
        assert shards(out) == shards(first)
        patch.setattr(versions, "build_corpus", build_here)
        renew(RECIPE, starter, out, mode="append")
    return out


@pytest.fixture
def corpus(second, tmp_path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(second, tmp_path / "corpus"))


def shards(corpus: Path) -> dict[str, str]:
    manifest = read_manifest(corpus)
    return {s["path"]: s["sha256"] for split in manifest["splits"].values() for s in split["shards"]}


def ids(corpus: Path) -> list[str]:
    return [
        row["id"] for path in shard_paths(read_manifest(corpus)) for row in iter_rows(corpus / path, columns=["id"])
    ]


def rules(corpus: Path, library: Path | None = None) -> dict:
    return validate_corpus(corpus, library=library).by_rule()


def test_an_append_keeps_the_old_shards_and_repeats_nothing(first, second, starter):
    before, after = shards(first), shards(second)
    assert before.items() <= after.items()
    assert {path.rsplit("/", 1)[0] for path in after.keys() - before.keys()} == {"data/v0002"}
    manifest = read_manifest(second)
    assert manifest["version"] == 2
    assert [(e["version"], e["mode"]) for e in manifest["history"]] == [(1, "build"), (2, "append")]
    assert manifest["rows"] == len(set(ids(second))) == read_manifest(first)["rows"] * 2
    # Identity, splits of clips, counts and every label over both versions, and every stem.
    assert rules(second, starter) == {}
    assert not (second / ".state/next").exists()


def test_an_append_is_the_same_undisturbed(first, second, starter, tmp_path):
    out = Path(shutil.copytree(first, tmp_path / "corpus"))
    renew(RECIPE, starter, out, mode="append")
    assert shards(out) == shards(second)
    assert read_manifest(out) == read_manifest(second)


def test_a_union_does_not_need_resume_markers(corpus, second):
    shutil.rmtree(corpus / ".state")
    published = read_manifest(corpus)
    counted = list(shard_versions.reports_of(corpus, published))
    marked = list(shard_versions.reports_of(second, published))
    for one, other in zip(counted, marked, strict=True):
        assert one.file == other.file
        assert (one.histograms, one.licences, one.spread) == (other.histograms, other.licences, other.spread)
        assert one.realised["clips"] == other.realised["clips"]
        # Levels are stored in single precision.
        for name, (counts, total, *_) in one.realised["histograms"].items():
            assert counts == other.realised["histograms"][name][0]
            assert total == pytest.approx(other.realised["histograms"][name][1])


def test_the_card_tells_the_versions_apart_and_datasets_reads_both(second, tmp_path):
    datasets = pytest.importorskip("datasets")
    card = (second / "README.md").read_text(encoding="utf-8")
    assert "## Versions" in card
    assert "| 2 | append |" in card
    train = datasets.load_dataset(str(second), split="train", cache_dir=str(tmp_path))
    assert sorted(train["id"]) == sorted(i for i in ids(second) if "-train-" in i)


def test_a_plain_build_leaves_later_versions_alone(corpus, starter):
    from flows.build_corpus import build_corpus

    before = read_manifest(corpus)
    assert build_corpus(RECIPE, starter, corpus).manifest == before
    with pytest.raises(StaleIdentity, match="recipe_sha256"):
        build_corpus(RECIPE.model_copy(update={"seed": 9}), starter, corpus)
    assert read_manifest(corpus) == before


def test_an_append_with_another_recipe_is_refused(corpus, starter):
    before = shards(corpus)
    with pytest.raises(StaleIdentity, match="append needs the same"):
        renew(RECIPE.model_copy(update={"seed": 9}), starter, corpus, mode="append")
    assert shards(corpus) == before


def test_a_failed_gate_publishes_nothing(corpus, second, starter):
    gated = RECIPE.model_copy(update={"gates": RECIPE.gates.model_copy(update={"max_seam_jump": 1e-3})})
    for _ in range(2):
        with pytest.raises(GateFailed, match="gate-seams"):
            renew(gated, starter, corpus, mode="refresh")
        assert read_manifest(corpus) == read_manifest(second)
        assert rules(corpus) == {}
    with pytest.raises(StaleIdentity, match="delete"):
        renew(RECIPE.model_copy(update={"seed": 9}), starter, corpus, mode="refresh")


def test_a_refresh_replaces_all_and_a_crash_at_any_moment_loses_nothing(corpus, starter, monkeypatch):
    other = RECIPE.model_copy(update={"seed": 9})
    whole = {path.name for path in corpus.iterdir()}
    before = read_manifest(corpus)

    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    for step in ("_place", "write_card", "clear"):
        with monkeypatch.context() as patch:
            patch.setattr(shard_versions, step, killed)
            with pytest.raises(Killed):
                renew(other, starter, corpus, mode="refresh")
        # Whatever the manifest says is there, old or new.
        for path in shard_paths(read_manifest(corpus)):
            assert (corpus / path).is_file()
        if step != "clear":
            assert read_manifest(corpus) == before
    renewed = renew(other, starter, corpus, mode="refresh").manifest
    assert renewed["version"] == 3
    assert {path.split("/")[1] for path in shards(corpus)} == {"v0003"}
    assert rules(corpus, starter) == {}
    assert {path.name for path in corpus.iterdir()} == whole
    fresh = corpus.parent / "fresh"
    build_here(other, starter, fresh)
    assert list(shards(corpus).values()) == list(shards(fresh).values())
    assert renew(other, starter, corpus, mode="refresh").manifest == renewed


def test_a_kill_while_the_built_version_is_cleared_away_repeats_no_row(corpus, starter, monkeypatch):
    class Killed(BaseException):
        pass

    def cut_off(folder):
        if folder.name == "next":
            for name in ("manifest.json", ".state/identity.json"):
                (folder / name).unlink(missing_ok=True)
            raise Killed
        delete_below(folder)

    with monkeypatch.context() as patch:
        patch.setattr(shard_versions, "delete_below", cut_off)
        with pytest.raises(Killed):
            renew(RECIPE, starter, corpus, mode="append")
    assert renew(RECIPE, starter, corpus, mode="append").manifest["version"] == 4
    assert len(set(ids(corpus))) == len(ids(corpus))
    assert rules(corpus) == {}


def test_what_is_cleared_away_is_ours(corpus, second):
    (corpus / "data/notes.json").write_text("somebody's own")
    for ours in ("data/v0009/train-00000-of-00001.parquet", ".state/shards/v0009/train-00000-of-00001.json"):
        (corpus / ours).parent.mkdir()
        (corpus / ours).touch()
    shard_versions.clear(corpus)
    left = {path.relative_to(corpus).as_posix() for path in (corpus / "data").rglob("*") if path.is_file()}
    assert left == {*shards(second), "data/notes.json"}
    assert not list((corpus / ".state/shards/v0009").iterdir())


def marks(corpus: Path, **by_id: str) -> Path:
    manifest = read_manifest(corpus)
    about = {"recipe_sha256": manifest["recipe_sha256"], "library_sha256": manifest["identity"]["library_sha256"]}
    content = {"version": 1, "corpus": about, "marks": [{"id": i, "mark": m} for i, m in by_id.items()]}
    path = corpus.parent / "marks.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_marked_rows_leave_with_their_pairs(corpus, second):
    rows = [r for p in shard_paths(read_manifest(second)) for r in iter_rows(second / p, columns=["id", "pair_id"])]
    bad = next(row for row in rows if row["pair_id"])
    gone = {row["id"] for row in rows if row["pair_id"] == bad["pair_id"]}
    good = next(row["id"] for row in rows if row["id"] not in gone)
    manifest = without(corpus, RECIPE, marks(corpus, **{bad["id"]: "bad", good: "good"})).manifest
    assert len(gone) == 2
    assert set(ids(corpus)) == set(ids(second)) - gone
    assert manifest["version"] == 3
    assert manifest["history"][-1]["changes"]["totals"]["rows"] == [len(rows), len(rows) - 2]
    assert rules(corpus) == {}
    kept = shards(corpus).items() & shards(second).items()
    assert len(kept) >= len(shards(second)) - 1


def test_rows_of_shards_that_share_a_name_leave_too_and_a_kill_leaves_nothing_behind(corpus, second, monkeypatch):
    by_name: dict[str, list[list[str]]] = {}
    for path in shard_paths(read_manifest(second)):
        rows = [row["id"] for row in iter_rows(second / path, columns=["id", "pair_id"]) if not row["pair_id"]]
        by_name.setdefault(Path(path).name, []).append(rows)
    bad = next([one[0], other[0]] for one, other in by_name.values() if one and other)

    def killed(_: Path) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(shard_versions, "clear", killed)
        with pytest.raises(InterruptedError):
            without(corpus, RECIPE, marks(corpus, **dict.fromkeys(bad, "bad")))
    assert set(ids(corpus)) == set(ids(second)) - set(bad)
    assert "shards-listed" in rules(corpus)
    with pytest.raises(BadInput, match="no row"):
        without(corpus, RECIPE, marks(corpus, **dict.fromkeys(bad, "bad")))
    assert rules(corpus) == {}


def test_marks_of_another_corpus_or_in_disorder_are_refused(corpus, second):
    table = corpus.parent / "marks.csv"
    table.write_text("id,mark,reason\nnobody,bad,noise\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no row 'nobody'"):
        without(corpus, RECIPE, table)
    table.write_text("id,mark,reason\nnobody,awful,\n", encoding="utf-8")
    with pytest.raises(BadInput, match="awful"):
        without(corpus, RECIPE, table)
    path = marks(corpus, somebody="good")
    with pytest.raises(BadInput, match="call no row bad"):
        without(corpus, RECIPE, path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(read_manifest(corpus)["recipe_sha256"], "0" * 64), encoding="utf-8")
    with pytest.raises(BadInput, match="made for it"):
        without(corpus, RECIPE, path)
    assert shards(corpus) == shards(second)


def test_corpora_of_two_recipes_are_one_that_still_proves_every_label(second, starter, tmp_path):
    other_recipe = RECIPE.model_copy(
        update={"name": "other", "seed": 5, "timing": RECIPE.timing.model_copy(update={"gap_s": Const(value=0.5)})}
    )
    other = tmp_path / "other"
    build_here(other_recipe, starter, other)
    whole = tmp_path / "whole"
    manifest = merge([second, other], whole)
    assert sorted(ids(whole)) == sorted(ids(second) + ids(other))
    assert sorted(shards(whole).values()) == sorted([*shards(second).values(), *shards(other).values()])
    assert rules(whole, starter) == {}
    assert manifest["recipes"].keys() == {read_manifest(other)["recipe_sha256"]}
    assert manifest["realised"] == read_manifest(second)["realised"]
    figures = dict(lines_of(changes(read_manifest(second), manifest)))
    assert figures["rows"] == (str(len(ids(second))), str(len(ids(whole))))
    # The whole grows like any other corpus.
    grown = renew(RECIPE, starter, whole, mode="append").manifest
    assert grown["version"] == 3
    assert rules(whole) == {}
    with pytest.raises(BadInput, match=r"is in .* and in"):
        merge([second, second], tmp_path / "twice")


def lines_of(found) -> list[tuple[str, tuple[str, str]]]:
    return [(what, (before, after)) for what, before, after in lines(found)]


def test_versions_cross_json_unchanged(second):
    text = (second / "manifest.json").read_text(encoding="utf-8")
    assert json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) == text
