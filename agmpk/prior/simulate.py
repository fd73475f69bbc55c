"""Simulated studies: parameters, design, compartments, assay, put together.

Studies are drawn in blocks of a fixed size, each from its own generator seeded by
(seed, block number).  So a seed gives the same studies whatever the batch size and however many
workers share the blocks.

Shapes: S studies, I individuals, T samples.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agmpk.prior.assay import observe
from agmpk.prior.batch import SimulatedStudies, concatenate
from agmpk.prior.config import PriorConfig
from agmpk.prior.design import draw_horizon, draw_schedule
from agmpk.prior.laws import draw_integer, draw_normal, draw_switch
from agmpk.prior.parameters import draw_parameters
from agmpk.prior.solve import solve

BLOCK = 64


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
    true = solve(config, p, horizon, times, dose, oral, duration, g, dtype)
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
