"""What a terminal shows: the live view, and plain lines where there is none."""

import dataclasses
import io

import pytest
from rich.console import Console
from rich.text import Text

from terrasweep.results.comparison import compare
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.terminal import SweepProgress, front_table, plain_console

OBJECTIVES = [Objective(name="accuracy", direction="maximize"), Objective(name="peak_memory_mib", direction="minimize")]


def trial(number, accuracy, memory, wall=10.0):
    measured = Measurements(accuracy=accuracy, peak_memory_mib=memory, wall_seconds=wall)
    return TrialResult(
        number=number, state=State.COMPLETE, measurements=measured, searched={"quantization": "nf4", "tuning.rank": 4}
    )


FAILED = TrialResult(number=2, state=State.INFEASIBLE, reason=Reason.TIMEOUT, message="budget.timeout_s=1: it ran on")


def shown(terminal):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, highlight=False)
    with SweepProgress("mine", 10, OBJECTIVES, console) as progress:
        results = []
        for result in (trial(0, 0.5, 200.0), trial(1, 0.25, 100.0), FAILED):
            results.append(result)
            progress.started({"quantization": "int8"})
            progress.finished(results, front_size=2, last=result)
        if terminal:
            console.print(progress._view())
    return out.getvalue()


def test_without_a_terminal_each_trial_is_one_plain_line():
    lines = shown(terminal=False).splitlines()
    assert lines == [
        "[1/10] trial 0  complete  accuracy=0.5  peak_memory_mib=200 MiB  (quantization=nf4 tuning.rank=4)",
        "[2/10] trial 1  complete  accuracy=0.25  peak_memory_mib=100 MiB  (quantization=nf4 tuning.rank=4)",
        "[3/10] trial 2  infeasible: timeout  budget.timeout_s=1: it ran on  ()",
    ]


def test_a_trial_s_line_tells_what_the_search_expected_of_it():
    expected = {"accuracy": [0.5, 0.48, 0.52], "peak_memory_mib": [200.0, 200.0, 200.0]}
    proposed = {"as": "training", "promise": 0.01, "seconds": 9.0, "expected": expected}
    result = dataclasses.replace(trial(0, 0.5, 200.0), proposed=proposed)
    out = io.StringIO()
    with SweepProgress("mine", 1, OBJECTIVES, Console(file=out, width=200, highlight=False)) as progress:
        progress.finished([result], front_size=1, last=result)
    assert out.getvalue().endswith("tuning.rank=4)  expected accuracy=0.5 ± 0.020 peak_memory_mib=200 MiB\n")


def test_what_the_next_hour_promises_is_told_as_a_share_of_what_is_had():
    out = io.StringIO()
    proposed = {"as": "training", "hypervolume": 0.5, "left": 0.1, "next_hour": 0.01}
    result = dataclasses.replace(trial(0, 0.5, 200.0), proposed=proposed)
    console = Console(file=out, width=200, highlight=False)
    with SweepProgress("mine", 2, OBJECTIVES, console) as progress:
        progress.finished([result], front_size=1, last=result)
        assert out.getvalue().endswith("tuning.rank=4)  next hour promises 2.0 % more hypervolume\n")
        progress.started({"quantization": "int8"}, {**proposed, "next_hour": 0.02})
        console.print(progress._view())
    assert "next hour promises 4.0 % more hypervolume" in out.getvalue()


def test_a_message_is_never_cut_before_its_way_out():
    out = io.StringIO()
    message = "backbone.pretrained=true: its files can't be had " + "(the Hub is away) " * 20 + "; use random weights"
    failed = TrialResult(number=0, state=State.FAILED, reason=Reason.INVALID_CONFIG, message=message)
    with SweepProgress("mine", 10, OBJECTIVES, Console(file=out, width=80, highlight=False)) as progress:
        progress.finished([failed], front_size=0, last=failed)
    assert message in out.getvalue()


def test_a_terminal_sees_counts_time_left_states_front_and_the_best():
    text = shown(terminal=True)
    for part in ("3/10", "about 00:00:46 left", "complete 2", "infeasible 1", "2 trials", "0.5 (trial 0)", "100 MiB"):
        assert part in text


