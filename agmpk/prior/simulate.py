"""Simulated studies: parameters, design, compartments, assay, put together.

Studies are drawn in blocks of a fixed size, each from its own generator seeded by
(seed, block number).  So a seed gives the same studies whatever the batch size and however many
workers share the blocks.

Shapes: S studies, I individuals, T samples, N = S I, G grid points, D states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from agmpk.prior.assay import observe
from agmpk.prior.compartments import Layout, Rates, generator_matrix, propagate
from agmpk.prior.config import PriorConfig
from agmpk.prior.design import draw_horizon, draw_schedule
from agmpk.prior.laws import draw_integer, draw_normal, draw_switch
from agmpk.prior.ou import ou_paths
from agmpk.prior.parameters import Parameters, draw_parameters

BLOCK = 64


@dataclass(frozen=True)
class SimulatedStudies:
    """A batch of studies as padded tensors, float64.

    times [S, I, T] h; concentration [S, I, T] as reported; true [S, I, T] without assay error;
    quantified [S, I, T]; present [S, I] individuals that take part; dose [S, I]; oral [S];
    duration [S] h (0 for bolus and oral); lloq [S]; is_metabolite [S]; poor [S, I].
    """

    times: Tensor
    concentration: Tensor
    true: Tensor
    quantified: Tensor
    present: Tensor
    dose: Tensor
    oral: Tensor
    duration: Tensor
    lloq: Tensor
    is_metabolite: Tensor
    poor: Tensor

    def __len__(self) -> int:
        return len(self.oral)

    def __getitem__(self, rows: slice | Tensor) -> SimulatedStudies:
        return SimulatedStudies(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def concatenate(parts: list[SimulatedStudies]) -> SimulatedStudies:
    """One batch from several."""
    return SimulatedStudies(
        **{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(SimulatedStudies)}
    )


def block_generator(seed: int, block: int) -> torch.Generator:
    """The generator of a block: independent streams from (seed, block) by numpy's SeedSequence."""
    state = np.random.SeedSequence([seed, block]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 32 | int(state[1]))


def simulate_block(
    config: PriorConfig, seed: int, block: int, dtype: torch.dtype = torch.float64
) -> SimulatedStudies:
    """The ``block``-th ``BLOCK`` studies of the stream of ``seed``.

    ``dtype`` is the precision of the compartment solution (float32 is four times faster and good
    to about 1e-4); random numbers are always drawn in float64, so it does not change the studies.
    """
    g = block_generator(seed, block)
    design, S = config.design, BLOCK
    individuals = design.individuals[1]
    horizon = draw_horizon(design, S, g)
    p = draw_parameters(config, horizon, individuals, g)
    times, exists = draw_schedule(design, p.typical, horizon, individuals, g)
    present = torch.arange(individuals) < draw_integer(*design.individuals, (S, 1), g)
    dose, oral, duration = _draw_dose(config, horizon, individuals, g)
    true = _solve(config, p, horizon, times, dose, oral, duration, g, dtype)
    exists = exists & present[..., None]
    concentration, quantified, lloq = observe(config.assay, true, exists, g)
    return SimulatedStudies(
        times,
        concentration,
        true,
        quantified,
        present,
        dose,
        oral,
        duration,
        lloq,
        p.is_metabolite,
        p.poor,
    )


def simulate(config: PriorConfig, studies: int, seed: int) -> SimulatedStudies:
    """The first ``studies`` studies of the stream of ``seed``, in float64."""
    blocks = -(-studies // BLOCK)
    return concatenate([simulate_block(config, seed, b) for b in range(blocks)])[:studies]


def stream(config: PriorConfig, seed: int, start: int = 0) -> Iterator[SimulatedStudies]:
    """Blocks without end, in float32 precision, from block ``start``: feeds training."""
    block = start
    while True:
        yield simulate_block(config, seed, block, torch.float32)
        block += 1


def _draw_dose(
    config: PriorConfig, horizon: Tensor, individuals: int, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    d, S = config.dosing, len(horizon)
    oral = draw_switch(d.oral_probability, (S,), g)
    infusion = ~oral & draw_switch(d.infusion_probability, (S,), g)
    duration = torch.where(infusion, d.infusion_duration.draw((S,), g) * horizon, 0.0)
    spread = d.sd_log_dose.draw((S, 1), g) * draw_normal((S, individuals), g)
    same = draw_switch(d.same_dose_probability, (S, 1), g)
    dose = torch.exp(d.log_dose.draw((S, 1), g) + torch.where(same, 0.0, spread))
    return dose, oral, duration


def _solve(
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
