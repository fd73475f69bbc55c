"""Simulated studies: doses, parameters, design, compartments, assay, put together.

Studies are drawn in blocks of a fixed size, each from its own random streams, which are set by
(seed, block number).  So a seed gives the same studies whatever the batch size and however many
workers share the blocks.

Only the individuals that take part are solved, all studies of a block below each other.  Studies
with repeated doses need more grid points and saturable ones a finer grid; each kind is solved by
itself, so that the others do not pay for it.

Shapes: S studies, I individuals, T samples; N individuals that take part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agmpk.prior.compartments import Layout
from agmpk.prior.config import Assay, PriorConfig
from agmpk.prior.design import draw_present, draw_schedule
from agmpk.prior.dosing import Doses, Given, draw_doses
from agmpk.prior.laws import Streams, draw_normal, draw_switch
from agmpk.prior.parameters import Parameters, draw_occasions, draw_parameters, fit_horizon
from agmpk.prior.problem import Events, Problem, pose, where_elimination_changes
from agmpk.prior.table import SimulatedStudies, concatenate

BLOCK = 64
ORDER = 12  # of the approximation of exp: errors of 4e-12 of the amount moved
FEW, SHORT = 3, 4  # doses of a short grid and stages of a short chain, at most
PER_PERIPHERAL = ("k_out", "k_in", "exchange")
NOISES = 2  # normal numbers per process and grid point


@dataclass(frozen=True)
class Trial:
    """All that fixes the true concentrations of S studies.

    horizon [S] h; times [S, I, T] h, the samples, and exists [S, I, T], those that are taken, in
    front; present [S, I], who takes part.
    """

    parameters: Parameters
    doses: Doses
    horizon: Tensor
    times: Tensor
    exists: Tensor
    present: Tensor


def simulate_block(
    config: PriorConfig, seed: int, block: int, studies: int = BLOCK
) -> SimulatedStudies:
    """The ``block``-th block of the stream of ``seed``, on the CPU.

    Blocks of another number of ``studies`` are another stream: larger ones cost less per study.
    """
    streams = Streams(seed, block)
    trial = draw_trial(config, streams, studies)
    true = solve(config, trial, streams)
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


def draw_trial(config: PriorConfig, streams: Streams, studies: int = BLOCK) -> Trial:
    """Everything of a block that is drawn before a sample is taken."""
    present = draw_present(config.design, studies, streams)
    horizon, half_life = fit_horizon(config, studies, streams)
    doses = draw_doses(config.dosing, horizon, present, streams, half_life)
    doses = replace(doses, gain=draw_occasions(config.variability, doses.dosed, streams))
    p = draw_parameters(config, horizon, doses.weight, streams, doses.reference)
    times, exists = draw_schedule(config, p.typical, horizon, doses, present, streams)
    return Trial(p, doses, horizon, times, exists, present)


def simulate(config: PriorConfig, studies: int, seed: int) -> SimulatedStudies:
    """The first ``studies`` studies of the stream of ``seed``."""
    blocks = -(-studies // BLOCK)
    return concatenate([simulate_block(config, seed, b) for b in range(blocks)])[:studies]


def observe(
    assay: Assay, true: Tensor, exists: Tensor, streams: Streams
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reported concentrations, which are quantified, which are below the LLOQ, and the LLOQ [S].

    The first three are [S, I, T].  ``y = C (1 + eps_1) + eps_2`` with eps_2 in multiples of the
    LLOQ; a value below the LLOQ is a censored one.  Without a limit, the LLOQ and the additive
    error are 0, and only a value that is not positive is not quantified.
    """
    S, g = len(true), streams("lloq")
    cmax = torch.where(exists, true, 0.0).amax(-1)
    # The median over those who take part; the others have no samples.
    cmax = torch.where(exists.any(-1), cmax, torch.nan).nanmedian(dim=1).values.nan_to_num(0.0)
    lloq = assay.lloq.draw((S,), g) * cmax
    lloq = torch.where(draw_switch(assay.lloq_probability, (S,), g), lloq, 0.0)
    g = streams("proportional error")
    proportional = assay.proportional.draw((S, 1, 1), g)
    reported = true * (1 + proportional * draw_normal(true.shape, g))
    if assay.additive:
        g = streams("additive error")
        additive = assay.additive.draw((S, 1, 1), g) * lloq[:, None, None]
        reported = reported + additive * draw_normal(true.shape, g)
    limit = lloq[:, None, None]
    quantified = exists & (reported > 0) & (reported >= limit)
    return reported, quantified, exists & ~quantified & (limit > 0), lloq


