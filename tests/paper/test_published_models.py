"""Published models: exact curves against scipy, people as published, studies as designed."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.stats import gamma

from agmpk.errors import AgmpkError
from agmpk.evaluation import studies_in
from agmpk.files import data_path
from agmpk.paper.published_curves import (
    Given,
    People,
    curves,
    draw_people,
    model_table,
    observe,
    published_models,
    typical_person,
)
from agmpk.paper.published_models import (
    KINDS,
    SPLITS,
    STORED_SEED,
    draw_split,
    draw_study,
    published_studies,
    split_table,
    typical_profile,
)

MODELS = {model.name: model for model in published_models()}
TIMES = np.array([0.1, 0.4, 1.0, 2.0, 5.0, 9.0, 24.0, 30.0, 49.0])


@pytest.fixture(scope="module")
def drawn():
    """The studies of each split, drawn by the seed of the stored ones."""
    return {split: published_studies(split, STORED_SEED) for split in SPLITS}


def impulse(model, t):
    """Concentration after a unit bolus, from the eigenvalues of the textbook's rate matrix."""
    v = model.typical
    A = np.array([[-v["CL"] / v["V"]]])
    for Q, W in (("Q", "V2"), ("Q2", "V3"))[: model.peripherals]:
        n = len(A)
        A = np.pad(A, (0, 1))
        A[0, 0] -= v[Q] / v["V"]
        A[n, 0], A[0, n], A[n, n] = v[Q] / v["V"], v[Q] / v[W], -v[Q] / v[W]
    values, vectors = np.linalg.eig(A)
    weights = vectors[0] * np.linalg.solve(vectors, np.eye(len(A))[0])
    return (weights * np.exp(np.multiply.outer(t, values))).sum(-1) / v["V"]


def convolved(model, dose, density, longest, t):
    """The same after an input of the given density: a quadrature."""
    value, _ = quad(
        lambda s: density(s) * impulse(model, t - s), 0, min(t, longest), epsrel=1e-10, limit=400
    )
    return dose * model.typical["F"] * value


@pytest.mark.parametrize(
    "name", ["Ahmed_2024_vancomycin", "Kim_2024_meropenem", "Nguyen_2022_gepotidacin"]
)
def test_boluses_and_infusions_are_sums_of_exponentials(name):
    model = MODELS[name]
    doses = [Given(0, 0.0, 500, False), Given(0, 2.0, 300, False, 0.5)]
    (found,) = curves(typical_person(model), doses, [TIMES])
    expected = 500 * impulse(model, TIMES)
    infused = [convolved(model, 300, lambda s: 2.0, 0.5, t - 2) if t > 2 else 0.0 for t in TIMES]
    expected += infused
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * expected.max())


