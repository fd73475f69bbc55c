"""The compartment system, solved exactly on every interval of constant rates.

State (amounts):  transit chain -> gut G -> central C <-> peripherals P_j,  metabolite M, and the
rate R of a running infusion, which is a state so that an infusion needs no special case:

    dG   = (transit) - ka G
    dC   = ka (1 - f) G + R - (ke + sum k_out_j) C + sum k_in_j P_j
    dP_j = k_out_j C - k_in_j P_j
    dM   = ka f G + k_form C - km M            (k_form is the part of ke that forms M)
    dR   = 0

(AGM-PK, PAGE 34, 2026; transit chain: Savic et al. 2007.)  The system is linear, so the state
moves over an interval h by exp(A h), however stiff the rates are.  The exponential acts through
fractions (``agmpk.prior.exponential``); each asks for the solution s of (A h - z) s = x, and
because compartments feed each other in a row that is plain substitution: no matrix is formed.

Shapes: N individuals, H intervals, D states, P peripherals, K poles z (complex numbers).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agmpk.prior.exponential import ORDER, poles_and_residues


@dataclass(frozen=True)
class Layout:
    """Where each amount stands in the state vector."""

    transits: int
    peripherals: int

    @property
    def gut(self) -> int:
        return self.transits

    @property
    def central(self) -> int:
        return self.transits + 1

    @property
    def metabolite(self) -> int:
        return self.central + self.peripherals + 1

    @property
    def infusion(self) -> int:
        return self.metabolite + 1

    @property
    def size(self) -> int:
        return self.infusion + 1


@dataclass(frozen=True)
class Rates:
    """First-order rates in 1/h, [N, H] ([N, H, P] for the exchange rates); fractions in [0, 1]."""

    ka: Tensor
    ke: Tensor
    k_out: Tensor
    k_in: Tensor
    k_form: Tensor
    km: Tensor
    first_pass: Tensor

    def to(self, device: torch.device | str) -> Rates:
        """The rates on another device."""
        return Rates(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def generator_matrix(rates: Rates, layout: Layout) -> Tensor:
    """The matrix A [N, H, D, D] of dx/dt = A x: the system written out, for reference solvers."""
    a = rates.ka.new_zeros((*rates.ka.shape, layout.size, layout.size))
    gut, central, metabolite = layout.gut, layout.central, layout.metabolite
    for step in range(layout.transits):
        a[..., step, step] = -rates.ka
        a[..., step + 1, step] = rates.ka
    a[..., gut, gut] = -rates.ka
    a[..., central, gut] = rates.ka * (1 - rates.first_pass)
    a[..., metabolite, gut] = rates.ka * rates.first_pass
    a[..., central, central] = -rates.ke - rates.k_out.sum(-1)
    for j in range(layout.peripherals):
        p = central + 1 + j
        a[..., p, central] = rates.k_out[..., j]
        a[..., central, p] = rates.k_in[..., j]
        a[..., p, p] = -rates.k_in[..., j]
    a[..., metabolite, central] = rates.k_form
    a[..., metabolite, metabolite] = -rates.km
    a[..., central, layout.infusion] = 1.0
    return a


def propagate(rates: Rates, layout: Layout, durations: Tensor, jumps: Tensor) -> Tensor:
    """States [N, H + 1, D] at the grid points, each taken just after the jump at that point.

    Parameters
    ----------
    rates : rates of each interval.
    layout : where each amount stands in the state.
    durations : [N, H] length of each interval, h (zero is allowed).
    jumps : [N, H + 1, D] what is added to the state at each grid point (doses), float64.
    """
    step = Step(rates, layout, durations)
    jumps = jumps.permute(1, 2, 0).contiguous()
    state = jumps[0]
    states = [state]
    for k in range(durations.shape[1]):
        state = step(k, state, step.ke[k], step.k_form[k]) + jumps[k + 1]
        states.append(state)
    return torch.stack(states).permute(2, 0, 1)


class Step:
    """exp(A h) x for every interval h: the factors of the solutions, computed for all at once.

    ke and k_form are given with each step, because saturable elimination changes them on the way.
    """

    def __init__(self, rates: Rates, layout: Layout, durations: Tensor, order: int = ORDER) -> None:
        poles, residues = (
            torch.from_numpy(v).to(durations.device)[:, None] for v in poles_and_residues(order)
        )
        h = durations.T[:, None]
        self.layout, self.h = layout, h
        self.running = 1 / poles
        self.residues = 2 * residues.T
        # Dimensionless rate * time, [H, 1, N], and the inverses of (rate * time + z), [H, K, N].
        self.ke, self.k_form = rates.ke.T[:, None] * h, rates.k_form.T[:, None] * h
        self.ka = rates.ka.T[:, None] * h
        first_pass = rates.first_pass.T[:, None]
        self.to_central, self.to_metabolite = self.ka * (1 - first_pass), self.ka * first_pass
        self.k_out = rates.k_out.permute(1, 2, 0)[:, :, None] * h[:, None]
        k_in = rates.k_in.permute(1, 2, 0)[:, :, None] * h[:, None]
        self.gut = (self.ka + poles).reciprocal()
        self.peripheral = (k_in + poles).reciprocal()
        self.metabolite = (rates.km.T[:, None] * h + poles).reciprocal()
        self.back = k_in * self.peripheral
        self.central = self.k_out.sum(1) + poles - (self.back * self.k_out).sum(1)

    def __call__(self, k: int, state: Tensor, ke: Tensor, k_form: Tensor) -> Tensor:
        """The state [D, N] after interval ``k``; ke and k_form [1, N] are multiplied by its h."""
        at, x = self.layout, state[:, None]
        chain, central = self._solved(k, x, ke)
        amounts = x[at.central + 1 : at.metabolite]
        peripherals = (self.k_out[k] * central - amounts) * self.peripheral[k]
        formed = self.to_metabolite[k] * chain[-1] + k_form * central
        metabolite = (formed - x[at.metabolite]) * self.metabolite[k]
        moved = self._sum(torch.stack([*chain, central, *peripherals, metabolite]))
        return torch.cat([moved, state[-1:]])

    def central_amount(self, k: int, state: Tensor, ke: Tensor) -> Tensor:
        """The amount [N] in the central compartment after interval ``k``, as in a call."""
        return self._sum(self._solved(k, state[:, None], ke)[1])

    def _solved(self, k: int, x: Tensor, ke: Tensor) -> tuple[list[Tensor], Tensor]:
        """Solutions [K, N] of the chain's stages, and of the central compartment."""
        at = self.layout
        chain = []
        for stage in range(at.gut + 1):
            fed = self.ka[k] * chain[-1] - x[stage] if stage else -x[0]
            chain.append(fed * self.gut[k])
        inflow = self.to_central[k] * chain[-1] - x[at.central]
        inflow = inflow - (self.h[k] * x[at.infusion]) * self.running
        inflow = inflow - (self.back[k] * x[at.central + 1 : at.metabolite]).sum(0)
        return chain, inflow / (ke + self.central[k])

    def _sum(self, solved: Tensor) -> Tensor:
        """2 Re sum_k c_k s_k.  Amounts cannot be negative; rounding can make them -1e-14."""
        return (self.residues @ solved).real.squeeze(-2).clamp(min=0)
