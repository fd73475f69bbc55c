"""True concentrations of all individuals of a block.

Only the individuals that take part are solved, all studies below each other.  Studies with
repeated doses need more grid points and saturable ones a finer grid; each kind is solved by
itself, so that the others do not pay for it.

Shapes: S studies, I individuals, T samples; N individuals that take part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.prior.compartments import Layout
from agmpk.prior.config import PriorConfig
from agmpk.prior.dosing import Doses
from agmpk.prior.events import dosing_events
from agmpk.prior.laws import draw_normal
from agmpk.prior.parameters import Parameters
from agmpk.prior.problem import Problem, pose, where_elimination_changes
from agmpk.prior.streams import Streams

FINE = 200  # grid points added where elimination is saturable


@dataclass(frozen=True)
class Trial:
    """All that fixes the true concentrations of S studies.

    horizon [S] h; times [S, I, T] h, the samples; present [S, I], who takes part.
    """

    parameters: Parameters
    doses: Doses
    horizon: Tensor
    times: Tensor
    present: Tensor


def solve(
    config: PriorConfig, trial: Trial, streams: Streams, device: torch.device | str = "cpu"
) -> Tensor:
    """True concentrations [S, I, T] at the sampling times; 0 for those who do not take part."""
    true = torch.zeros_like(trial.times)
    for study, individual, problem in problems(config, trial, streams):
        metabolite = trial.parameters.is_metabolite[study]
        true[study, individual] = problem.concentrations(problem.states(device), metabolite)
    return true


def problems(
    config: PriorConfig, trial: Trial, streams: Streams
) -> Iterator[tuple[Tensor, Tensor, Problem]]:
    """(number of the study [N], of the individual [N], problem) of each kind that occurs."""
    p, times = trial.parameters, trial.times
    study, individual = trial.present.nonzero(as_tuple=True)
    refresh = max(config.solver_steps, config.ou_refresh)
    usual, processes = 3 + times.shape[-1] + refresh, p.ou_sd.shape[-1]
    # Everybody's noise is drawn here, so that no study depends on which kind the others are.
    noise = draw_normal((len(study), usual, processes), streams("ou"))
    saturable = torch.isfinite(p.saturation)[study]
    repeated = (trial.doses.additional > 0)[study] & ~saturable
    kinds = {"single": ~(saturable | repeated), "repeated": repeated, "saturable": saturable}
    for kind, chosen in kinds.items():
        (rows,) = chosen.nonzero(as_tuple=True)
        if not len(rows):
            continue
        s, i = study[rows], individual[rows]
        of_rows, horizon = p.rows(s, i), trial.horizon[s]
        layout = Layout(int(of_rows.transits.max().ceil()), of_rows.k_out.shape[-1])
        events = dosing_events(of_rows, trial.doses, s, i, layout)
        others, km = horizon[:, None] * torch.arange(1, refresh + 1) / max(refresh, 1), None
        if kind == "saturable":
            typical_dose = torch.exp(trial.doses.dose.log().mean(1))[s]
            km = of_rows.saturation * typical_dose / torch.exp(of_rows.typical.V)
            fine = where_elimination_changes(of_rows, layout, events, horizon, km, FINE)
            others = torch.cat([others, fine], -1)
        extra = 1 + events.onset.shape[1] + times.shape[-1] + others.shape[1] - usual
        more = draw_normal((len(rows), extra, processes), streams(f"ou {kind}"))
        noise_of_rows = torch.cat([noise[rows], more], 1)
        yield s, i, pose(of_rows, layout, events, times[s, i], others, noise_of_rows, km)
