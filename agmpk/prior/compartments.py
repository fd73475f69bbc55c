"""The compartment system, solved exactly on every interval of constant rates.

State (amounts):  transit chain -> gut G -> central C <-> peripherals P_j,  metabolite M, and the
rate R of a running infusion, which is a state so that an infusion needs no special case:

    dG   = (transit) - ka G
    dC   = ka (1 - f) G + R - (ke + sum k_out_j) C + sum k_in_j P_j
    dP_j = k_out_j C - k_in_j P_j
    dM   = ka f G + k_form C - km M            (k_form is the part of ke that forms M)
    dR   = 0

(AGM-PK, PAGE 34, 2026; transit chain: Savic et al. 2007.)  The system is linear, so the state
moves over an interval by one matrix exponential, however stiff the rates are.

Shapes: N individuals, H intervals, D states, P peripherals.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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


def generator_matrix(rates: Rates, layout: Layout) -> Tensor:
    """The matrix A [N, H, D, D] of dx/dt = A x."""
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


def propagate(matrix: Tensor, durations: Tensor, jumps: Tensor) -> Tensor:
    """States [N, H + 1, D] at the grid points, each taken just after the jump at that point.

    Parameters
    ----------
    matrix : [N, H, D, D] generator of each interval, 1/h.
    durations : [N, H] length of each interval, h (zero is allowed).
    jumps : [N, H + 1, D] what is added to the state at each grid point (doses).
    """
    moves = torch.matrix_exp(matrix * durations[..., None, None])
    state = jumps[:, 0]
    states = [state]
    for k in range(durations.shape[1]):
        # Amounts cannot be negative; rounding of the exponential can make them -1e-9.
        state = (moves[:, k] @ state[..., None]).squeeze(-1)
        state[..., :-1] = state[..., :-1].clamp(min=0)
        state = state + jumps[:, k + 1]
        states.append(state)
    return torch.stack(states, dim=1)
