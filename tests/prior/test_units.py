"""Units of the prior's quantities: known, and consistent in every equation they enter."""

import pint
import pytest

from agmpk.config import load_yaml
from agmpk.prior import load_prior
from agmpk.prior.config import WORDS, quantity_table

UREG = pint.UnitRegistry()
UREG.define("individual = []")
# Words of the table that stand for pure numbers.
PURE = ("terminal", "share", "fraction", "ratio", "multiple", "SD", "correlation", "1")
COUNTS = {"compartments", "individuals", "samples", "doses", "arms"}
TABLE = quantity_table(load_prior("paper"), load_prior("clinic"))
UNITS = dict(zip(TABLE["quantity"], TABLE["unit"], strict=True))


def unit(name: str) -> pint.Quantity:
    """The quantity itself (a logarithm undone) in its unit; doses are in mg here."""
    text = UNITS[name]
    if text.split()[0] in PURE or text in COUNTS:
        return UREG("dimensionless")
    return 1 * UREG(text.removeprefix("ln ").replace("dose unit", "mg"))


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_is_known(name):
    assert unit(name).magnitude == 1 or unit(name).dimensionless


def test_every_quantity_is_documented():
    assert not TABLE["quantity"].duplicated().any()
    for column in ("unit", "meaning", "source"):
        assert TABLE[column].str.len().gt(0).all()
    words = load_yaml(WORDS)
    words.pop("sources")
    assert {name for group in words.values() for name in group} == set(TABLE["quantity"])


def test_the_equations_are_consistent():
    ke, V, time, dose = (unit(n) for n in ("log_ke", "log_V", "lag", "log_dose"))
    concentration = dose / V
    for rate in ("log_ka", "log_ke", "log_k_out", "log_k_in"):
        assert (unit(rate) * time).dimensionless  # in the exponential
    assert (unit("ou_time_scale") * ke).dimensionless
    assert (unit("saturation") * dose / V).check(concentration.dimensionality)  # Km
    vmax = ke * V * unit("saturation") * concentration
    assert vmax.check((dose / time).dimensionality)
    assert (unit("half_lives_in_horizon") / unit("horizons")).check(ke.dimensionality)
    assert (unit("infusion_duration") * unit("horizons")).check(time.dimensionality)
    assert (dose / (unit("infusion_duration") * unit("horizons"))).check("[mass] / [time]")
    for name in ("lag", "late_delay", "split_delay", "intervals", "horizons"):
        assert unit(name).check("[time]")
    assert unit("weight").check("[mass]")
    assert (unit("lloq") * concentration).check("[mass] / [length] ** 3")