@pytest.mark.parametrize(
    "name", ["Adams_1998_zalcitabine", "Koue_2007_aripiprazole", "Valle_2005_exemestane"]
)
def test_a_first_order_input_with_a_lag_is_a_convolution(name):
    model = MODELS[name]
    (path,) = model.paths
    (found,) = curves(typical_person(model), [Given(0, 0.0, 100, True)], [TIMES])
    expected = [
        convolved(model, 100, lambda s: path.ka * np.exp(-path.ka * s), 40 / path.ka, t - path.tlag)
        if t > path.tlag
        else 0.0
        for t in TIMES
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", ["Abuhelwa_2015_itraconazole", "Lv_2025_ASC10A"])
def test_a_transit_chain_is_a_gamma_input(name):
    model = MODELS[name]
    (path,) = model.paths
    law = gamma(path.stages, scale=path.mtt / path.stages)
    (found,) = curves(typical_person(model), [Given(0, 0.0, 100, True)], [TIMES])
    expected = [convolved(model, 100, law.pdf, 60.0, t) for t in TIMES]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_zero_order_input_of_simvastatins_three_paths_is_a_sum():
    model = MODELS["Jin_2014_simvastatin"]
    (found,) = curves(typical_person(model), [Given(0, 0.0, 60, True)], [TIMES])

    def density(s):
        total = 0.0
        for p in model.paths:
            u, D = s - p.tlag, p.duration
            if u > 0:
                inside = 1 - np.exp(-p.ka * min(u, D))
                total += p.share / D * inside * np.exp(-p.ka * max(u - D, 0))
        return total

    expected = [
        60 * sum(
            quad(lambda s, t=t: density(s) * impulse(model, t - s), a, min(b, t), epsrel=1e-9)[0]
            for a, b in zip([0, 0.102, 0.142, 0.644, 0.929, 2.309],
                            [0.102, 0.142, 0.644, 0.929, 2.309, 60], strict=True) if t > a
        )
        for t in TIMES
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", [name for name, m in MODELS.items() if np.isfinite(m.km)])
def test_saturable_elimination_agrees_with_lsoda(name):
    model, v = MODELS[name], MODELS[name].typical
    (path,) = model.paths
    doses = [Given(0, 0.0, 2 * model.dose, True), Given(0, 10.0, model.dose, True)]
    (found,) = curves(typical_person(model), doses, [TIMES])
    n = path.stages

    def chain(t, x):
        rates = np.array([n / (path.mtt or 1.0)] * n + [path.ka])
        out = rates * x[:-1]
        c = x[-1] / v["V"]
        flows = np.concatenate([[0.0], out])[:-1] - out
        return np.append(flows, out[-1] - v["CL"] * c * model.km / (model.km + c))

    x, expected, now = np.zeros(n + 2), {}, 0.0
    x[0] = 2 * model.dose
    for stop in (10.0, TIMES[-1]):
        at = TIMES[(TIMES > now) & (TIMES <= stop)]
        points = np.unique([*at, stop])
        run = solve_ivp(chain, (now, stop), x, "LSODA", t_eval=points, rtol=1e-10, atol=1e-9)
        expected |= dict(zip(points, run.y[-1] / v["V"], strict=True))
        x, now = run.y[:, -1].copy(), stop
        x[0] += model.dose
    np.testing.assert_allclose(
        found, [expected[t] for t in TIMES], rtol=2e-4, atol=2e-4 * found.max()
    )


def test_a_sample_at_a_dose_is_a_trough_and_occasions_change_the_parameters():
    model = MODELS["Adams_1998_zalcitabine"]
    one = typical_person(model)
    doses = [Given(0, 0.0, 1.0, False), Given(0, 12.0, 1.0, False)]
    (trough,), (after,) = (curves(one, doses, [np.array([t])]) for t in (12.0, 12.0 + 1e-9))
    assert after[0] - trough[0] == pytest.approx(1 / model.typical["V"], rel=1e-6)
    doubled = {name: np.repeat(x, 2, axis=1) for name, x in one.values.items()}
    doubled["CL"] = doubled["CL"] * [1.0, 2.0]
    times = np.array([10.0, 14.0])
    (slow,) = curves(People(model, doubled), doses[:1], [times], second_occasion=12.0)
    ke = model.typical["CL"] / model.typical["V"]
    assert slow[1] / slow[0] == pytest.approx(np.exp(-2 * ke - 2 * 2 * ke), rel=1e-9)


def test_people_vary_as_published():
    model = MODELS["Hopkins_2017_doxycycline"]
    row = model_table().loc[model.name]
    people = draw_people(model, 20_000, np.random.default_rng(1))
    log = {name: np.log(x[:, 0]) for name, x in people.values.items()}
    assert np.median(people.values["CL"]) == pytest.approx(row.CL_L_h, rel=0.02)
    for name in ("CL", "V", "mtt"):
        assert log[name].std() == pytest.approx(row[f"om_{name}"], rel=0.03)
    assert np.corrcoef(log["CL"], log["V"])[0, 1] == pytest.approx(row.rho_CL_V, abs=0.02)
    assert log["F"].std() == 0  # apparent: its clearance carries the spread of F
    assert log["Q"].std() == pytest.approx(model_table()["om_Q"].median(), rel=0.03)
    again = MODELS["Svensson_2018_rifampicin"]
    x = np.log(draw_people(again, 20_000, np.random.default_rng(1)).values["ka"])
    assert (x[:, 1] - x[:, 0]).std() / np.sqrt(2) == pytest.approx(0.31385, rel=0.03)


def test_the_residual_error_is_the_published_one():
    model = MODELS["Abdelgawad_2024_linezolid"]
    rng = np.random.default_rng(0)
    for level in (0.0, 10.0):
        sd = observe(model, np.full(50_000, level), rng).std()
        assert sd == pytest.approx(np.hypot(0.215 * level, 0.173), rel=0.02)
    log = MODELS["Jang_2019_cefprozil"]
    assert np.log(observe(log, np.full(50_000, 3.0), rng)).std() == pytest.approx(0.189, rel=0.02)


def test_drugs_are_split_once_and_for_all(drawn):
    assert split_table().equals(draw_split())
    assert set(split_table()["drug"]) == set(model_table()["drug"])
    assert split_table()["drug"].is_unique
    share = (split_table()["split"] == "choosing").mean()
    assert 0.6 < share < 0.72
    drugs = [{study.compound for study in drawn[split].values()} for split in SPLITS]
    assert not drugs[0] & drugs[1] and len(drugs[0] | drugs[1]) == len(split_table())


def test_studies_repeat_and_differ_by_seed(drawn):
    first = drawn["reporting"]
    assert first == published_studies("reporting", STORED_SEED)
    assert list(first.values()) != list(published_studies("reporting", STORED_SEED + 1).values())
    assert len({tuple(study.individuals) for study in first.values()}) == len(first)


@pytest.mark.parametrize("split", SPLITS)
def test_the_stored_studies_are_those_of_the_seed(split, drawn):
    stored = studies_in(data_path("poppk", "studies", split))
    assert set(stored) == set(drawn[split])
    for name, study in drawn[split].items():
        assert stored[name].ids == study.ids and stored[name].units == study.units, name
        for one, other in zip(stored[name], study, strict=True):
            assert one.doses == other.doses
            np.testing.assert_array_equal(one.times, other.times)
            np.testing.assert_allclose(one.concentrations, other.concentrations, rtol=2e-3)
    size = sum(p.stat().st_size for p in data_path("poppk").rglob("*.csv"))
    assert size < 500_000


def test_a_split_that_is_none_is_refused():
    with pytest.raises(AgmpkError, match="choosing"):
        published_studies("training", 1)


@pytest.mark.parametrize("kind", KINDS)
def test_designs_are_what_they_are_called(kind):
    model = MODELS["Hopkins_2017_doxycycline"]
    study = draw_study(model, kind, np.random.default_rng(4)).study
    samples = np.array([len(one) for one in study])
    doses = [len(one.single_doses()) for one in study]
    amounts = {round(one.doses[0].amount, 6) for one in study}
    if kind in ("single", "arms"):
        assert max(doses) == 1 and np.median(samples) >= 7
    if kind == "arms":
        assert 2 <= len(amounts) <= 4
    if kind == "repeated":
        last = [one.single_doses()[-1].time for one in study]
        late = [np.sum(one.times > t) for one, t in zip(study, last, strict=True)]
        assert min(doses) >= 2 and np.median(late) >= 4
    if kind == "monitoring":
        assert samples.max() <= 6 and len(amounts) >= 3 and len(study) >= 12


def test_every_model_ends_at_a_sensible_time():
    table = pd.DataFrame(
        [typical_profile(m) for m in MODELS.values()], MODELS, ["cmax", "tmax", "end"]
    )
    assert table["end"].between(0.5, 336).all() and (table["tmax"] < table["end"]).all()
    one = MODELS["Akbar_2025_voriconazole"]  # one compartment: 95 % after ln 20 mean times
    expected = np.log(20) * one.typical["V"] / one.typical["CL"]
    assert typical_profile(one)[2] == pytest.approx(expected, rel=0.15)
