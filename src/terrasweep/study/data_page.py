"""The page of a study's data, written when it starts."""

from __future__ import annotations

import sys
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import first_line
from terrasweep.results.study_record import StudyRecord
from terrasweep.trial import prepare


def write_data_page(folder: Path, config: TrialConfig, record: StudyRecord, before: StudyRecord | None) -> None:
    """Write ``data.html`` into a study's folder, unless it shows the data as they are already.

    A study starts without its page too: what hinders that is said in a line.

    Args:
        folder: The study's.
        config: Of its first trial.
        record: With what is known of the data now.
        before: As it was stored; None for a new study.
    """
    from terrasweep.data.inspect import checks
    from terrasweep.data.inspect.pictures.draw import draw
    from terrasweep.report.data_page import DATA_PAGE
    from terrasweep.report.data_page import write_data_page as write

    file = folder / DATA_PAGE
    if not record.data or (file.is_file() and before is not None and before.data == record.data):
        return
    try:
        survey, findings = prepare.judge(config)
        write(file, draw(config, survey, findings), checks.describe(survey, config, findings))
    except Exception as error:  # noqa: BLE001 - a picture is no reason to lose a study
        print(f"warning: {file}: the page of the data was not written: {first_line(error)}", file=sys.stderr)