def test_the_front_is_a_short_table():
    out = io.StringIO()
    Console(file=out, width=100).print(
        front_table(compare([trial(7, 0.5, 200.0)], OBJECTIVES), ["quantization", "tuning.rank"])
    )
    assert "quantization=nf4 tuning.rank=4" in out.getvalue()
    assert max(len(line.rstrip()) for line in out.getvalue().splitlines()) <= 80


def test_the_front_s_table_has_one_line_per_point_and_the_errors_that_are_known():
    first = dataclasses.replace(
        trial(0, 0.5, 200.0), quality_key="q", cost_key="c", probes=[{"peak_memory_mib": 202.0}]
    )
    twin = dataclasses.replace(first, number=1, probes=[])
    out = io.StringIO()
    Console(file=out, width=100).print(front_table(compare([first, twin], OBJECTIVES), []))
    (row,) = [line.split() for line in out.getvalue().splitlines() if "MiB" in line]
    assert row[:4] == ["0", "0.5", "200.7", "±"]


def test_what_a_user_names_is_plain_text_everywhere():
    named = "[attn.qkv] :dog: [/b]"
    result = dataclasses.replace(trial(7, 0.5, 200.0), searched={"tuning.targets": named})
    failed = dataclasses.replace(FAILED, message=f"{named} failed", searched={"tuning.targets": named})
    metric = [Objective(name="val_IoU_[b]", direction="maximize")]
    out = io.StringIO()
    for console in (Console(file=out, width=200, force_terminal=True), plain_console()):
        console.file, console.width = out, 200
        with SweepProgress(named, 10, metric, console) as progress:
            progress.started({"tuning.targets": named})
            console.print(progress._view())
            progress.finished([result, failed], 1, failed)
            progress.finished([result, failed], 1, result)
            progress.say(named)
            progress.show(front_table(compare([result], metric), ["tuning.targets"]))
    lines = [line for line in Text.from_ansi(out.getvalue()).plain.splitlines() if "dog" in line or "🐶" in line]
    assert len(lines) >= 2 * 6
    assert all(named in line for line in lines)
    assert "val IoU [b]" in out.getvalue() or "val_IoU_[b]" in out.getvalue()


def test_a_long_value_is_broken_and_never_cut():
    file = "/models/" + "deep/" * 20 + "epoch=2-step=20.ckpt"
    result = dataclasses.replace(trial(7, 0.5, 200.0), searched={"backbone.checkpoint": file})
    out = io.StringIO()
    Console(file=out, width=80).print(front_table(compare([result], OBJECTIVES), ["backbone.checkpoint"]))
    rows = out.getvalue().splitlines()
    start = next(row.index("settings") for row in rows if "settings" in row)
    assert f"backbone.checkpoint={file}" in "".join(row[start:].strip() for row in rows)


@pytest.mark.parametrize(
    ("wall", "left"),
    [(10.0, "about 00:01:10 left"), (3600.0, "about 07:00:00 left"), (14400.0, "about 1 day 04:00:00 left")],
)
def test_the_time_left_counts_days(wall, left):
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with SweepProgress("mine", 8, OBJECTIVES, console) as progress:
        result = trial(0, 0.5, 200.0, wall)
        progress.finished([result], 1, result)
        console.print(progress._view())
    assert left in out.getvalue()


def test_what_a_complete_trial_lacks_is_said():
    out = io.StringIO()
    result = dataclasses.replace(trial(0, 0.5, 200.0), message="its weights are not saved: OSError: disk full")
    with SweepProgress("mine", 10, OBJECTIVES, Console(file=out, width=100)) as progress:
        progress.finished([result], 1, result)
    assert out.getvalue().splitlines()[1:] == ["warning: trial 0: its weights are not saved: OSError: disk full"]


def test_of_hours_and_trials_the_one_that_ends_first_says_what_is_left():
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with SweepProgress("mine", 8, OBJECTIVES, console, hours=2) as progress:
        result = trial(0, 0.5, 200.0, 3600.0)
        for searched, left in ((1800, "about 01:30:00 left"), (9000, "about 00:00:00 left")):
            progress.searched(searched)
            progress.finished([result], 1, result)
            console.print(progress._view())
            assert left in out.getvalue()
    assert "0.50 of 2 h" in out.getvalue()
    assert "2.50 of 2 h" in out.getvalue()