def solve(config: PriorConfig, trial: Trial, streams: Streams) -> Tensor:
    """True concentrations [S, I, T] at the samples that are taken; 0 elsewhere."""
    true = torch.zeros_like(trial.times)
    for study, individual, problem in problems(config, trial, streams):
        metabolite = trial.parameters.is_metabolite[study]
        found = problem.concentrations(problem.states(ORDER), metabolite)
        true[study, individual, : found.shape[1]] = found
    return torch.where(trial.exists, true, 0.0)


def problems(
    config: PriorConfig, trial: Trial, streams: Streams
) -> Iterator[tuple[Tensor, Tensor, Problem]]:
    """(number of the study [N], of the individual [N], problem) of each kind that occurs.

    A kind's grid is as long as its longest needs: samples that are taken, doses before the last of
    them, and ``ou_refresh`` times.  Individuals without a sample are not solved.
    """
    p, times, exists = trial.parameters, trial.times, trial.exists
    study, individual = (exists.any(-1) & trial.present).nonzero(as_tuple=True)
    last = torch.where(exists, times, 0.0).amax(-1)[study, individual]
    given = trial.doses.rows(study, individual)
    number = (given.dosed & (given.time < last[:, None])).sum(-1)
    # Everybody's noise is drawn here, so that no study depends on which kind the others are.
    refresh, most = max(config.solver_steps, config.ou_refresh), given.dosed.shape[-1]
    parts, noises = (1 + times.shape[-1], refresh, most, most), NOISES * p.ou_sd.shape[-1]
    noise = draw_normal((len(study), sum(parts), noises), streams("ou"))
    of_samples, of_refresh, of_first, of_second = noise.split(parts, 1)
    for rows in _kinds(p, given, study, individual, number):
        s, i, end = study[rows], individual[rows], last[rows]
        samples, doses = int(exists[s, i].sum(-1).max()), max(int(number[rows].max()), 1)
        people, layout = _states(p.rows(s, i))
        taken = Given(*(values[rows, :doses] for values in vars(given).values()))
        events = Events(people, taken, layout, end)
        points = torch.minimum(times[s, i, :samples], end[:, None])
        others = end[:, None] * torch.arange(1, refresh + 1) / max(refresh, 1)
        km, of_others = None, of_refresh[rows]
        if torch.isfinite(people.saturation[0]):  # as all of the kind
            km = people.saturation * trial.doses.level[s] / torch.exp(people.typical.V)
            fine = where_elimination_changes(people, layout, events, end, km, config.fine_steps)
            others = torch.cat([others, fine], -1)
            of_fine = draw_normal((*fine.shape, noises), streams("ou fine"))
            of_others = torch.cat([of_others, of_fine], 1)
        driving = [of_samples[rows, : 1 + samples], of_others, of_first[rows, :doses]]
        if events.onset.shape[1] > doses:  # something comes second
            driving.append(of_second[rows, :doses])
        yield s, i, pose(people, layout, events, points, others, torch.cat(driving, 1), km)


def _kinds(
    p: Parameters, given: Given, study: Tensor, individual: Tensor, number: Tensor
) -> list[Tensor]:
    """The places of those of N individuals, with their doses up to the last sample counted in
    ``number`` [N], that are solved together: alike in method, states and grid."""
    saturable, metabolite = torch.isfinite(p.saturation)[study], p.is_metabolite[study]
    oral = (given.oral & given.dosed).any(-1)
    chain = torch.where(oral, p.transits[study], 0.0)
    released = oral & p.zero_gut[study, individual]
    peripherals = p.exchange[study, individual].sum(-1)
    kinds = [saturable & ~metabolite, saturable & metabolite]
    for length in (number <= FEW, number > FEW):
        linear = length & ~saturable
        kinds += [linear & (chain > 0) & (chain <= SHORT), linear & (chain > SHORT)]
        direct = linear & (chain == 0)
        kinds.append(direct & released)
        for n in peripherals.unique():
            plain = direct & ~released & (peripherals == n)
            kinds += [plain & ~metabolite, plain & metabolite]
    return [kind.nonzero(as_tuple=True)[0] for kind in kinds if kind.any()]


def _states(p: Parameters) -> tuple[Parameters, Layout]:
    """Parameters of N individuals, without the peripherals that nobody has, and their states."""
    P = int(p.exchange.sum(-1).max())
    p = replace(p, **{name: getattr(p, name)[:, :P] for name in PER_PERIPHERAL})
    transits, formed = int(p.transits.max().ceil()), bool(p.is_metabolite.any())
    return p, Layout(transits, P, formed, released=bool(p.zero_gut.any()))
