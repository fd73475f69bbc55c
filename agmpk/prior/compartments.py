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

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agmpk.prior.exponential import ORDER, poles_and_residues

# Individuals times intervals whose factors are computed at once: half a megabyte each.
TOGETHER = 4096


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

    def between(self, start: int, stop: int) -> Rates:
        """The rates of the intervals ``start`` to ``stop - 1``."""
        return Rates(**{f.name: getattr(self, f.name)[:, start:stop] for f in fields(self)})


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
    jumps = jumps.permute(1, 2, 0).contiguous()
    states = [jumps[0]]
    for (step, k), jump in zip(steps(rates, layout, durations), jumps[1:], strict=True):
        states.append(step(k, states[-1], step.inverse[k], step.k_form[k]) + jump)
    return torch.stack(states).permute(2, 0, 1)


def steps(rates: Rates, layout: Layout, durations: Tensor) -> Iterator[tuple[Step, int]]:
    """For each interval, the ``Step`` that holds it and its place there.

    Several intervals share one ``Step``, as many as fit the processor's cache.
    """
    N, H = durations.shape
    together = max(1, TOGETHER // max(N, 1))
    for start in range(0, H, together):
        stop = min(start + together, H)
        step = Step(rates.between(start, stop), layout, durations[:, start:stop])
        yield from ((step, k) for k in range(stop - start))


class Step:
    """exp(A h) x for every interval h: the factors of the solutions, computed for all at once.

    A step is given 1 / (ke + ``central``) and k_form, because saturable elimination changes
    them on the way.  Residues are multiplied in, so that the solutions only have to be added up.
    The chain needs no fractions: its stages share one rate, so they pass on by Poisson's law.
    """

    def __init__(self, rates: Rates, layout: Layout, durations: Tensor, order: int = ORDER) -> None:
        poles, residues = (
            torch.from_numpy(v).to(durations.device)[:, None] for v in poles_and_residues(order)
        )
        h = durations.T[:, None]
        self.layout, self.h = layout, h
        self.twice, self.running = 2 * residues, 2 * residues / poles
        # Dimensionless rate * time, [H, 1, N], and the inverses of (rate * time + z), [H, K, N].
        self.ke, self.k_form = rates.ke.T[:, None] * h, rates.k_form.T[:, None] * h
        ka, first_pass = rates.ka.T[:, None] * h, rates.first_pass.T[:, None]
        self.to_central, self.to_metabolite = ka * (1 - first_pass), ka * first_pass
        gut = (ka + poles).reciprocal()
        through, reach = ka * gut, [-self.twice * gut]
        stay = [torch.exp(-ka[:, 0])]
        for stage in range(1, layout.gut + 1):
            reach.append(reach[-1] * through)
            stay.append(stay[-1] * ka[:, 0] / stage)
        self.gut = torch.stack(reach[::-1], 1)
        nothing = torch.zeros_like(stay[0])
        stages = range(layout.gut + 1)
        self.chain = torch.stack(
            [torch.stack([stay[i - j] if i >= j else nothing for j in stages], 1) for i in stages],
            1,
        )
        self.k_out = rates.k_out.permute(1, 2, 0)[:, :, None] * h[:, None]
        k_in = rates.k_in.permute(1, 2, 0)[:, :, None] * h[:, None]
        self.peripheral = (k_in + poles).reciprocal()
        self.metabolite = (rates.km.T[:, None] * h + poles).reciprocal()
        back = k_in * self.peripheral
        self.central = self.k_out.sum(1) + poles - (back * self.k_out).sum(1)
        self.inverse = (self.ke + self.central).reciprocal()
        self.back = self.twice * back

    def __call__(self, k: int, state: Tensor, inverse: Tensor, k_form: Tensor) -> Tensor:
        """The state [D, N] after interval ``k``; inverse [K, N], k_form [1, N] times h."""
        at = self.layout
        start = self.twice * state[at.central : at.infusion, None]
        gut, central = self._solved(k, state, start[0], inverse)
        peripherals = (self.k_out[k] * central - start[1:-1]) * self.peripheral[k]
        formed = self.to_metabolite[k] * gut + k_form * central - start[-1]
        solved = torch.cat([central[None], peripherals, (formed * self.metabolite[k])[None]])
        chain = (self.chain[k] * state[: at.central]).sum(1)
        return torch.cat([chain, _sum(solved), state[-1:]])

    def central_amount(self, k: int, state: Tensor, inverse: Tensor) -> Tensor:
        """The amount [N] in the central compartment after interval ``k``, as in a call."""
        start = self.twice * state[self.layout.central]
        return _sum(self._solved(k, state, start, inverse)[1])

    def _solved(
        self, k: int, state: Tensor, start: Tensor, inverse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Solutions [K, N] of the gut and of the central compartment."""
        at = self.layout
        gut = (self.gut[k] * state[: at.central, None]).sum(0)
        returning = (self.back[k] * state[at.central + 1 : at.metabolite, None]).sum(0)
        infused = self.running * (self.h[k] * state[at.infusion])
        return gut, (self.to_central[k] * gut - start - returning - infused) * inverse


def _sum(solved: Tensor) -> Tensor:
    """Re sum_k s_k.  Amounts cannot be negative; rounding can make them -1e-14."""
    return solved.real.sum(-2).clamp(min=0)
