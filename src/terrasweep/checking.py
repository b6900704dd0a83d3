"""``terrasweep check``: what is wrong or doubtful about a data set, before anything is trained. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from terrasweep import rules
from terrasweep.composition import compose
from terrasweep.config import TrialConfig
from terrasweep.data import checks
from terrasweep.data.checks import Finding
from terrasweep.data.survey import Survey
from terrasweep.entry import BAD_INPUT, describe_bad_input
from terrasweep.errors import DataError, InvalidConfig
from terrasweep.knobs import OffloadConfig


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
        described = checks.describe(self.survey, self.config, self.findings)
        return {"summary": described["summary"], "findings": [dataclasses.asdict(f) for f in self.findings]}


def check(overrides: list[str]) -> Checked:
    """Compose a configuration as ``python sweep.py`` does, and judge its data.

    Weights and disks that a trial would need are left aside.

    Args:
        overrides: ``key=value`` as on the command line.

    Raises:
        InvalidConfig: With one line per mistake in the configuration, or why the data can't be opened at all.
    """
    from terrasweep import prepare

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
