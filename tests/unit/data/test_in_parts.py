"""Long work gives the same whatever does it, and a killed one goes on where it was."""

import os
import signal

import pytest

from terrasweep.data.in_parts import InParts, processes_here
from terrasweep.results.errors import HostOutOfMemory


def squares(numbers):
    return [number**2 for number in numbers]


def flat(parts):
    return [number for part in parts for number in part]


@pytest.mark.parametrize("processes", [1, 3])
def test_results_come_in_order_from_any_number_of_processes(processes):
    told = []
    parts = InParts(processes=processes, tell=lambda *news: told.append(news))
    assert flat(parts.over("Squaring", range(100), squares, size=7)) == squares(range(100))
    assert told[0] == ("Squaring", 7, 100)
    assert told[-1] == ("Squaring", 100, 100)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_processes_work_beside_each_other():
    asked = flat(InParts(processes=2).over("Asking", range(8), lambda some: [os.getpid()] * len(some), size=1))
    assert os.getpid() not in asked


@pytest.mark.parametrize("processes", [1, 2])
def test_a_broken_off_work_goes_on(tmp_path, processes):
    worked = tmp_path / "worked"

    def work(numbers, broken):
        with worked.open("a") as log:
            log.write("".join(f"{number}\n" for number in numbers))
        if 50 in numbers and broken:
            raise KeyboardInterrupt if processes == 1 else ValueError
        return squares(numbers)

    parts = InParts(folder=tmp_path / "kept", processes=processes)
    with pytest.raises((KeyboardInterrupt, ValueError)):
        parts.over("Squaring", range(100), lambda some: work(some, True), size=10)
    worked.unlink()
    told = []
    again = InParts(folder=tmp_path / "kept", processes=processes, tell=lambda *news: told.append(news))
    assert flat(again.over("Squaring", range(100), lambda some: work(some, False), size=10)) == squares(range(100))
    assert sorted(map(int, worked.read_text().split())) == list(range(50, 100))
    assert told[0][1] == 60
    again.forget()
    assert not (tmp_path / "kept").exists()


def test_other_things_and_half_written_parts_are_worked_on_anew(tmp_path):
    parts = InParts(folder=tmp_path)
    parts.over("Squaring", range(10), squares, size=5)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-3])
    assert flat(parts.over("Squaring", range(10), squares, size=5)) == squares(range(10))
    assert flat(parts.over("Squaring", range(1, 11), squares, size=5)) == squares(range(1, 11))
    assert flat(parts.over("Negating", range(10), lambda some: [-n for n in some], size=5)) == [-n for n in range(10)]


def test_what_a_killed_process_leaves_is_done_by_this_one():
    parent = os.getpid()

    def work(numbers):
        if 5 in numbers and os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return squares(numbers)

    assert flat(InParts(processes=2).over("Squaring", range(20), work, size=2)) == squares(range(20))


def test_errors_of_other_processes_arrive_as_they_are():
    def work(numbers):
        raise HostOutOfMemory("it grew", violation=0.5)

    with pytest.raises(HostOutOfMemory, match="it grew") as raised:
        InParts(processes=2).over("Squaring", range(20), work, size=2)
    assert raised.value.violation == 0.5


def test_there_are_as_many_processes_as_cores():
    assert 1 <= processes_here() <= len(os.sched_getaffinity(0))
