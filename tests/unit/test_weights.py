"""The public door to trained trials is the one that docs/export.md names."""

import re

from terrasweep import weights
from terrasweep.models import trained_weights
from tests.composing import ROOT


def test_what_the_docs_import_is_there_and_does_what_it_says():
    page = (ROOT / "docs" / "export.md").read_text()
    named = set(re.findall(r"from terrasweep\.weights import (\w+)", page))
    assert named == set(weights.__all__)
    assert {name: getattr(weights, name) for name in named} == {name: getattr(trained_weights, name) for name in named}
