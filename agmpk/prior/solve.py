"""True concentrations of all individuals of a block: grid, doses, rates, matrix exponentials.

Shapes: S studies, I individuals, T samples, G grid points, D states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.compartments import Layout, Rates, generator_matrix, propagate
from agmpk.prior.config import PriorConfig
from agmpk.prior.ou import ou_paths
from agmpk.prior.parameters import Parameters


def solve(
    config: PriorConfig,
    p: Parameters,
    horizon: Tensor,
    times: Tensor,
    dose: Tensor,
    oral: Tensor,
    duration: Tensor,
    g: torch.Generator,
    dtype: torch.dtype,
) -> Tensor:
    """True concentrations [S, I, T] at the sampling times."""
    S, individuals, T = times.shape
    layout = Layout(config.absorption.max_transits, config.disposition.peripherals[1])
    oral_i = oral[:, None].expand(S, individuals)
    first = torch.where(oral_i, p.lag, 0.0)
    second = torch.where(oral_i, p.lag + p.split_delay, duration[:, None])
    refresh = max(config.solver_steps, config.ou_refresh)
    regular = horizon[:, None] * torch.arange(1, refresh + 1) / max(refresh, 1)
    grid = torch.cat(
        [
            torch.zeros(S, individuals, 1, dtype=times.dtype),
            first[..., None],
            second[..., None],
            times,
            regular[:, None].expand(S, individuals, refresh),
        ],
        -1,
    )
    # Stable: at equal times a dose comes before the sample, as in a trial.
    grid, order = grid.sort(dim=-1, stable=True)

    jumps = _jumps(p, layout, dose, oral_i, duration, grid.shape[-1])
    jumps = jumps.gather(2, order[..., None].expand_as(jumps))
    ou = ou_paths(
        grid,
        p.ou_sd[:, None].expand(S, individuals, -1),
        p.ou_time_scale[:, None].expand(S, individuals),
        g,
    )
    matrix = generator_matrix(_rates(p, ou), layout)

    flat = (S * individuals,)
    states = propagate(
        matrix.flatten(0, 1).to(dtype),
        grid.diff(dim=-1).reshape(*flat, -1).to(dtype),
        jumps.flatten(0, 1).to(dtype),
    ).double()
    states = states.unflatten(0, (S, individuals))
    amount = torch.where(
        p.is_metabolite[:, None, None], states[..., layout.metabolite], states[..., layout.central]
    )
    concentration = amount / torch.exp(p.V[..., None] + ou[..., 2])
    back = order.argsort(dim=-1)[..., 3 : 3 + T]
    return concentration.gather(-1, back)


def _jumps(
    p: Parameters, layout: Layout, dose: Tensor, oral: Tensor, duration: Tensor, points: int
) -> Tensor:
    """What enters the state at (time 0, first event, second event), then nothing: [S, I, G, D]."""
    S, individuals = dose.shape
    jumps = dose.new_zeros((S, individuals, points, layout.size))
    amount = dose * torch.exp(p.F)
    entry = torch.nn.functional.one_hot(layout.gut - p.transits, layout.size)[:, None]
    by_mouth = torch.where(oral, amount, 0.0)
    jumps[:, :, 1] = (by_mouth * (1 - p.split_fraction))[..., None] * entry
    jumps[:, :, 2] = (by_mouth * p.split_fraction)[..., None] * entry
    infused = (duration > 0)[:, None] & ~oral
    rate = torch.where(infused, dose / duration.clamp(min=1e-9)[:, None], 0.0)
    jumps[:, :, 0, layout.central] = torch.where(~oral & ~infused, dose, 0.0)
    jumps[:, :, 0, layout.infusion] = rate
    jumps[:, :, 2, layout.infusion] = -rate
    return jumps


def _rates(p: Parameters, ou: Tensor) -> Rates:
    """Rates of each interval: the geometric mean of the values at its two ends."""
    middle = 0.5 * (ou[..., 1:, :] + ou[..., :-1, :])
    P = p.k_out.shape[-1]
    ke = torch.exp(p.ke[..., None] + middle[..., 1])
    return Rates(
        ka=torch.exp(p.ka[..., None] + middle[..., 0]),
        ke=ke,
        km=torch.exp(p.km[..., None] + middle[..., 3]),
        k_form=ke * p.formed[..., None],
        k_out=torch.exp(p.k_out[:, :, None] + middle[..., 4 : 4 + P]) * p.exchange[:, :, None],
        k_in=torch.exp(p.k_in[:, :, None] + middle[..., 4 + P :]),
        first_pass=p.first_pass[..., None].expand_as(ke),
    )
