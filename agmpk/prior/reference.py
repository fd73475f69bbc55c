"""Other solvers of the same problems: scipy one individual at a time, torchdiffeq all at once.

They check ours and are what its speed is measured against.  Rates change at every grid point, so
both restart there; each interval is scaled to unit time, dx/ds = h A x.

Shapes: N individuals, G grid points, D states.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from torch import Tensor
from torchdiffeq import odeint

from agmpk.prior.compartments import Layout, Rates, generator_matrix
from agmpk.prior.problem import Problem


def constant_rates(
    ka: ArrayLike, ke: ArrayLike, k_out: ArrayLike, k_in: ArrayLike, intervals: int
) -> Rates:
    """Rates [1/h] of N individuals that do not change with time, over so many intervals; each
    argument has N values, the exchange is with one peripheral compartment."""
    given = (torch.as_tensor(x, dtype=torch.float64) for x in (ka, ke, k_out, k_in))
    ka, ke, k_out, k_in = (x.reshape(-1, 1).expand(-1, intervals) for x in given)
    none = torch.zeros_like(ka)
    return Rates(ka, ke, k_out[..., None], k_in[..., None], none, none, none)


def by_scipy(
    problem: Problem, method: str = "LSODA", rtol: float = 1e-9, atol: float = 1e-12
) -> NDArray[np.float64]:
    """Amounts [N, G, D] by ``scipy.integrate.solve_ivp``, a loop over individuals and intervals.

    ``atol`` is relative to the individual's largest jump.
    """
    matrices = (generator_matrix(problem.rates, problem.layout)).numpy()
    steps, jumps = problem.steps.numpy(), problem.jumps.numpy()
    states = np.empty(jumps.shape)
    for n in range(len(jumps)):
        states[n, 0] = jumps[n, 0]
        floor = atol * np.abs(jumps[n]).max()
        for k, h in enumerate(steps[n]):
            states[n, k + 1] = jumps[n, k + 1] + states[n, k]
            if h > 0 and states[n, k].any():
                slope, jacobian = _slope(problem, matrices[n, k] * h, n, k)
                found = solve_ivp(
                    slope, (0, 1), states[n, k], method, rtol=rtol, atol=floor, jac=jacobian
                )
                states[n, k + 1] = found.y[:, -1] + jumps[n, k + 1]
    return states


def _slope(problem: Problem, matrix: NDArray, n: int, k: int) -> tuple:
    """Right-hand side and Jacobian of interval ``k`` of individual ``n``."""
    if problem.km_amount is None:
        return (lambda _, x: matrix @ x), (lambda _, x: matrix)
    at, h = problem.layout, float(problem.steps[n, k])
    km = float(problem.km_amount[n, k])
    leaving = np.zeros(at.size)
    leaving[at.central] = -float(problem.rates.ke[n, k]) * h
    leaving[at.metabolite] = float(problem.rates.k_form[n, k]) * h

    def slope(_: float, x: NDArray) -> NDArray:
        c = x[at.central]
        return matrix @ x + leaving * (c / (1 + c / km) - c)

    def jacobian(_: float, x: NDArray) -> NDArray:
        changed = matrix.copy()
        changed[:, at.central] += leaving * (1 / (1 + x[at.central] / km) ** 2 - 1)
        return changed

    return slope, jacobian


def by_torchdiffeq(problem: Problem, rtol: float = 1e-4, atol: float = 1e-6) -> Tensor:
    """Amounts [N, G, D] by dopri5, all individuals at once, for linear problems.

    ``atol`` is relative to each individual's largest jump.
    """
    matrices = generator_matrix(problem.rates, problem.layout) * problem.steps[..., None, None]
    scale = problem.jumps.abs().amax((1, 2)).clamp(min=1e-300)[:, None]
    jumps = problem.jumps / scale[..., None]
    unit = torch.tensor([0.0, 1.0], dtype=jumps.dtype)
    state = jumps[:, 0]
    states = [state]
    for k in range(problem.steps.shape[1]):
        a = matrices[:, k]
        moved = odeint(
            lambda _, x, a=a: (a @ x[..., None])[..., 0],
            state, unit, rtol=rtol, atol=atol, method="dopri5",
        )  # fmt: skip
        state = moved[-1] + jumps[:, k + 1]
        states.append(state)
    return torch.stack(states, 1) * scale[:, None]


def largest_relative_error(
    found: Tensor | NDArray, exact: Tensor | NDArray, layout: Layout, floor: float
) -> float:
    """max |found / exact - 1| over amounts above ``floor`` times the individual's largest one."""
    found, exact = (torch.as_tensor(v)[..., : layout.infusion] for v in (found, exact))
    keep = exact > floor * exact.amax((1, 2), keepdim=True).clamp(min=1e-300)
    return float((found[keep] / exact[keep] - 1).abs().max())
