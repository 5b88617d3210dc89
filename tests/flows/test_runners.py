"""Where shards are built, and what happens when a worker or the whole build is killed."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from flows import on_ray
from flows.build_corpus import build_corpus
from flows.on_ray import Runner, build_on_ray
from flows.shared_ledger import shared_ledger
from pipeline.corpus_build import Workplace
from pipeline.errors import BadInput, BudgetReached, MissingDependency, WorkerLost
from pipeline.shards.corpus import CorpusFolder
from schemas.language import Price
from schemas.recipe import Recipe
from tests.flows.commands import ROOT, run
from tests.flows.language_builds import MODEL, SMALL, build, data_of, recipe_for

RECIPE = SMALL | {"name": "runners", "streams": 6}


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return tmp_path / "recipe.yaml"


@pytest.fixture(scope="module")
def undisturbed(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "corpus"
    build(Recipe.model_validate(RECIPE), starter, out)
    return data_of(out)


def below(pid: int) -> Iterator[int]:
    """Processes that `pid` started, and those that they did."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    for child in (one for one, parent in pairs if parent == pid):
        yield child
        yield from below(child)


def kill_a_worker(corpus: Path, name: bytes) -> None:
    """Once a shard is there, kill one of our processes whose command line holds `name`."""
    while not list(corpus.glob(".state/shards/*.json")):
        time.sleep(0.02)
    for pid in below(os.getpid()):
        try:
            if name in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                return
        except (FileNotFoundError, ProcessLookupError):
            continue


@pytest.mark.slow
def test_a_shard_whose_ray_worker_was_killed_is_built_again(starter, tmp_path, undisturbed):
    pytest.importorskip("ray", reason="Ray is not installed; it comes with the extra ray")
    out = tmp_path / "corpus"
    threading.Thread(target=kill_a_worker, args=(out, b"ray::build-shard"), daemon=True).start()
    build_corpus(Recipe.model_validate(RECIPE), starter, out, workers=2, runner=Runner())
    assert data_of(out) == undisturbed


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray counts a GPU that is not there."""
    ray = pytest.importorskip("ray", reason="Ray is not installed; it comes with the extra ray")
    monkeypatch.setattr(ray, "init", functools.partial(ray.init, num_gpus=1))


@pytest.mark.slow
def test_the_gpu_makes_one_shards_sounds_while_another_shard_is_built_without_one(tmp_path, monkeypatch, one_gpu):
    def gpu() -> str:
        return os.environ.get("CUDA_VISIBLE_DEVICES", "")

    def generate(workplace: Workplace, name: str) -> dict[str, bytes]:
        # The only GPU is held until the first shard is there.
        while name == "b" and not (tmp_path / "a").exists():
            time.sleep(0.02)
        return {name: gpu().encode()}

    def build(workplace: Workplace, name: str, made: dict[str, bytes]) -> object:
        (tmp_path / name).write_text(f"{made[name].decode()} and {gpu()!r}")
        return SimpleNamespace(file=SimpleNamespace(rows=1), quarantined=())

    monkeypatch.setattr(on_ray, "generate_shard", generate)
    monkeypatch.setattr(on_ray, "build_shard", build)
    build_on_ray(Workplace(tmp_path, tmp_path), ["a", "b"], workers=1, runner=Runner(gpus=1))
    assert {name: (tmp_path / name).read_text() for name in "ab"} == dict.fromkeys("ab", "0 and ''")


@pytest.mark.slow
def test_shards_whose_sounds_a_gpu_makes_are_the_same(starter, tmp_path, one_gpu, undisturbed):
    out = tmp_path / "corpus"
    build_corpus(Recipe.model_validate(RECIPE), starter, out, workers=2, runner=Runner(gpus=0.5))
    assert data_of(out) == undisturbed


@pytest.mark.slow
def test_a_model_that_fails_on_the_gpu_ends_the_build_with_its_own_error(tmp_path, monkeypatch, one_gpu):
    def generate(workplace: Workplace, name: str) -> dict[str, bytes]:
        raise BadInput("no such model")

    monkeypatch.setattr(on_ray, "generate_shard", generate)
    with pytest.raises(BadInput, match="no such model"):
        build_on_ray(Workplace(tmp_path, tmp_path), ["a", "b"], workers=1, runner=Runner(gpus=1))


@pytest.mark.slow
def test_workers_of_all_machines_share_a_budget(tmp_path, monkeypatch):
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed; it comes with the extra ray")
    price = Price(input_per_mtok=1e6, output_per_mtok=1e6)

    def build(workplace: Workplace, name: str, made: None) -> object:
        import ray

        crew = workplace.crew(recipe)
        assert crew.bridge is not None
        request = {"key": name, "role": "auditor", "scene": name, "model": MODEL, "price": price}
        crew.bridge.ledger.reserve(**request, input_tokens=1, output_tokens=0)
        crew.bridge.close()
        (tmp_path / name).write_text(ray.get_runtime_context().get_node_id())
        time.sleep(2)  # So that the next one goes to the other machine.
        return SimpleNamespace(file=SimpleNamespace(rows=1), quarantined=())

    recipe = recipe_for("http://127.0.0.1:9/v1", tmp_path, planner={"budget": 2.5})
    workplace = Workplace.prepare(CorpusFolder(tmp_path / "corpus"), recipe, tmp_path)
    monkeypatch.setattr(on_ray, "build_shard", build)
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        with pytest.raises(BudgetReached, match=r"2.5 USD: 2 are spent"):
            build_on_ray(workplace, ["a", "b", "c"], workers=2, runner=Runner(cluster.address))
    finally:
        cluster.shutdown()
    assert len({path.read_text() for path in map(tmp_path.joinpath, "abc") if path.is_file()}) == 2
    spent = workplace.spending(recipe)
    assert spent is not None
    assert (spent["total"]["requests"], spent["total"]["cost"]) == (2, 2.0)
    with pytest.raises(BadInput, match="auto"), shared_ledger(None, workplace, "ray://there:10001"):
        pass


@pytest.mark.slow
def test_a_killed_worker_process_ends_the_build_which_goes_on_when_run_again(starter, tmp_path, undisturbed):
    out, recipe = tmp_path / "corpus", Recipe.model_validate(RECIPE)

    def kill() -> None:
        while not list(out.glob(".state/shards/*.json")):
            time.sleep(0.02)
        multiprocessing.active_children()[0].kill()

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(WorkerLost, match="again to resume"):
        build_corpus(recipe, starter, out, workers=1)
    assert not (out / "manifest.json").exists()
    build_corpus(recipe, starter, out, workers=1)
    assert data_of(out) == undisturbed


@pytest.mark.slow
def test_nothing_outlives_a_killed_build(starter, tmp_path, recipe_file):
    out = tmp_path / "corpus"
    command = [sys.executable, "-c", "from flows.cli import main; main()", "build", recipe_file, "--library", starter]
    process = subprocess.Popen([*map(str, command), "--out", str(out)], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list(out.glob(".state/shards/*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    started = list(below(process.pid))
    process.kill()
    process.wait()
    assert any(started)
    while left := [pid for pid in started if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules that have our names and those of what we use."""
    folder = tmp_path / "work"
    for name in ("flows", "pipeline"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('somebody else’s')")
    (folder / "pandas.py").write_text("raise SystemExit('somebody else’s')")
    monkeypatch.chdir(folder)
    return folder


def test_modules_in_the_working_folder_are_left_alone(starter, tmp_path, recipe_file, working_folder):
    command = [
        Path(sys.executable).with_name("streamaudio"),
        "build",
        recipe_file,
        "--library",
        starter,
        "--limit",
        "2",
    ]
    built = subprocess.run([*command, "--out", tmp_path / "corpus"], cwd=working_folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "corpus/manifest.json").is_file()


def test_where_ray_would_take_them_for_ours_it_is_refused(tmp_path, working_folder):
    with pytest.raises(BadInput, match=r"package 'flows'.*another folder"):
        build_on_ray(Workplace(tmp_path, tmp_path), ["a"], workers=1, runner=Runner())


def test_without_ray_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match=r"streamaudio-builder\[ray\]"):
        build_on_ray(Workplace(tmp_path, tmp_path), ["a"], workers=1, runner=Runner())


