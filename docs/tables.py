"""Write the tables in the documentation that follow from the code: `nox -s docs`."""

from __future__ import annotations

from pathlib import Path

from terrasweep.config.exclusions import exclusions_table
from terrasweep.config.knobs import EXCLUSIONS

BEGIN, END = "<!-- Made by `nox -s docs`. -->", "<!-- /Made by `nox -s docs`. -->"


def main() -> None:
    """Put the exclusions between their marks in knobs.md."""
    page = Path(__file__).with_name("knobs.md")
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n\n{exclusions_table(EXCLUSIONS)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
