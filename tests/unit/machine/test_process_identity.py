"""Whether a process still lives, whatever happens to clocks, names and machines."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from terrasweep.machine import process_identity
from terrasweep.machine.process_identity import host_of, is_alive, liveness, short_name, this_process

NAME_YOURSELF = (
    "from terrasweep.machine.process_identity import this_process; print(this_process(), flush=True); input()"
)


@pytest.fixture
def other():
    """Another process, and its name."""
    process = subprocess.Popen(
        [sys.executable, "-c", NAME_YOURSELF], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate()


def test_a_process_lives_until_it_ends_a_zombie_does_not(other):
    process, name = other
    assert liveness(name) is liveness(this_process()) is liveness(short_name()) is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert liveness(name) is False
    process.wait()
    assert liveness(name) is False


def test_a_clock_that_is_set_changes_nothing(other, monkeypatch):
    _, name = other
    created = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created(self) - 3600)
    assert liveness(name) is True
    assert this_process().split("@")[0] == short_name()


def test_a_host_that_is_renamed_still_knows_its_processes(other, monkeypatch):
    process, name = other
    monkeypatch.setattr(process_identity.socket, "gethostname", lambda: "renamed")
    assert liveness(name) is True
    process.kill()
    process.wait()
    assert liveness(name) is False


def test_what_ran_before_a_reboot_is_gone_and_what_runs_elsewhere_can_t_be_known():
    place, boot, pid, ticks = short_name().split("-")
    assert liveness(f"{place}-{'0' * 8}-{pid}-{ticks}@here") is False
    elsewhere = f"{'0' * 8}-{boot}-{pid}-{ticks}@node7"
    assert liveness(elsewhere) is None
    assert is_alive(elsewhere)
    assert host_of(elsewhere) == "node7"


def test_two_containers_of_one_machine_don_t_judge_each_other(monkeypatch):
    process_identity._place.cache_clear()
    here = process_identity._place()
    monkeypatch.setattr(process_identity, "_INITIAL_PID_NAMESPACE", 1)
    process_identity._place.cache_clear()
    one = process_identity._place()
    monkeypatch.setattr(process_identity.socket, "gethostname", lambda: "another")
    process_identity._place.cache_clear()
    assert len({here, one, process_identity._place()}) == 3
    monkeypatch.undo()
    process_identity._place.cache_clear()


def test_names_of_versions_before_are_read():
    host, created = process_identity.socket.gethostname(), psutil.Process().create_time()
    assert liveness(f"{host}:{os.getpid()}:{created:.2f}") is True
    assert liveness(f"{host}:{os.getpid()}:{created - 5:.2f}") is False
    assert liveness(f"{host}:4194000:1.00") is False
    assert liveness("elsewhere:1:1.00") is None
    assert liveness("") is False
    assert liveness("no name of ours") is None


def test_where_the_kernel_has_no_namespaces_a_host_s_name_tells_places_apart(monkeypatch, tmp_path):
    """The namespace of pids has no file there; a file elsewhere that is absent stands for it."""
    places = []
    monkeypatch.setattr(
        process_identity,
        "Path",
        lambda name: tmp_path / "absent" if str(name).startswith("/proc/self/ns") else Path(name),
    )
    for host in ("one", "another", "one"):
        monkeypatch.setattr(process_identity.socket, "gethostname", lambda host=host: host)
        process_identity._place.cache_clear()
        places.append(process_identity._place())
    monkeypatch.undo()
    process_identity._place.cache_clear()
    assert places[0] == places[2] != places[1]
