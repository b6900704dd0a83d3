"""A lock keeps others out, also other processes, and goes with whoever holds it."""

import contextlib
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from terrasweep.machine.locks import Lease, is_held, locked, locked_in_own_folder

HOLD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from terrasweep.machine.locks import Lease, locked, locked_in_own_folder
    path = Path(sys.argv[2])
    with {"locked": locked, "locked_in_own_folder": locked_in_own_folder}[sys.argv[1]](path):
        print("held", flush=True)
        sys.stdin.read()
    """
)


@pytest.fixture
def other(tmp_path):
    """Another process that holds a lock until it is killed."""
    started = []

    def hold(kind, path):
        command = [sys.executable, "-c", HOLD, kind, str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_is_free_again_after_its_block_and_makes_its_folder(tmp_path):
    path = tmp_path / "new" / ".lock"
    for _ in range(2):
        with locked(path):
            assert not Lease(path).take()
    assert Lease(path).take()


def test_a_lock_goes_with_the_process_that_held_it(tmp_path, other):
    holder = other("locked", tmp_path / ".lock")
    lease = Lease(tmp_path / ".lock")
    assert not lease.take()
    holder.kill()
    holder.wait()
    assert lease.take()


def test_a_lease_is_taken_once_and_given_back(tmp_path):
    first, second = Lease(tmp_path / ".lock"), Lease(tmp_path / ".lock")
    assert first.take()
    assert first.take(), "it is held already"
    assert not second.take()
    first.give_back()
    assert second.take()
    first.give_back()
    assert not first.take(), "what was given back once is another's"


def test_who_waits_for_a_folder_that_is_removed_makes_it_anew(tmp_path):
    """Two processes take the same new folder up; the first one finds bad input, and removes it."""
    path = tmp_path / "a" / "b" / ".lock"
    with locked_in_own_folder(path) as made:
        assert made == [tmp_path / "a" / "b", tmp_path / "a"]
        command = [sys.executable, "-c", HOLD, "locked_in_own_folder", str(path)]
        waiting = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while str(path) not in blocked_on(waiting.pid):
            assert waiting.poll() is None
        shutil.rmtree(tmp_path / "a")
    assert waiting.stdout.readline() == "held\n"
    assert not Lease(path).take(), "it holds the lock of the file that is there"
    waiting.communicate("")
    with locked_in_own_folder(path) as made:
        assert made == []


def blocked_on(pid):
    """The files that a process has open."""
    with contextlib.suppress(OSError):
        return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return []


def test_a_lease_is_held_from_its_taking_to_its_end_and_a_file_that_is_none_by_nobody(tmp_path):
    path, link = tmp_path / ".lock", tmp_path / "link"
    assert not is_held(path), "there is no such file"
    lease = Lease(path)
    assert lease.take()
    link.symlink_to(path)
    assert is_held(path)
    assert not is_held(link), "it may lead anywhere"
    lease.give_back()
    path.touch()
    assert not is_held(path)
