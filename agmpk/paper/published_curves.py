"""Published population models as simulators: people and their exact curves.

``data/poppk/models.csv`` holds one published model a row, as facts: typical values,
between-subject and between-occasion SDs, correlations, residual error. Here a row becomes a
system of compartments whose parameters differ between people and occasions.

State of one individual (amounts, mg), for each path that a dose may take::

    rate -> stage 1 -> ... -> stage n -> depot -> central <-> peripheral 1, 2
                                                 central -> out

A path has a lag, a zero-order input (``rate``) or a bolus, n stages of a transit chain and a
first-order depot, each of which may be absent. Between doses everything is linear with constant
coefficients, so the matrix exponential is exact; saturable elimination is split off.

Shapes: N people, O occasions, K intervals of the grid, D states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import lambertw

from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.files import data_path

Array = NDArray[np.float64]

PARAMETERS = ("ka", "tlag", "mtt", "duration", "F", "CL", "V", "Q", "V2", "Q2", "V3")
MISSING_SD = ("ka", "tlag", "mtt", "F", "CL", "V", "Q", "V2", "V3")
"""Parameters whose missing SD is filled by the median over the models that give one."""

STEP = 0.02  # of 1/ke, between eliminations where they saturate: error below 2e-4 of Cmax
LARGEST_SD = 1.2  # between-subject SDs above it come from sparse data and are cut
UNREPORTED_RHO_CL_V = 0.36  # half the median of the reported ones, which are reported when large
MG_PER_L = {"mg/L": 1.0, "ug/mL": 1.0, "ng/mL": 1e-3, "ug/L": 1e-3, "g/dL": 1e4}
MG_PER_L |= {"nmol/L": 1e-6 * 418.57}  # of simvastatin


@dataclass(frozen=True)
class Path:
    """One way of a dose into the body: ``share`` of it, and what delays it (h, 1/h).

    ``stages`` of a transit chain take ``mtt`` in all; ``ka`` NaN means no depot, ``duration`` 0
    no zero-order input. A value of the path itself stands for the typical one.
    """

    share: float = 1.0
    tlag: float = 0.0
    duration: float = 0.0
    stages: int = 0
    mtt: float = 0.0
    ka: float = np.nan


@dataclass(frozen=True, eq=False)
class PublishedModel:
    """One published model, "author_year_drug".

    healthy: whether the cohort was of healthy adults only.  paths: of an oral dose; empty where the
    drug was only given intravenously.  routes: as the table has them.  typical: F, CL [L/h], V [L]
    and, with peripheral compartments, Q, V2, Q2, V3 [L/h, L].  km: Michaelis constant [mg/L],
    infinite where elimination is linear; CL is Vmax/Km.  between, occasion: SDs of the natural
    logarithm between subjects, by ``PARAMETERS``, and between occasions of one subject.
    correlation: [P, P] of the between-subject effects, in that order.  proportional, additive: SDs
    of the residual error, as a fraction and in mg/L; log_additive: on the logarithmic scale (0
    where not used).  dose: one typical dose [mg].  repeated: whether only repeated doses were
    fitted.
    """

    name: str
    drug: str
    healthy: bool
    paths: tuple[Path, ...]
    routes: str
    typical: Mapping[str, float]
    km: float
    between: Mapping[str, float]
    occasion: Mapping[str, float]
    correlation: Array = field(repr=False)
    proportional: float
    additive: float
    log_additive: float
    dose: float
    repeated: bool

    @property
    def intravenous(self) -> bool:
        """Whether doses into the central compartment were fitted."""
        return "iv_" in self.routes

    @property
    def peripherals(self) -> int:
        """Number of peripheral compartments, 0 to 2."""
        return sum(name in self.typical for name in ("V2", "V3"))


@lru_cache
def model_table() -> pd.DataFrame:
    """Return ``data/poppk/models.csv``, one published model a row, indexed by ``id``."""
    return pd.read_csv(data_path("poppk", "models.csv"), index_col="id")


@lru_cache
def completed() -> dict[str, Any]:
    """What the rows of the table lack: ``data/poppk/completed.yaml``."""
    return load_yaml(data_path("poppk", "completed.yaml"))


@lru_cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return all published models, in the order of the table."""
    table = model_table()
    fill = {name: float(table[f"om_{name}"].median()) for name in MISSING_SD}
    residual = float(table["log_add_sd"].fillna(table["prop_sd"]).median())
    return tuple(_model(str(id), row, fill, residual) for id, row in table.iterrows())


