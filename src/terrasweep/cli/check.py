"""``terrasweep check``: what is wrong or doubtful about a data set, before anything is trained. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrasweep.config.bad_input import BAD_INPUT, describe_bad_input
from terrasweep.config.compose import compose
from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.inspect import checks
from terrasweep.data.inspect.checks import Finding
from terrasweep.data.inspect.survey import Survey
from terrasweep.results.errors import DataError, InvalidConfig
from terrasweep.trial import rules


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A data set, judged."""

    config: TrialConfig
    survey: Survey
    findings: list[Finding]

    @property
    def has_errors(self) -> bool:
        """Whether a sweep on this data would be refused."""
        return bool(checks.errors(self.findings))

    def as_json(self) -> dict[str, Any]:
        """Numbers, errors and warnings as plain values."""
        return {"summary": self._described["summary"], "findings": [dataclasses.asdict(f) for f in self.findings]}

    def write_page(self, file: Path) -> None:
        """Write a page with samples, histograms, a map, and the findings with the files that show them."""
        from terrasweep.data.inspect.pictures.draw import draw
        from terrasweep.report.data_page import write_data_page

        write_data_page(file, draw(self.config, self.survey, self.findings), self._described)

    @property
    def _described(self) -> dict[str, Any]:
        return checks.describe(self.survey, self.config, self.findings)


def check(overrides: list[str]) -> Checked:
    """Compose a configuration as ``python sweep.py`` does, and judge its data.

    Weights and disks that a trial would need are left aside.

    Args:
        overrides: ``key=value`` as on the command line.

    Raises:
        InvalidConfig: With one line per mistake in the configuration, or why the data can't be opened at all.
    """
    from terrasweep.trial import prepare

    try:
        config = without_weights(compose(overrides))
        rules.check(config)
    except BAD_INPUT as error:
        raise InvalidConfig("\n".join(describe_bad_input(error))) from error
    try:
        survey, findings = prepare.judge(config)
    except DataError as error:
        raise InvalidConfig(str(error)) from error
    return Checked(config=config, survey=survey, findings=findings)


def without_weights(config: TrialConfig) -> TrialConfig:
    """The configuration less what has nothing to do with its data, and may not be on this machine."""
    backbone = dataclasses.replace(config.backbone, checkpoint=None)
    return dataclasses.replace(config, backbone=backbone, offload=OffloadConfig(name="none"))
