"""Simulated studies: doses, parameters, design, compartments, assay, put together.

Studies are drawn in blocks of a fixed size, each from its own random streams, which are set by
(seed, block number).  So a seed gives the same studies whatever the batch size and however many
workers share the blocks.

Shapes: S studies, I individuals, T samples.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from agmpk.prior.assay import observe
from agmpk.prior.batch import SimulatedStudies, concatenate
from agmpk.prior.config import PriorConfig
from agmpk.prior.design import draw_present, draw_schedule
from agmpk.prior.dosing import draw_doses
from agmpk.prior.parameters import draw_parameters, fit_horizon
from agmpk.prior.solve import Trial, solve
from agmpk.prior.streams import Streams, block_generator
from agmpk.prior.variability import draw_occasions

__all__ = ["BLOCK", "block_generator", "simulate", "simulate_block"]

BLOCK = 64


def simulate_block(
    config: PriorConfig,
    seed: int,
    block: int,
    device: torch.device | str = "cpu",
) -> SimulatedStudies:
    """The ``block``-th ``BLOCK`` studies of the stream of ``seed``, on the CPU.

    Random numbers are always drawn on the CPU; ``device`` is where the compartments are solved.
    """
    streams = Streams(seed, block)
    trial = draw_trial(config, streams)
    true = solve(config, trial, streams, device)
    concentration, quantified, below, lloq = observe(config.assay, true, trial.exists, streams)
    doses = trial.doses
    return SimulatedStudies(
        times=trial.times,
        concentration=concentration,
        true=true,
        quantified=quantified,
        below=below,
        present=trial.present,
        dose_time=doses.time,
        dose_amount=doses.amount,
        dose_duration=doses.duration,
        dose_oral=doses.oral,
        dosed=doses.dosed,
        weight=doses.weight,
        lloq=lloq,
        is_metabolite=trial.parameters.is_metabolite,
        poor=trial.parameters.poor,
    )


def draw_trial(config: PriorConfig, streams: Streams) -> Trial:
    """Everything of ``BLOCK`` studies that is drawn before a sample is taken."""
    design = config.design
    present = draw_present(design, BLOCK, streams)
    horizon, half_life = fit_horizon(config, BLOCK, streams)
    doses = draw_doses(config.dosing, horizon, present, streams, half_life)
    doses = replace(doses, gain=draw_occasions(config.variability, doses.dosed, streams))
    p = draw_parameters(config, horizon, doses.weight, streams, doses.reference)
    times, exists = draw_schedule(
        design, p.typical, horizon, doses, present, config.dosing.after_last_dose, streams
    )
    return Trial(p, doses, horizon, times, exists, present)


def simulate(config: PriorConfig, studies: int, seed: int) -> SimulatedStudies:
    """The first ``studies`` studies of the stream of ``seed``."""
    blocks = -(-studies // BLOCK)
    return concatenate([simulate_block(config, seed, b) for b in range(blocks)])[:studies]
