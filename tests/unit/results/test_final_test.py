"""The record of a test goes to JSON and back; anything else is refused."""

import pytest

from terrasweep.results.final_test import SCHEMA_VERSION, FinalTest

TEST = FinalTest(accuracy=0.5, accuracy_name="mIoU", metrics={"test_loss": 1.25}, samples=3, precision="bf16")


def test_it_comes_back_unchanged():
    assert FinalTest.from_json(TEST.to_json()) == TEST


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", TEST.to_json().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99')]
)
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error is one
        FinalTest.from_json(text)


def test_a_number_that_is_none_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        FinalTest(accuracy=float("nan"), accuracy_name="mIoU", samples=3, precision="bf16").to_json()
