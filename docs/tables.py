"""Write the tables in the documentation that follow from the code: `nox -s docs`."""

from __future__ import annotations

from pathlib import Path

from terrasweep.config.exclusions import exclusions_table
from terrasweep.config.knobs import EXCLUSIONS
from terrasweep.config.validation_metrics import validation_metrics_table
from terrasweep.measure.catalog import measurements_table

BEGIN, END = "<!-- Made by `nox -s docs`. -->", "<!-- /Made by `nox -s docs`. -->"


def main() -> None:
    """Put each table between the marks of its page."""
    tables = {
        "knobs.md": exclusions_table(EXCLUSIONS),
        "measurements.md": measurements_table(),
        "tasks.md": validation_metrics_table(),
    }
    for name, table in tables.items():
        page = Path(__file__).with_name(name)
        before, rest = page.read_text().split(BEGIN)
        _, after = rest.split(END)
        page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    main()
