"""Saturable (Michaelis-Menten) elimination of the parent: ke(C) = ke / (1 + C / Km).

With V_max = ke V Km this is the usual V_max C / (Km + C): at low concentrations elimination is
first-order with rate constant ke.  All elimination saturates alike, the path that forms the
metabolite included.  The system is not linear any more; each interval is one exponential midpoint
step (Hochbruck & Ostermann 2010, Acta Numerica 19:209-286): with ke frozen at its value half-way,
the rest is solved exactly, so the step is second-order, unmoved by stiffness, and never negative.

Shapes: N individuals, H intervals, D states, P peripherals.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.compartments import Layout, Rates, steps
from agmpk.prior.exponential import ORDER


def propagate_saturable(
    rates: Rates,
    layout: Layout,
    durations: Tensor,
    jumps: Tensor,
    km_amount: Tensor,
    order: int = ORDER,
) -> Tensor:
    """States [N, H + 1, D] just after the jump at each grid point.

    As :func:`agmpk.prior.compartments.propagate`, with ``km_amount`` [N, H], the amount in the
    central compartment at which the elimination rate constant is halved (Km V).
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
