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
    p, times = trial.parameters, trial.times
    study, individual = (trial.exists.any(-1) & trial.present).nonzero(as_tuple=True)
    refresh, T = max(config.solver_steps, config.ou_refresh), times.shape[-1]
    most = trial.doses.dosed.shape[-1]
    # Everybody's noise is drawn here, so that no study depends on which kind the others are.
    processes = p.ou_sd.shape[-1]
    parts = (1 + T, refresh, 2 * most)
    noise = draw_normal((len(study), sum(parts), NOISES * processes), streams("ou"))
    of_samples, of_others, of_events = noise.split(parts, 1)
    last = torch.where(trial.exists, times, 0.0).amax(-1)[study, individual]
    given = trial.doses.rows(study, individual)
    number = (given.dosed & (given.time < last[:, None])).sum(-1)
    for kind, chosen in _kinds(p, given, study, individual, number).items():
        (rows,) = chosen.nonzero(as_tuple=True)
        s, i, end = study[rows], individual[rows], last[rows]
        samples, doses = int(trial.exists[s, i].sum(-1).max()), max(int(number[rows].max()), 1)
        of_rows = p.rows(s, i)
        P = int(of_rows.exchange.sum(-1).max())
        of_rows = replace(of_rows, **{k: getattr(of_rows, k)[:, :P] for k in PER_PERIPHERAL})
        formed, released = bool(of_rows.is_metabolite.any()), bool(of_rows.zero_gut.any())
        layout = Layout(int(of_rows.transits.max().ceil()), P, formed, released)
        taken = Given(*(values[rows, :doses] for values in vars(given).values()))
        events = Events(of_rows, taken, layout, end)
        others = end[:, None] * torch.arange(1, refresh + 1) / max(refresh, 1)
        points = torch.minimum(times[s, i, :samples], end[:, None])
        twice = events.onset.shape[1] > doses
        mine = [of_samples[rows, : 1 + samples], of_others[rows]]
        mine += [of_events[rows, n * most : n * most + doses] for n in range(1 + twice)]
        km = None
        if kind[0] == "saturable":
            km = of_rows.saturation * trial.doses.level[s] / torch.exp(of_rows.typical.V)
            fine = where_elimination_changes(of_rows, layout, events, end, km, config.fine_steps)
            more = draw_normal((len(rows), fine.shape[1], mine[0].shape[-1]), streams("ou fine"))
            others, mine[1] = torch.cat([others, fine], -1), torch.cat([mine[1], more], 1)
        yield s, i, pose(of_rows, layout, events, points, others, torch.cat(mine, 1), km)


def _kinds(
    p: Parameters, given: Given, study: Tensor, individual: Tensor, number: Tensor
) -> dict[tuple, Tensor]:
    """Which of N individuals [N], with their doses up to the last sample counted in ``number``
    [N], are solved together: alike in method, states and grid."""
    saturable = torch.isfinite(p.saturation)[study]
    oral = (given.oral & given.dosed).any(-1)
    chain = torch.where(oral, p.transits[study], 0.0)
    peripherals = p.exchange[study, individual].sum(-1)
    found = {("saturable", n): saturable & (p.is_metabolite[study] == n) for n in (False, True)}
    released = oral & p.zero_gut[study, individual]
    for length, many in (("few", number <= FEW), ("many", number > FEW)):
        here = many & ~saturable
        found[length, "short chain"] = here & (chain > 0) & (chain <= SHORT)
        found[length, "long chain"] = here & (chain > SHORT)
        here = here & (chain == 0)
        found[length, "release"] = here & released
        for n in peripherals.unique().tolist():
            for formed in (False, True):
                alike = (p.is_metabolite[study] == formed) & (peripherals == n)
                found[length, n, formed] = here & alike & ~released
    return {kind: chosen for kind, chosen in found.items() if chosen.any()}
