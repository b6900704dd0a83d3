"""A lock keeps others out, also other processes, and goes with whoever holds it."""

import subprocess
import sys
import textwrap

import pytest

from terrasweep.machine.locks import Lease, locked, present

HOLD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from terrasweep.machine.locks import Lease, locked, present
    path = Path(sys.argv[2])
    with {"locked": locked, "present": present}[sys.argv[1]](path):
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


def test_of_those_present_nobody_is_alone_until_the_others_have_gone(tmp_path, other):
    holder = other("present", tmp_path / ".lock")
    with present(tmp_path / ".lock") as alone:
        assert not alone()
        holder.kill()
        holder.wait()
        assert alone()
        assert not Lease(tmp_path / ".lock").take(), "and nobody comes until the block ends"
