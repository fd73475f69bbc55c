"""The compartment system, solved exactly on every interval of constant rates.

State (amounts):  transit chain -> gut G -> central C <-> peripherals P_j,  metabolite M, and the
rates R of a running infusion and Z of a release into the gut, which are states so that a constant
input needs no special case:

    dG   = (transit) + Z - ka G
    dC   = ka (1 - f) G + R - (ke + sum k_out_j) C + sum k_in_j P_j
    dP_j = k_out_j C - k_in_j P_j
    dM   = ka f G + k_form C - km M            (k_form is the part of ke that forms M)
    dR   = dZ = 0

(AGM-PK, PAGE 34, 2026; transit chain: Savic et al. 2007.)  The system is linear, so the state
moves over an interval h by exp(A h), however stiff the rates are.  The exponential acts through
fractions (``agmpk.prior.exponential``); each asks for the solution s of (A h - z) s = x, and
because compartments feed each other in a row that is plain substitution: no matrix is formed.

Shapes: N individuals, H intervals, D states, P peripherals, K poles z (complex numbers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from agmpk.prior.exponential import MOST_PERIPHERALS, ORDER, Step, transitions

# Individuals times intervals whose factors are computed at once: half a megabyte each.
TOGETHER = 4096


@dataclass(frozen=True)
class Layout:
    """Where each amount stands in the state vector.

    ``formed``: the metabolite is followed; ``released``: something may be released into the gut.
    """

    transits: int
    peripherals: int
    formed: bool = True
    released: bool = True

    @property
    def closed(self) -> bool:
        """Is there a closed form?  (:mod:`agmpk.prior.exponential`)"""
        return not (self.transits or self.released or self.peripherals > MOST_PERIPHERALS)

    @property
    def behind(self) -> Layout:
        """The layout without the chain: all that counts once it is empty."""
        return replace(self, transits=0)

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
    def release(self) -> int:
        return self.infusion + 1

    @property
    def size(self) -> int:
        return self.release + 1


@dataclass(frozen=True)
class Rates:
    """First-order rates in 1/h, [N, H] ([N, H, P] for the exchange rates); fractions in [0, 1].

    ``ktr`` is the rate of the transit chain; None where that is ka.
    """

    ka: Tensor
    ke: Tensor
    k_out: Tensor
    k_in: Tensor
    k_form: Tensor
    km: Tensor
    first_pass: Tensor
    ktr: Tensor | None = None

    def __getitem__(self, part: Any) -> Rates:
        """The rates of some individuals, or in some intervals."""
        return Rates(**{k: None if v is None else v[part] for k, v in vars(self).items()})


def generator_matrix(rates: Rates, layout: Layout) -> Tensor:
    """The matrix A [N, H, D, D] of dx/dt = A x: the system written out, for reference solvers."""
    a = rates.ka.new_zeros((*rates.ka.shape, layout.size, layout.size))
    gut, central, metabolite = layout.gut, layout.central, layout.metabolite
    ktr = rates.ka if rates.ktr is None else rates.ktr
    for step in range(layout.transits):
        a[..., step, step] = -ktr
        a[..., step + 1, step] = ktr
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
    a[..., gut, layout.release] = 1.0
    return a


def propagate(
    rates: Rates, layout: Layout, durations: Tensor, jumps: Tensor, order: int = ORDER
) -> Tensor:
    """States [N, H + 1, D] at the grid points, each taken just after the jump at that point.

    Args:
        rates: rates of each interval.
        layout: where each amount stands in the state.
        durations: [N, H] length of each interval, h (zero is allowed).
        jumps: [N, H + 1, D] what is added to the state at each grid point (doses), float64.
        order: of the approximation of exp (:mod:`agmpk.prior.exponential`).
    """
    jumps = jumps.permute(1, 2, 0).contiguous()
    states = [jumps[0]]
    N, H = durations.shape
    together = max(1, TOGETHER // max(N, 1))
    if layout.transits:
        together = min(together, 8)
    nothing = 1e-13 * jumps.abs().amax((0, 1))
    for start in range(0, H, together):
        part = slice(start, start + together)
        now = rates[:, part]
        # What is still in the chain, and what enters it on the way.
        chain = torch.stack([states[-1], *jumps[1:][part][:-1]])[:, : layout.transits]
        if layout.behind.closed and bool((chain <= nothing).all()):
            matrices = transitions(now, layout.behind, durations[:, part])
            n = layout.transits
            matrices = torch.nn.functional.pad(matrices, (0, 0, n, 0, n, 0))
        else:
            matrices = Step(now, layout, durations[:, part], order).matrices()
        # Amounts cannot be negative; rounding can make them -1e-14.
        for matrix, jump in zip(matrices, jumps[1:][part], strict=True):
            states.append((matrix * states[-1]).sum(1).clamp(min=0) + jump)
    return torch.stack(states).permute(2, 0, 1)


def steps(
    rates: Rates, layout: Layout, durations: Tensor, order: int = ORDER
) -> Iterator[tuple[Step, int]]:
    """For each interval, the ``Step`` that holds it and its place there.

    Several intervals share one ``Step``, as many as fit the processor's cache.
    """
    N, H = durations.shape
    together = max(1, TOGETHER // max(N, 1) // max(1, layout.transits // 4))
    for start in range(0, H, together):
        part = slice(start, min(start + together, H))
        step = Step(rates[:, part], layout, durations[:, part], order)
        yield from ((step, k) for k in range(part.stop - start))


def propagate_saturable(
    rates: Rates,
    layout: Layout,
    durations: Tensor,
    jumps: Tensor,
    km_amount: Tensor,
    order: int = ORDER,
) -> Tensor:
    """States [N, H + 1, D] just after the jump at each grid point, elimination being saturable.

    Michaelis-Menten elimination of the parent: ke(C) = ke / (1 + C / Km).  With V_max = ke V Km
    this is the usual V_max C / (Km + C): at low concentrations it is first-order with rate ke.  All
    elimination saturates alike, the path that forms the metabolite included.  Each interval is one
    exponential midpoint step (Hochbruck & Ostermann 2010, Acta Numerica 19:209-286): with ke frozen
    at its value half-way, the rest is solved exactly, so the step is second-order, unmoved by
    stiffness, and never negative.

    As :func:`propagate`, with ``km_amount`` [N, H], the amount in the central compartment at which
    the elimination rate constant is halved (Km V).
    """
    jumps = jumps.permute(1, 2, 0).contiguous()
    wholes = steps(rates, layout, durations, order)
    halves = steps(rates, layout, 0.5 * durations, order)
    states = [jumps[0]]
    for (whole, k), (half, _), km, jump in zip(wholes, halves, km_amount.T, jumps[1:], strict=True):
        state = states[-1]
        free = 1 / (1 + state[layout.central] / km)
        middle = half.central_amount(k, state, 1 / (half.ke[k] * free + half.central[k]))
        free = 1 / (1 + middle / km)
        inverse = 1 / (whole.ke[k] * free + whole.central[k])
        states.append(whole(k, state, inverse, whole.k_form[k] * free) + jump)
    return torch.stack(states).permute(2, 0, 1)
