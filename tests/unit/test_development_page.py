"""The files that docs/development.md names are there."""

import re

from tests.composing import ROOT

PAGE = (ROOT / "docs" / "development.md").read_text()
ROOTS = (ROOT, ROOT / "src" / "terrasweep", ROOT / "src" / "terrasweep" / "data")
"""What paths are below: the repository; the package, of which the page says so; and data, in the row about it."""
MADE = {"config.yaml", "log.txt", ".nox/shared"}
"""What a run or a session makes."""
PATH = re.compile(r"(?=.*(/|\.(py|yaml|toml|txt|md)$))[\w.-]+(/[\w.-]+)*/?")
EXAMPLES = re.compile(r"\bNAME\b|^conf/checkpointing/every_third\.yaml$")
"""What a change would make."""


def paths():
    """What stands between backticks and reads as a path; of an example the folder that it would be in."""
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    words = {word for code in re.findall(r"`([^`]+)`", prose) for word in code.split()}
    for word in words - MADE:
        if PATH.fullmatch(word):
            yield re.sub(r"[^/]*$|[^/]*/$", "", word) if EXAMPLES.search(word) else word


def test_the_paths_that_the_page_names_are_there():
    named = set(paths())
    assert len(named) >= 60
    assert {path for path in named if not any((root / path).exists() for root in ROOTS)} == set()
