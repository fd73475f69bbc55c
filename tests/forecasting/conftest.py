"""Individuals whose kinetics are known in closed form or to an integrator's precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from agmpk.studies import Dose, Individual, Study


@dataclass(frozen=True)
class Person:
    """One compartment: clearance [L/h], volume [L], absorption [1/h]; with ``km`` [mg/L] the
    elimination is saturable, and ``clearance`` is that at low concentrations."""

    clearance: float
    volume: float
    ka: float = 1.0
    km: float = np.inf

    def concentrations(self, doses, times) -> np.ndarray:
        """mg/L at ``times`` [h] after doses in mg; a dose at a time is not yet in the sample."""
        singles = [single for dose in doses for single in dose.expand()]
        solved = self._linear if np.isinf(self.km) else self._saturable
        return solved(singles, np.asarray(times, float))

    def _linear(self, doses, times) -> np.ndarray:
        """Superposition (Gibaldi & Perrier 1982)."""
        ke, ka, amount = self.clearance / self.volume, self.ka, np.zeros_like(times)
        for dose in doses:
            since = times - dose.time
            s = np.clip(since, 0, None)
            if dose.route == "oral":
                one = ka / (ka - ke) * (np.exp(-ke * s) - np.exp(-ka * s))
            elif dose.route == "iv_bolus":
                one = np.exp(-ke * s)
            else:
                run = np.minimum(s, dose.duration)
                one = -np.expm1(-ke * run) / (ke * dose.duration) * np.exp(-ke * (s - run))
            amount = amount + np.where(since > 0, dose.amount * one, 0.0)
        return amount / self.volume

    def _saturable(self, doses, times) -> np.ndarray:
        """Michaelis-Menten elimination of oral doses, integrated from dose to dose."""
        most = self.clearance * self.km

        def rates(_, state):
            gut, level = state
            gone = most * level / (self.km + level) / self.volume
            return [-self.ka * gut, self.ka * gut / self.volume - gone]

        found, state = np.zeros_like(times), np.zeros(2)
        marks = [dose.time for dose in doses] + [max(times[-1], doses[-1].time) + 1]
        for dose, end in zip(doses, marks[1:], strict=True):
            state = state + [dose.amount, 0.0]
            run = solve_ivp(rates, (dose.time, end), state, dense_output=True, rtol=1e-8, atol=1e-9)
            inside = (times > dose.time) & (times <= end)
            if inside.any():
                found[inside] = run.sol(times[inside])[1]
            state = run.y[:, -1]
        return found


@pytest.fixture(scope="session")
def person() -> type[Person]:
    return Person


@pytest.fixture(scope="session")
def people() -> Callable[..., list[Person]]:
    """``n`` people of a population; ``km`` [mg/L] makes their elimination saturable."""

    def draw(n: int, seed: int, km: float = np.inf) -> list[Person]:
        rng = np.random.default_rng(seed)
        clearance = 4 * np.exp(0.3 * rng.normal(size=n))
        volume = 40 * np.exp(0.2 * rng.normal(size=n))
        ka = 1.2 * np.exp(0.4 * rng.normal(size=n))
        return [Person(*one, km) for one in zip(clearance, volume, ka, strict=True)]

    return draw


@pytest.fixture(scope="session")
def observe() -> Callable[..., Study]:
    """The study of some people, with each one's doses; ``error`` is the SD of ln y."""

    def study(people, doses, times, error: float = 0.0, seed: int = 0) -> Study:
        rng = np.random.default_rng(seed)
        seen = []
        for number, (one, given) in enumerate(zip(people, doses, strict=True), start=1):
            given = (given,) if isinstance(given, Dose) else tuple(given)
            y = one.concentrations(given, times)
            y = y * np.exp(error * rng.normal(size=len(y)))
            seen.append(Individual(str(number), times, y, given))
        return Study("known", tuple(seen))

    return study
