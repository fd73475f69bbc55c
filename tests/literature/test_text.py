"""Normalization keeps track of positions; units and numbers are read as printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agmpk.literature.text import (
    normalize,
    parse_number,
    parse_range,
    power_of_ten,
    sentences,
    word_number,
)
from agmpk.literature.units import convert, parse_unit


@pytest.mark.parametrize(
    ("printed", "plain"),
    [
        ("12·3 ng·mL⁻¹", "12.3 ng·mL-1"),
        ("C<sub>max</sub> 5 +/- 2", "Cmax 5 ± 2"),
        ("10,122.47 (2,391.25)", "10122.47 (2391.25)"),
        ("1,234,567", "1234567"),
        ("1\u2009234.5\u202fng/mL", "1234.5 ng/mL"),
        ("28,7 ± 9,1; 1.742,3", "28.7 ± 9.1; 1742.3"),
        ("33 120.5 ± 9 870.1 ng·h/mL", "33120.5 ± 9870.1 ng·h/mL"),
        ("AUC₀₋ₜ and T½ &plusmn; μg", "AUC0-t and T½ ± µg"),
        ("1.2 × 10³ and 10⁻⁴", "1.2 × 10^3 and 10^-4"),
        ("1.2 x 10<sup>3</sup>, 1.2 x 10(3)", "1.2 x 10^3, 1.2 x 10^3"),
        ("1.2·10³", "1.2×10^3"),
        ("1.2E3 ng", "1.2×10^3 ng"),
        ("8.5<sup>1</sup>, 8.5¹, 8.5<sup>a</sup>", "8.5^1, 8.5^1, 8.5"),
        ("kg/m<sup>2</sup>, kg/m²", "kg/m2, kg/m2"),
        ("5, 483.296 ng", "5483.296 ng"),
        ("2.5, 483.296", "2.5, 483.296"),
    ],
)
def test_printed_forms(printed, plain):
    assert normalize(printed).text == plain


@given(st.text(max_size=80))
def test_every_character_knows_its_source(text):
    normal = normalize(text)
    assert len(normal.text) == len(normal.start) == len(normal.end)
    assert all(0 <= a < b <= len(text) for a, b in zip(normal.start, normal.end, strict=True))
    assert list(normal.start) == sorted(normal.start)


def test_a_span_leads_back_to_the_source():
    source = "the C<sub>max</sub> was 1\u2009234·5 ng/mL"
    normal = normalize(source)
    begin = normal.text.index("1234.5")
    assert normal.source[slice(*normal.span(begin, begin + 6))] == "1\u2009234·5"


@pytest.mark.parametrize(
    ("printed", "unit"),
    [
        ("h·ng/mL", "ng·h/mL"),
        ("ng·hr·mL-1", "ng·h/mL"),
        ("µg h/mL", "µg·h/mL"),
        ("mcg*h/mL", "µg·h/mL"),
        ("ng/mL*h", "ng·h/mL"),
        ("μg·h·L−1", "µg·h/L"),
        ("ng x h x mL(-1)", "ng·h/mL"),
        ("h (ng/mL)", "ng·h/mL"),
        ("ng-h/L", "ng·h/L"),
        ("mg l-1 h", "mg·h/L"),
        ("ng mL⁻¹", "ng/mL"),
        ("hours", "h"),
        ("min", "min"),
        ("mIU/mL*h", "mIU·h/mL"),
        ("%", "%"),
        ("ngxh/mL", "ng·h/mL"),
        ("ng. hr/mL", "ng·h/mL"),
        ("µM", "µmol/L"),
        ("h·nM", "nmol·h/L"),
        ("AU", None),
        ("", None),
        ("ng", "ng"),
    ],
)
def test_units(printed, unit):
    found = parse_unit(normalize(printed).text)
    assert (found.text if found else None) == unit


def test_the_usual_misprint_of_an_auc_is_marked():
    unit = parse_unit("ng/mL/h")
    assert (unit.text, unit.kind, unit.misprint) == ("ng·h/mL", "auc", True)


def test_conversion_is_pints():
    assert convert(2.0, "µg·h/mL", "ng·h/mL") == pytest.approx(2000)
    assert convert(90, "min", "h") == pytest.approx(1.5)
    assert convert(1.0, "mIU/mL", "ng/mL") is None


def test_numbers_and_ranges():
    assert parse_number("12.30") == 12.3
    assert parse_number(";413") is None
    assert parse_range("1.50-6.00") == (1.5, 6.0)
    assert parse_range("6-1") is None
    assert word_number("twenty-four") == 24
    assert word_number("one hundred and eight") == 108
    assert word_number("volunteers") is None


def test_powers_of_ten():
    assert power_of_ten("1.2 × 10^3 ng", 3) == (1000.0, 10)
    assert power_of_ten("1.2 ng", 3) == (1.0, 3)
    for lost in ("1.2 × 103 ng", "1.2 × 10 ng"):  # nobody can tell
        assert power_of_ten(lost, 3)[0] is None


def test_sentences_do_not_end_at_abbreviations():
    text = "It was 5 ng. hr/mL vs. 6 (S.D. 2). The next one."
    assert [text[a:b].strip() for a, b in sentences(text)][-1] == "The next one."
    assert len(sentences(text)) == 2
