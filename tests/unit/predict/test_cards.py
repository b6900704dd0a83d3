"""Cards are known by name, with what a trial can have of them."""

import pytest

from terrasweep.predict.cards import CARDS, cards_table, limits
from terrasweep.results.errors import InvalidConfig
from tests.composing import ROOT


def test_cards_and_numbers_are_limits_in_their_order():
    found = limits("rtx4090, H100", "12,24.5")
    assert found == {"rtx4090": 0.99 * 24 - 0.5, "h100": 0.99 * 80 - 0.5, "12 GiB": 12.0, "24.5 GiB": 24.5}
    assert limits("", "") == {}


@pytest.mark.parametrize(
    ("cards", "gib", "told"),
    [
        ("rtx4080", "", "--card=rtx4080: not in the table; did you mean rtx4090?; or give --memory-gib"),
        ("", "abc", "--memory-gib=abc"),
        ("", "0", "--memory-gib=0"),
        ("", "nan", "--memory-gib=nan"),
    ],
)
def test_what_is_no_card_and_no_number_is_one_line(cards, gib, told):
    with pytest.raises(InvalidConfig) as refused:
        limits(cards, gib)
    assert str(refused.value).startswith(told)
    assert len(str(refused.value).splitlines()) == 1


def test_each_card_has_a_source_and_check_bits_take_a_sixteenth_of_gddr():
    assert all(card.source.startswith("https://www.nvidia.com/") for card in CARDS.values())
    # nvidia-smi shows 23,034 MiB of an L4's 24 GB, 15,360 of a T4's 16, and 46,068 of an L40S's 48.
    assert CARDS["l4"].beside_ecc_gib == pytest.approx(23034 / 1024, rel=1e-3)
    assert CARDS["l40s"].beside_ecc_gib == pytest.approx(46068 / 1024, rel=1e-3)
    assert CARDS["t4"].beside_ecc_gib == pytest.approx(15360 / 1024, rel=1e-3)


def test_the_page_has_the_table():
    assert f"\n{cards_table()}\n" in (ROOT / "docs" / "planning.md").read_text()
