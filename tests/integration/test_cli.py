"""The ``terrasweep`` command on a study that is there."""

import dataclasses

import pytest
import yaml

from terrasweep.machine.files import write_atomically
from tests.conftest import run_terrasweep
from tests.unit.report.sample_study import study


@pytest.fixture
def command(home):
    record, results = study()
    folder = home / "results" / record.name
    write_atomically(folder / "study.json", record.to_json())
    for result in results:
        write_atomically(folder / "trials" / str(result.number) / "result.json", result.to_json())

    def run(*arguments):
        return run_terrasweep(home, *arguments)

    run.folder, run.results = folder, results
    return run


def test_report_writes_everything_again_from_what_is_stored(command):
    finished = command("report", command.folder.name)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == str(command.folder / "report.html")
    rows = (command.folder / "trials.csv").read_text().splitlines()
    assert len(rows) == 1 + len(command.results)


def test_recommend_gives_the_most_accurate_within_the_limits(command):
    def peak(result):
        return max(result.measurements["peak_memory_mib"], result.measurements["peak_build_mib"] or 0)

    complete = [r for r in command.results if r.state == "complete"]
    limit_mib = sorted(map(peak, complete))[len(complete) // 2]
    best = max((r for r in complete if peak(r) <= limit_mib), key=lambda r: r.measurements["accuracy"])
    assert best.measurements["accuracy"] < max(r.measurements["accuracy"] for r in complete), (
        "the limit excludes something"
    )
    finished = command("recommend", command.folder.name, "--memory-gib", repr(limit_mib / 1024))
    assert finished.returncode == 0, finished.stderr
    chosen = yaml.safe_load(finished.stdout)
    assert chosen.pop("defaults") == ["base", "_self_"]
    assert chosen == {key: value for key, value in best.config.items() if key != "trial"}


def test_what_can_not_be_answered_is_one_line_and_status_2(command):
    for arguments, told in (
        (["report", "prithvi-flods"], f"did you mean {command.folder.name}?"),
        (["recommend", command.folder.name, "--memory-gib", "0.0001"], "loosen one of them"),
        (["ui", "--uri", "sqlite:////nowhere/x.db"], "can't be written"),
    ):
        finished = command(*arguments)
        assert finished.returncode == 2, finished.stdout
        assert told in finished.stderr
        assert len(finished.stderr.strip().splitlines()) == 1


def test_recommend_says_where_memory_was_measured_on_a_cpu(command):
    limited = ["recommend", command.folder.name, "--memory-gib"]
    rich, poor = (command(*limited, limit) for limit in ("1000", "0.0001"))
    chosen = next(result for result in command.results if f"rial {result.number} of" in rich.stdout)
    (line,) = rich.stderr.splitlines()
    assert line.startswith(f"warning: measured on {chosen.device}; memory on a GPU differs")
    assert "memory on a GPU differs" in poor.stderr
    assert command("recommend", command.folder.name).stderr == "", "nobody asked for a limit of memory"


def test_recommend_trusts_what_was_measured_on_a_gpu(command):
    for result in command.results:
        measured = result.measurements | {"peak_allocated_mib": 1.0}
        on_gpu = dataclasses.replace(result, measurements=measured, device="NVIDIA A10")
        write_atomically(command.folder / "trials" / str(result.number) / "result.json", on_gpu.to_json())
    assert command("recommend", command.folder.name, "--memory-gib", "1000").stderr == ""
