"""Data that a check is shown in the place of files."""

import pytest

from terrasweep.data.inspect.survey import IMAGE
from terrasweep.trial import prepare
from tests.unit.data.surveys import SAMPLES, image, survey


@pytest.fixture
def looked_at(home, monkeypatch):
    """The configurations whose data was asked for; what is seen of it can be set."""
    asked = []

    def look(given):
        asked.append(given)
        if isinstance(look.seen, Exception):
            raise look.seen
        return look.seen

    # Six bands, as the default backbone has them.
    six = {"shapes": {"6x64x64": 20}, **{key: [1.0] * 6 for key in ("means", "stds")}, "not_finite": [0.0] * 6}
    look.seen = survey(**{name: {"images": {IMAGE: image(20, **six)}} for name in SAMPLES})
    look.asked = asked
    monkeypatch.setattr(prepare, "survey", look)
    return look
