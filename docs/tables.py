"""Write the tables in the documentation that follow from the code: `nox -s docs`."""

from __future__ import annotations

from pathlib import Path

from terrasweep.config.bears_on import bearings_table
from terrasweep.config.exclusions import exclusions_table
from terrasweep.config.knobs import EXCLUSIONS
from terrasweep.config.validation_metrics import validation_metrics_table
from terrasweep.measure.catalog import measurements_table
from terrasweep.predict.cards import cards_table
from terrasweep.predict.device_rates import rates_table

BEGIN, END = "<!-- Made by `nox -s docs`. -->", "<!-- /Made by `nox -s docs`. -->"


def main() -> None:
    """Put each table between the marks of its page."""
    pages = {
        "knobs.md": [exclusions_table(EXCLUSIONS)],
        "measurements.md": [measurements_table(), bearings_table()],
        "planning.md": [cards_table()],
        "speed.md": [rates_table()],
        "tasks.md": [validation_metrics_table()],
    }
    for name, tables in pages.items():
        page = Path(__file__).with_name(name)
        first, *rest = page.read_text().split(BEGIN)
        after = (part.split(END)[1] for part in rest)
        made = (f"{BEGIN}\n\n{table}\n\n{END}{text}" for table, text in zip(tables, after, strict=True))
        page.write_text(first + "".join(made))


if __name__ == "__main__":
    main()
