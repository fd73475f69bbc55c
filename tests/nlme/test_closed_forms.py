"""The closed forms against the matrix exponential of the compartment system, and scipy's solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from agmpk.errors import AgmpkError
from agmpk.nlme.closed_forms import DoseColumn, StructuralModel, candidates

VALUES = {"ka": 1.3, "tlag": 0.4, "F": 0.6, "CL": 2.0, "V": 8.0, "Q": 3.0, "V2": 25.0}
TIMES = np.array([0.1, 0.4, 0.9, 2.0, 3.5, 7.0, 12.0, 13.0, 20.0, 47.0])


def reference(values: dict[str, float], doses: list[DoseColumn]) -> np.ndarray:
    """One matrix exponential per dose; state: gut, central, peripheral, infusion rate."""
    q, v2 = values.get("Q", 0.0), values.get("V2", 1.0)
    cl, v, ka = values["CL"], values["V"], values.get("ka", 0.0)
    a = np.array(
        [
            [-ka, 0, 0, 0],
            [ka, -(cl + q) / v, q / v2, 1],
            [0, q / v, -q / v2, 0],
            [0, 0, 0, 0],
        ]
    )
    total = np.zeros(len(TIMES))
    for dose in doses:
        oral = dose.oral > 0
        available = dose.amount * (values.get("F", 1.0) if oral else 1.0)
        for j, t in enumerate(TIMES - dose.time - (values.get("tlag", 0.0) if oral else 0.0)):
            if t <= 0:  # at the time of a dose the sample is the trough
                continue
            if oral or dose.duration == 0:
                state = expm(a * t) @ (np.eye(4)[0 if oral else 1] * available)
            else:
                running = min(t, dose.duration)
                state = expm(a * running) @ (np.eye(4)[3] * dose.amount / dose.duration)
                state[3] = 0
                state = expm(a * (t - running)) @ state
            total[j] += state[1] / v
    return total


ORAL = [DoseColumn(0.0, 100.0, 0.0, 1.0), DoseColumn(12.0, 50.0, 0.0, 1.0)]
INTRAVENOUS = [
    DoseColumn(0.0, 100.0, 0.0, 0.0),
    DoseColumn(1.0, 60.0, 2.5, 0.0),
    DoseColumn(12.0, 40.0, 0.0, 0.0),
]
MODELS = [*candidates(True), *candidates(False), *candidates(True, both=True)]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_closed_form_agrees_with_matrix_exponential(model):
    values = {name: VALUES[name] for name in model.parameters}
    doses = (ORAL if model.oral else []) + (INTRAVENOUS if model.intravenous else [])
    found = model.concentration(np.array(list(values.values())), TIMES, doses)
    np.testing.assert_allclose(found, reference(values, doses), rtol=1e-9, atol=1e-12)


def test_a_plan_of_unequal_doses_agrees_with_a_solver_of_the_equations():
    """A loading infusion, oral doses of changing amounts of which one is missed, a bolus."""
    model = StructuralModel(2, oral=True, lag=True, both=True)
    v = VALUES
    doses = [
        DoseColumn(0.0, 200.0, 1.5, 0.0),
        *(DoseColumn(t, a, 0.0, 1.0) for t, a in ((8.0, 50.0), (16.0, 75.0), (40.0, 25.0))),
        DoseColumn(33.0, 30.0, 0.0, 0.0),
    ]
    # Gut, central and peripheral amounts; doses enter between the pieces of the integration.
    jumps = {8.4: (0, 30.0), 16.4: (0, 45.0), 40.4: (0, 15.0), 33.0: (1, 30.0)}
    edges = sorted({0.0, 1.5, 50.0, *jumps})
    times = np.array([0.7, 1.5, 7.0, 8.0, 9.0, 16.0, 18.0, 32.9, 33.0, 33.1, 40.0, 40.9, 49.0])

    def slope(t, x, rate):
        to, back = v["Q"] / v["V"] * x[1], v["Q"] / v["V2"] * x[2]
        central = rate + v["ka"] * x[0] - v["CL"] / v["V"] * x[1] - to + back
        return [-v["ka"] * x[0], central, to - back]

    state, found = np.zeros(3), np.zeros(len(times))
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        rate = 200 / 1.5 if begin < 1.5 else 0.0
        inside = (times > begin) & (times <= end)
        solved = solve_ivp(
            slope, (begin, end), state, "LSODA", sorted({*times[inside], end}), args=(rate,),
            rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        found[inside] = solved.y[1, : inside.sum()] / v["V"]
        state = solved.y[:, -1]
        if end in jumps:  # the sample at this time has been read: a trough
            where, amount = jumps[end]
            state[where] += amount
    values = np.array([v[name] for name in model.parameters])
    np.testing.assert_allclose(model.concentration(values, times, doses), found, rtol=1e-6)


@pytest.mark.parametrize(("duration", "oral"), [(0.0, 0.0), (2.0, 0.0), (0.0, 1.0)])
def test_a_sample_at_the_time_of_a_dose_is_before_it(duration, oral):
    model = StructuralModel(1, oral=oral > 0)
    values = np.array([1.3, 2.0, 8.0] if oral else [2.0, 8.0])
    # 3 x 0.1 is not 0.3 in binary: rounding must not turn a trough into a peak.
    doses = [DoseColumn(k * 0.1, 100.0, duration, oral) for k in range(4)]
    at = model.concentration(values, np.array([0.3, np.nextafter(0.3, 1)]), doses)
    before = model.concentration(values, np.array([0.3]), doses[:3])
    np.testing.assert_allclose(at, np.repeat(before, 2))
    assert np.all(model.concentration(values, np.array([0.0]), doses) == 0)
    after = model.concentration(values, np.array([0.301]), doses)
    assert after > at[0]


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-5, -1e-5])
def test_oral_where_ka_equals_ke(gap):
    model = StructuralModel(1, oral=True)
    ke = 0.25
    found = model.concentration(np.array([ke * (1 + gap), 2.0, 8.0]), TIMES, [ORAL[0]])
    np.testing.assert_allclose(found, 100 / 8 * ke * TIMES * np.exp(-ke * TIMES), rtol=1e-4)


def test_flip_flop_does_not_overflow():
    model = StructuralModel(1, oral=True)
    found = model.concentration(np.array([0.01, 500.0, 1.0]), np.array([1.0, 100.0]), [ORAL[0]])
    np.testing.assert_allclose(found, 100 * 0.01 / 500 * np.exp([-0.01, -1.0]), rtol=1e-3)


def test_many_parameter_vectors_at_once():
    model = StructuralModel(2, oral=True, lag=True)
    values = np.array([VALUES[name] for name in model.parameters])
    both = np.stack([values, 2 * values])
    found = model.concentration(both[:, None, :], TIMES, ORAL)
    assert found.shape == (2, len(TIMES))
    for row, one in zip(found, both, strict=True):
        np.testing.assert_allclose(row, model.concentration(one, TIMES, ORAL))


def test_names_and_nonsense():
    assert StructuralModel.named("oral-2c-lag").parameters == ("ka", "tlag", "CL", "V", "Q", "V2")
    assert StructuralModel.named("iv-1c").parameters == ("CL", "V")
    assert StructuralModel.named("both-1c").parameters == ("ka", "F", "CL", "V")
    with pytest.raises(AgmpkError, match="no structural model"):
        StructuralModel(3, oral=True)
    with pytest.raises(AgmpkError, match="lag after an IV dose"):
        StructuralModel(1, oral=False, lag=True)
    with pytest.raises(AgmpkError, match="oral-9c"):
        StructuralModel.named("oral-9c")
