"""Tables and residuals of a fit, with units."""

from __future__ import annotations

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.nlme import Population, ResidualError, simulate
from agmpk.nlme.closed_forms import StructuralModel
from agmpk.nlme.population import goodness_of_fit, parameter_table, volume_unit
from agmpk.studies import Dose, Individual, Study, Units

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
DOSES = (Dose(0.0, 100.0, "iv_bolus"),)


def population(etas: np.ndarray) -> Population:
    return Population(
        "x",
        StructuralModel(1, oral=False),
        ResidualError("proportional", 0.0, 0.1),
        np.array([4.0, 30.0]),
        np.diag([0.09, 0.04]),
        0.0,
        5,
        np.array([0.05, 0.1]),
        etas,
        tuple(f"V{i + 1}" for i in range(len(etas))),
    )


def test_volumes_in_litres():
    assert volume_unit(Units("h", "mg/L", "mg")) == ("L", pytest.approx(1))
    assert volume_unit(Units("h", "ng/mL", "mg")) == ("L", pytest.approx(1000))
    assert volume_unit(Units("h", "mg/L", "mg/kg")) == ("L/kg", pytest.approx(1))
    assert volume_unit(Units("h", "nmol/L", "mg")) == ("(mg)/(nmol/L)", 1.0)


def test_parameter_table():
    table = parameter_table(population(np.zeros((3, 2))), Units("h", "ng/mL", "mg"))
    assert table.loc["CL", "estimate"] == pytest.approx(4000)
    assert table.loc["CL", "unit"] == "L/h"
    assert table.loc["V", "RSE %"] == pytest.approx(10)
    assert table.loc["CL", "CV %"] == pytest.approx(100 * np.sqrt(np.exp(0.09) - 1))
    assert table.loc["CL", "shrinkage %"] == pytest.approx(100)  # no eta leaves zero
    assert list(table.index) == ["CL", "V", "b"]


def test_weighted_residuals_of_the_true_model_are_standard_normal():
    rng = np.random.default_rng(0)
    etas = rng.normal(0, [0.3, 0.2], (50, 2))
    model = population(etas)
    people = []
    for name, eta in zip(model.ids, etas, strict=True):
        cl, v = model.typical * np.exp(eta)
        curve = 100 / v * np.exp(-cl / v * TIMES)
        people.append(Individual(name, TIMES, curve * (1 + 0.1 * rng.normal(size=6)), DOSES))
    found = goodness_of_fit(model, Study("x", tuple(people)))
    assert len(found) == 300
    assert found.IWRES.mean() == pytest.approx(0, abs=0.2)
    assert found.IWRES.std() == pytest.approx(1, abs=0.12)
    assert np.corrcoef(np.log(found.DV), np.log(found.IPRED))[0, 1] > 0.98
    with pytest.raises(AgmpkError, match="V51 was not among"):
        goodness_of_fit(model, simulate(model, TIMES, DOSES, 51, seed=0))
