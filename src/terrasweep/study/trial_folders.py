"""The folders of a study's trials: what stands in them, and to which attempt each is given."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml

from terrasweep.machine.files import times_of_change, write_atomically
from terrasweep.measure.accuracy import TEST_ACCURACY
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.final_test import FinalTest
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import attempt as attempts
from terrasweep.trial.validations import forget

TEST = "test.json"
"""What the test split said of a trial; its ``result.json`` stays as the search knew it."""


class TrialFolders:
    """``results/<study>/trials``. What is on disk is the truth; this holds a copy of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, tuple[int, TrialResult]] = {}
        self._tested: dict[str, tuple[int, float | None]] = {}
        self._unreadable: set[Path] = set()

    def results(self) -> list[TrialResult]:
        """The settled trials, by number, with their test accuracy; also those that other processes settled meanwhile.

        One that can't be read is left out, and said once.
        """
        changed = times_of_change(self.path, attempts.RESULT)
        for name, at in changed.items():
            if name[0].isdigit():
                with contextlib.suppress(FileNotFoundError):
                    self._look_at(name, at)
        tested = times_of_change(self.path, TEST)
        found = (
            self._with_test(name, result, tested[name]) if name in tested else result
            for name, (_, result) in self._read.items()
            if name in changed
        )
        return sorted((r for r in found if r.number is not None), key=lambda r: r.number or 0)

    def _look_at(self, name: str, changed: int) -> None:
        """Read a trial's result, unless that of this time is known."""
        if name in self._read and self._read[name][0] == changed:
            return
        file = self.path / name / attempts.RESULT
        if not attempts.is_settled(file.parent):
            return
        try:
            self._read[name] = (changed, TrialResult.from_json(file.read_text()))
        except ValueError as error:
            self._read.pop(name, None)
            if file not in self._unreadable:
                self._unreadable.add(file)
                print(f"warning: {_unreadable(file, error)}; the trial is left out", file=sys.stderr)

    def _with_test(self, name: str, result: TrialResult, changed: int) -> TrialResult:
        """What the test split said stands beside the result, which stays as the search knew it."""
        if self._tested.get(name, (None, None))[0] != changed:
            self._tested[name] = (changed, self._read_test(self.path / name / TEST))
        accuracy = self._tested[name][1]
        if accuracy is None:
            return result
        return dataclasses.replace(result, measurements={**result.measurements, TEST_ACCURACY.name: accuracy})

    def _read_test(self, file: Path) -> float | None:
        try:
            return FinalTest.from_json(file.read_text()).accuracy
        except ValueError as error:
            reason = first_line(error)
            print(f"warning: {file}: it can't be read ({reason}); move it away to ask once more", file=sys.stderr)
            return None

    def is_tested(self, number: int) -> bool:
        """Whether the test split was asked about a trial, be it that the answer can't be read."""
        return (self._of(number) / TEST).exists()

    def add_test(self, number: int, test: FinalTest) -> None:
        """Keep what the test split said of a trial."""
        write_atomically(self._of(number) / TEST, test.to_json())

    def numbers(self) -> list[int]:
        """Numbers of all trials that have a folder, whatever is in it."""
        return sorted(int(path.name) for path in self.path.glob("[0-9]*") if path.name.isdigit())

    def has_result(self, number: int) -> bool:
        """Whether there is a result of a trial, be it one that can't be read."""
        return (self._of(number) / "result.json").exists()

    def result(self, number: int) -> TrialResult | None:
        """One trial's result as it stands on disk.

        Raises:
            InvalidConfig: It can't be read.
        """
        file = self._of(number) / "result.json"
        try:
            return TrialResult.from_json(file.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise InvalidConfig(_unreadable(file, error)) from error

    def config(self, number: int) -> dict[str, Any] | None:
        """The resolved configuration of a trial that came as far as to write it, where it can be read."""
        file = self._of(number) / "config.yaml"
        try:
            config = yaml.safe_load(file.read_text())
        except (FileNotFoundError, ValueError, yaml.YAMLError):
            return None
        return config if isinstance(config, dict) else None

    def has_begun(self, number: int) -> bool:
        """Whether a trial's own process came as far as to write down what it runs."""
        return (self._of(number) / "config.yaml").is_file()

    def hand_out(self, number: int, attempt: str) -> bool:
        """Give a new trial to an attempt; False where another one's result stands under its number."""
        return attempts.hand_out(self._of(number), attempt)

    def take_over(self, number: int, attempt: str) -> TrialResult | None:
        """Give a trial to an attempt, whoever had it; returns the result that it came to before."""
        attempts.take_over(self._of(number), attempt)
        with contextlib.suppress(InvalidConfig):
            return self.result(number)
        return None

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock under which results are written, and what follows from them."""
        return attempts.locked_results(self.path)

    def write_final_result(self, result: TrialResult, attempt: str) -> bool:
        """Write a trial's last word; False where it is no longer this attempt's, and what is on disk counts."""
        settled = attempts.write_result(self._of(result.number), result, attempt, is_final=True)
        if settled:
            forget(self._of(result.number))
        return settled

    def put_back(self, result: TrialResult) -> None:
        """Write a settled trial's result that was lost."""
        attempts.put_back(self._of(result.number), result)

    def _of(self, number: int | None) -> Path:
        return self.path / str(number)


def _unreadable(file: Path, error: Exception) -> str:
    return (
        f"{file}: it can't be read ({first_line(error)}); if it is no newer version's, move it away: the next start "
        "of the study makes up for it from Optuna's storage"
    )