def _model(id: str, row: pd.Series, fill: Mapping[str, float], residual: float) -> PublishedModel:
    def value(name: str, missing: float = np.nan) -> float:
        return float(row[name]) if pd.notna(row[name]) else missing

    more, typical = completed(), {"F": value("F", 1.0), "CL": value("CL_L_h"), "V": value("V_L")}
    n = int(row["n_compartments"])
    if n > 1:
        typical |= {"Q": value("Q_L_h"), "V2": value("V2_L")}
    if n > 2:
        typical |= {"Q2": value("Q2_L_h"), "V3": value("V3_L")}
    routes = str(row["routes"])
    # Naloxone's depot is a muscle and a nose: only its intravenous arm is used.
    oral = "oral" in routes and row["absorption"] != "none"
    between = {name: min(value(f"om_{name}", fill[name]), LARGEST_SD) for name in MISSING_SD}
    # Apparent clearances and volumes already carry the spread of F.
    if row["apparent"] == 1 and pd.isna(row["om_F"]):
        between["F"] = 0.0
    between["Q2"] = between["Q"]
    between["duration"] = more["sd_duration"].get(id, more["usual_sd_duration"])
    unit = MG_PER_L.get(str(row["add_unit"]), 1.0)
    log_additive, additive = value("log_add_sd", 0.0), unit * value("add_sd", 0.0)
    nothing = not (log_additive or additive)
    return PublishedModel(
        name=id,
        drug=str(row["drug"]),
        healthy=str(row["population"]).startswith("healthy adults"),
        paths=_paths(id, row, value) if oral else (),
        routes=routes,
        typical=typical,
        km=float(more["km"].get(id, np.inf)),
        between=between,
        occasion={name: value(f"iov_{name}", 0.0) for name in ("CL", "F", "ka", "V")},
        correlation=_correlation(row, value),
        proportional=value("prop_sd", residual if nothing else 0.0),
        additive=additive,
        log_additive=log_additive,
        dose=float(more["dose"].get(id, value("dose_mg_typical"))),
        repeated=row["single_or_multiple_dose"] == "multiple",
    )


def _paths(id: str, row: pd.Series, value) -> tuple[Path, ...]:
    if id in completed()["paths"]:
        return tuple(Path(**one) for one in completed()["paths"][id])
    lag = value("tlag_h", model_table()["tlag_h"].median() if "lag" in row["absorption"] else 0.0)
    if row["absorption"] != "transit":
        return (Path(tlag=lag, duration=value("duration_h", 0.0), ka=value("ka_per_h")),)
    # n transit compartments make n + 1 steps, as in the rows whose mtt states it; doxycycline's
    # two steps are counted as two.
    steps = round(value("n_transit")) + (id != "Hopkins_2017_doxycycline")
    return (Path(tlag=lag, stages=steps, mtt=value("mtt_h"), ka=value("ka_per_h")),)


def _correlation(row: pd.Series, value) -> Array:
    at = {name: k for k, name in enumerate(PARAMETERS)}
    found = np.eye(len(PARAMETERS))
    # The "ka" of a chain without a depot is its rate, the inverse of its mean time.
    chain = row["absorption"] == "transit" and pd.isna(row["ka_per_h"])
    speed, sign = ("mtt", -1.0) if chain else ("ka", 1.0)
    for first, second, rho in (
        ("CL", "V", value("rho_CL_V", UNREPORTED_RHO_CL_V)),
        ("CL", speed, sign * value("rho_CL_ka", 0.0)),
        ("V", speed, sign * value("rho_V_ka", 0.0)),
        ("CL", "V2", value("rho_CL_V2", 0.0)),
    ):
        found[at[first], at[second]] = found[at[second], at[first]] = rho
    return found


@dataclass(frozen=True)
class People:
    """Parameters of N people on O occasions: ``values`` by ``PARAMETERS``, each [N, O].

    ``ka``, ``tlag``, ``mtt`` and ``duration`` are factors of the typical values of each path.
    """

    model: PublishedModel
    values: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.values["CL"])


