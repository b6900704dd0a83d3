"""Any value is written so that Hydra reads it back."""

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from terrasweep.study.override_text import as_override

READER = OverridesParser.create()
KEYS = st.from_regex(r"[a-z][a-z0-9_.-]*", fullmatch=True).filter(
    lambda key: key not in ("null", "true", "false", "nan", "inf")
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@settings(deadline=None)  # Hydra's parser takes its time.
@given(st.recursive(SCALARS, lambda parts: st.lists(parts) | st.dictionaries(KEYS, parts), max_leaves=8))
def test_any_value_is_an_override_that_hydra_reads_back(value):
    # By their text, since nan equals nothing.
    assert repr(READER.parse_override(as_override("a.b", value)).value()) == repr(value)


def test_plain_values_are_written_without_quotes():
    assert as_override("a.b", None) == "a.b=null"
    assert as_override("lr", 1e-3) == "lr=0.001"
    assert as_override("quantization", "nf4") == "quantization=nf4"
