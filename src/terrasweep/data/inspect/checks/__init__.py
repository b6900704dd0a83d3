"""Judges a data set before anything is trained on it. docs/checks.md explains each check. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.data.inspect.checks.case import ERROR, LEVELS, NOTE, WARNING, Case
from terrasweep.data.inspect.checks.class_balance import BALANCE_CHECKS
from terrasweep.data.inspect.checks.classes import CLASS_CHECKS
from terrasweep.data.inspect.checks.image_shapes import SHAPE_CHECKS
from terrasweep.data.inspect.checks.images import IMAGE_CHECKS
from terrasweep.data.inspect.checks.labels import LABEL_CHECKS, TARGET_CHECKS
from terrasweep.data.inspect.checks.no_data import NO_DATA_CHECKS
from terrasweep.data.inspect.checks.splits import SPLIT_CHECKS
from terrasweep.data.inspect.checks.stored_values import STORED_VALUE_CHECKS
from terrasweep.data.inspect.checks.summary import summarize
from terrasweep.data.inspect.survey import Survey
from terrasweep.results.errors import InvalidConfig

CHECKS = (
    *SPLIT_CHECKS,
    *SHAPE_CHECKS,
    *IMAGE_CHECKS,
    *NO_DATA_CHECKS,
    *LABEL_CHECKS,
    *STORED_VALUE_CHECKS,
    *CLASS_CHECKS,
    *BALANCE_CHECKS,
    *TARGET_CHECKS,
)
"""Every check, in the order of their findings."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about the data that a person should know before a sweep."""

    rule: str
    """Name of the check, or of the reading rule that remarked it, as in docs/checks.md."""
    level: str
    """``error``: a sweep would fail or mislead, and does not start; ``warning``: it starts, and the report says so;
    ``note``: what was understood of the files and done, which is shown where the data are looked at."""
    line: str
    """Place, value, reason and way out, on one line."""


def find_problems(survey: Survey, config: TrialConfig) -> list[Finding]:
    """Everything that is wrong or doubtful about a data set, errors first.

    Args:
        survey: What was seen of the data.
        config: As the user wrote it: what it leaves to the files is not judged.
    """
    case = Case(survey, config)
    found = [Finding(rule=check.name, level=check.level, line=line) for check in CHECKS for line in check.find(case)]
    found += [Finding(**remark) for remark in survey.remarks]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def refuse(findings: list[Finding]) -> None:
    """Stop where there are errors.

    Raises:
        InvalidConfig: With one line per error.
    """
    if lines := errors(findings):
        raise InvalidConfig("\n".join(lines))


def errors(findings: list[Finding]) -> list[str]:
    """The lines of the errors."""
    return [finding.line for finding in findings if finding.level == ERROR]


def warnings(findings: list[Finding]) -> list[str]:
    """The lines of the warnings."""
    return [finding.line for finding in findings if finding.level == WARNING]


def notes(findings: list[Finding]) -> list[str]:
    """The lines of what was understood and done."""
    return [finding.line for finding in findings if finding.level == NOTE]


def describe(survey: Survey, config: TrialConfig, findings: list[Finding]) -> dict[str, Any]:
    """What a study stores of its data, and its report shows, fit for strict JSON.

    Returns:
        ``summary`` (see :func:`terrasweep.data.inspect.checks.summary.summarize`) and ``warnings`` and
        ``notes``, a line each.
    """
    return {"summary": summarize(survey, config), "warnings": warnings(findings), "notes": notes(findings)}