def draw_people(model: PublishedModel, n: int, rng: np.random.Generator) -> People:
    """Draw ``n`` people with log-normal parameters, anew on each of two occasions where
    published."""
    sd = np.array([model.between[name] for name in PARAMETERS])
    weights, vectors = np.linalg.eigh(model.correlation)
    # The symmetric root: unlike the vectors it is the same whichever processor finds them.
    root = vectors * np.sqrt(weights.clip(min=0)) @ vectors.T
    eta = rng.standard_normal((n, len(PARAMETERS))) @ root * sd
    values = {}
    for k, name in enumerate(PARAMETERS):
        kappa = model.occasion.get(name, 0.0) * rng.standard_normal((n, 2))
        values[name] = model.typical.get(name, 1.0) * np.exp(eta[:, k, None] + kappa)
    return People(model, values)


def typical_person(model: PublishedModel) -> People:
    """Return one person who has the typical values on one occasion."""
    values = {name: np.full((1, 1), model.typical.get(name, 1.0)) for name in PARAMETERS}
    return People(model, values)


@dataclass(frozen=True)
class Given:
    """A dose that person ``person`` was given: h, mg; ``duration`` 0 and not ``oral``: a bolus."""

    person: int
    time: float
    amount: float
    oral: bool
    duration: float = 0.0


def curves(
    people: People,
    doses: Sequence[Given],
    times: Sequence[Array],
    second_occasion: float = np.inf,
) -> list[Array]:
    """Return the exact concentrations [mg/L] of each person at ``times[n]`` [h], without error.

    A sample at the very time of a dose is taken before it. The second occasion's parameters hold
    from the time ``second_occasion`` on.

    Raises:
        AgmpkError: a dose is oral and the model has no oral path.
    """
    system = _System(people, any(not d.oral and d.duration > 0 for d in doses))
    events: list[list[tuple[float, int, float]]] = [[] for _ in range(len(people))]
    for dose in doses:
        occasion = int(dose.time >= second_occasion)
        events[dose.person] += system.events(dose, occasion)
    horizon = max((float(t[-1]) for t in times if len(t)), default=0.0)
    switch = [second_occasion] if second_occasion < horizon else []
    grids = [
        np.unique([0.0, *t, *switch, *(time for time, _, _ in found if time < horizon)])
        for t, found in zip(times, events, strict=True)
    ]
    longest = max(map(len, grids))
    grid = np.array([np.pad(g, (0, longest - len(g)), mode="edge") for g in grids])
    jumps = np.zeros((len(people), longest, system.size))
    for n, found in enumerate(events):
        for time, state, amount in found:
            if time < horizon:
                jumps[n, np.searchsorted(grids[n], time), state] += amount
    occasion = (grid[:, :-1] >= second_occasion).astype(int)
    before = system.solve(np.diff(grid), jumps, occasion)
    volume = np.where(grid >= second_occasion, *(people.values["V"][:, [o]] for o in (-1, 0)))
    concentration = before[..., system.central] / volume
    return [concentration[n, np.searchsorted(grids[n], t)].clip(min=0) for n, t in enumerate(times)]


