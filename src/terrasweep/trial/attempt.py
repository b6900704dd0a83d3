"""Who may write a trial's result: one attempt at a time, and whoever comes late writes beside it.

A worker can outlive the sweep that started it, and a sweep can be taken for dead while it is not. So each trial's
folder names the attempt that the trial is given to, until its result is settled; every write asks for it first, under
a lock.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from terrasweep.machine.files import write_atomically
from terrasweep.machine.locks import locked
from terrasweep.results.extra_trainings import UNSETTLED
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult

RESULT = "result.json"
_ATTEMPT = UNSETTLED
_LOCK = ".results.lock"


def locked_results(trials: Path) -> AbstractContextManager[None]:
    """Hold the lock under which the results of a study's trials are written."""
    return locked(trials / _LOCK)


def hand_out(folder: Path, attempt: str) -> bool:
    """Give a new trial to an attempt; False where its folder holds a result already, which is another trial's."""
    with locked_results(folder.parent):
        if (folder / RESULT).exists():
            return False
        write_atomically(folder / _ATTEMPT, attempt)
        return True


def take_over(folder: Path, attempt: str) -> None:
    """Give a trial to an attempt, whoever had it before; what that one writes from now on is late."""
    with locked_results(folder.parent):
        write_atomically(folder / _ATTEMPT, attempt)


def owns(folder: Path, attempt: str) -> bool:
    """Whether a trial is given to this attempt, and not settled."""
    return _given_to(folder) == attempt


def is_settled(folder: Path) -> bool:
    """Whether a trial's result is final: nobody may write it any more."""
    return not (folder / _ATTEMPT).exists()


def write_result(folder: Path, result: TrialResult, attempt: str | None, *, is_final: bool = False) -> bool:
    """Write a trial's result where the attempt still owns it, else keep it beside and say so in one line.

    Args:
        folder: The trial's folder.
        result: What it came to.
        attempt: The attempt that it was measured in; None for a trial that belongs to no study.
        is_final: Whether this is the last word; the trial then is nobody's.

    Returns:
        Whether it is the trial's result now.
    """
    if attempt is None:
        write_atomically(folder / RESULT, result.to_json())
        return True
    with locked_results(folder.parent):
        if owns(folder, attempt):
            _keep_unreadable(folder, attempt)
            write_atomically(folder / RESULT, result.to_json())
            if is_final:
                (folder / _ATTEMPT).unlink()
            return True
    _keep_late(folder, result, attempt)
    return False


def put_back(folder: Path, result: TrialResult) -> None:
    """Write a settled trial's result that was lost; one that is there stays."""
    with locked_results(folder.parent):
        if not (folder / RESULT).exists():
            write_atomically(folder / RESULT, result.to_json())
            (folder / _ATTEMPT).unlink(missing_ok=True)


def _keep_late(folder: Path, result: TrialResult, attempt: str) -> None:
    """Only what was measured is worth keeping."""
    kept = ""
    if result.state is not State.FAILED:
        file = folder / f"result.late-{attempt}.json"
        write_atomically(file, result.to_json())
        kept = f"; its result is kept in {file}"
    kind = "trial" if folder.name.isdigit() else folder.parent.name
    print(
        f"warning: {kind} {folder.name} was ended by another process before this one was done with it{kept} "
        "and does not count",
        file=sys.stderr,
    )


def _keep_unreadable(folder: Path, attempt: str) -> None:
    """What stands there and can't be read is nothing to write over."""
    try:
        TrialResult.from_json((folder / RESULT).read_text())
    except FileNotFoundError:
        return
    except ValueError:
        (folder / RESULT).replace(folder / f"result.unreadable-{attempt}.json")


def _given_to(folder: Path) -> str:
    try:
        return (folder / _ATTEMPT).read_text()
    except FileNotFoundError:
        return ""