@pytest.mark.parametrize("option", [("--address", "auto"), ("--gpus", "0.5")])
def test_what_is_of_ray_needs_ray(capsys, monkeypatch, recipe_file, tmp_path, option):
    result = run(capsys, monkeypatch, "build", recipe_file, "--out", tmp_path / "corpus", *option)
    assert result.status == 2
    assert "--runner ray" in result.err


@pytest.mark.parametrize("gpus", ["1.5", "0.33333"])
def test_a_share_that_ray_does_not_give_is_refused_before_anything_is_planned(
    capsys, monkeypatch, recipe_file, tmp_path, gpus
):
    out = tmp_path / "corpus"
    result = run(capsys, monkeypatch, "build", recipe_file, "--out", out, "--runner", "ray", "--gpus", gpus)
    assert (result.status, f"--gpus {gpus}" in result.err, out.exists()) == (2, True, False)


def test_gpus_that_no_one_machine_has_are_refused():
    machine = {"Alive": True, "Resources": {"GPU": 1.0}}
    gone = {"Alive": False, "Resources": {"GPU": 2.0}}
    ray = SimpleNamespace(nodes=lambda: [machine, machine, gone])
    on_ray._check_gpus(ray, 1.0)
    with pytest.raises(BadInput, match=r"--gpus 2.0: no machine"):
        on_ray._check_gpus(ray, 2.0)


STARTS = """
import signal, sys, time
from flows.prefect_api import start_ahead

signal.signal(signal.SIGINT, lambda *_: sys.exit())
start_ahead()
print(flush=True)
time.sleep(60)
"""


def test_a_ctrl_c_while_the_server_starts_is_no_traceback():
    command = [sys.executable, "-c", STARTS]
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1.5)  # It imports for several seconds.
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, b"")


@pytest.mark.parametrize("mode", ["new", "append"])
def test_an_output_that_is_a_file_is_said_to_be_one(capsys, monkeypatch, recipe_file, starter, mode):
    arguments = ("--library", starter, "--out", recipe_file, "--mode", mode)
    result = run(capsys, monkeypatch, "build", recipe_file, *arguments)
    assert (result.status, "is a file; name a folder" in result.err) == (2, True)


def test_an_output_that_cannot_be_written_is_one_line(capsys, monkeypatch, recipe_file, starter):
    result = run(capsys, monkeypatch, "build", recipe_file, "--library", starter, "--out", "/proc/corpus")
    assert result.status == 2
    assert "/proc/corpus" in result.err
    assert "Traceback" not in result.err