class _System:
    """The compartments of a model: where they stand, and their rates in each person."""

    def __init__(self, people: People, infusions: bool) -> None:
        self.people, model = people, people.model
        self.central, self.peripherals = 0, list(range(1, 1 + model.peripherals))
        free = 1 + model.peripherals
        # Of each path: itself, its first stage or depot, and the state that holds its rate.
        self.paths: list[tuple[Path, int, int | None]] = []
        for path in (*model.paths, *[Path(duration=1.0)] * infusions):
            inner = path.stages + (path.ka == path.ka)
            first, after = (free if inner else self.central), free + inner
            self.paths.append((path, first, after if path.duration > 0 else None))
            free = after + (path.duration > 0)
        self.size = free
        self.matrices = self._matrices()

    def _matrices(self) -> Array:
        """Generators [N, O, D, D], dx/dt = A x."""
        v = self.people.values
        A = np.zeros((*v["CL"].shape, self.size, self.size))

        def flow(source: int, target: int | None, rate: Array) -> None:
            A[..., source, source] -= rate
            if target is not None:
                A[..., target, source] += rate

        flow(self.central, None, v["CL"] / v["V"])
        for k, (Q, volume) in zip(self.peripherals, (("Q", "V2"), ("Q2", "V3")), strict=False):
            flow(self.central, k, v[Q] / v["V"])
            flow(k, self.central, v[Q] / v[volume])
        for path, first, rate in self.paths:
            # The stages of a chain stand in a row; a depot, if there is one, stands behind them.
            row = [first + k for k in range(path.stages + (path.ka == path.ka))] + [self.central]
            for here, there in pairwise(row[: path.stages + 1]):
                flow(here, there, path.stages / (path.mtt * v["mtt"]))
            if path.ka == path.ka:
                flow(row[-2], self.central, path.ka * v["ka"])
            if rate is not None:
                A[..., first, rate] += 1.0
        return A

    def events(self, dose: Given, occasion: int) -> list[tuple[float, int, float]]:
        """(time, state, amount) of the jumps that a dose makes."""
        v = {name: float(x[dose.person, occasion]) for name, x in self.people.values.items()}
        if not dose.oral:
            if dose.duration == 0:
                return [(dose.time, self.central, dose.amount)]
            rate, k = dose.amount / dose.duration, self.paths[-1][2]
            return [(dose.time, k, rate), (dose.time + dose.duration, k, -rate)]
        if not self.people.model.paths:
            raise AgmpkError(f"{self.people.model.name} has no oral doses; give it intravenously.")
        found = []
        for path, first, rate in self.paths[: len(self.people.model.paths)]:
            start, amount = dose.time + path.tlag * v["tlag"], path.share * v["F"] * dose.amount
            if rate is None:
                found.append((start, first, amount))
            else:
                length = path.duration * v["duration"]
                found += [(start, rate, amount / length), (start + length, rate, -amount / length)]
        return found

    def solve(self, steps: Array, jumps: Array, occasion: Array) -> Array:
        """Amounts [N, K + 1, D] just before each grid point's jump."""
        A = self.matrices[np.arange(len(steps))[:, None], occasion]
        linear = np.isinf(self.people.model.km)
        states = np.zeros(jumps.shape)
        if linear:
            moves = _exponential(A * steps[..., None, None])
        for k in range(steps.shape[1]):
            after = states[:, k] + jumps[:, k]
            if linear:
                states[:, k + 1] = np.einsum("nij,nj->ni", moves[:, k], after)
            else:
                states[:, k + 1] = self._saturable(A[:, k], steps[:, k], after, occasion[:, k])
        return states

    def _saturable(self, A: Array, h: Array, x: Array, occasion: Array) -> Array:
        """One interval of Michaelis-Menten elimination, by symmetric splitting in short steps.

        Each half of the split is exact: absorption and exchange are a matrix exponential, and
        Michaelis-Menten elimination alone has its closed form by Lambert's W.
        """
        people = np.arange(len(h))
        V = self.people.values["V"][people, occasion]
        rate = (self.people.values["CL"] / self.people.values["V"])[people, occasion]
        n = int(np.ceil((h * rate / STEP).max(initial=0))) or 1
        half, km = rate * h / (2 * n), self.people.model.km * V
        without = A.copy()
        without[:, self.central, self.central] += rate
        move = _exponential(without * (h / n)[:, None, None])

        def eliminate(x: Array, by: Array) -> None:
            u = x[:, self.central].clip(min=0) / km
            x[:, self.central] = km * lambertw(u * np.exp(u - by)).real

        x = x.copy()
        eliminate(x, half)
        for step in range(n):
            x = np.einsum("nij,nj->ni", move, x)
            eliminate(x, half if step == n - 1 else 2 * half)
        return x


def _exponential(matrices: Array) -> Array:
    return torch.matrix_exp(torch.from_numpy(matrices)).numpy()


def observe(model: PublishedModel, curve: Array, rng: np.random.Generator) -> Array:
    """Add the model's residual error to concentrations [mg/L]; the result may be negative."""
    normal = rng.standard_normal((2, *np.shape(curve)))
    sd = np.hypot(model.proportional * curve, model.additive)
    return (curve + sd * normal[0]) * np.exp(model.log_additive * normal[1])
