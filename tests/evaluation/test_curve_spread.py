"""Level and shape are told apart."""

import numpy as np

from agmpk.evaluation.exposure import curve_spread
from agmpk.studies import Dose, Individual, Study


def study(shifts, rates) -> Study:
    t = np.linspace(1, 12, 10)
    return Study(
        "toy",
        tuple(
            Individual(str(k), t, np.exp(s - r * t), (Dose(0.0, 1.0, "iv_bolus"),))
            for k, (s, r) in enumerate(zip(shifts, rates, strict=True))
        ),
    )


def test_a_shift_is_level_and_a_slope_is_shape():
    parallel = curve_spread(study([0, 1, 2], [0.2, 0.2, 0.2]))
    assert np.isclose(parallel["level"], 1.0) and parallel["shape"] < 1e-12
    crossing = curve_spread(study([0, 0, 0], [0.1, 0.2, 0.3]))
    assert crossing["shape"] > 0.2


def test_too_few_people_give_nan():
    assert np.isnan(curve_spread(study([0, 1], [0.2, 0.2]))["level"])
