"""exp(A h) in closed form where the dose does not pass a chain: sums of exponentials.

The central compartment and its peripherals have real modes (Gabrielsson & Weiner): for up to two
peripherals their rates l_i are the roots of a polynomial of degree 1, 2 or 3, and

    exp(A h)_ab = sum_i  adj(A + l_i)_ab / prod_(j != i) (l_j - l_i)  exp(-l_i h).

What enters at a rate of its own, from the gut or an infusion, or leaves into the metabolite, is a
convolution of exponentials.  These are divided differences, taken here so that equal rates
(flip-flop, ka = ke) need no special care.

Shapes: everything is [H, N]: H intervals, N individuals; D states.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from agmpk.prior.compartments import Layout, Rates

MOST_PERIPHERALS = 2
CLOSE = 1e-4  # rates * time that differ by less are taken as equal: an error of 1e-9


def transitions(rates: Rates, layout: Layout, durations: Tensor) -> Tensor:
    """The matrices exp(A h), [H, D, D, N], of a system without chain or release into the gut.

    Args:
        rates: of N individuals in H intervals.
        layout: without transit compartments, with up to ``MOST_PERIPHERALS`` peripheral ones.
        durations: [N, H] h.
    """
    at, h = layout, durations.T
    P = range(at.peripherals)
    k_out, k_in = ([k[..., j].T for j in P] for k in (rates.k_out, rates.k_in))
    ke, ka, first_pass = rates.ke.T, rates.ka.T, rates.first_pass.T
    modes = _modes(ke, k_out, k_in)
    found = h.new_zeros((h.shape[0], at.size, at.size, h.shape[1]))
    found[:, at.gut, at.gut] = torch.exp(-ka * h)
    to_central, central = ka * (1 - first_pass), at.central
    if at.formed:
        km, k_form = rates.km.T, rates.k_form.T
        found[:, at.metabolite, at.metabolite] = torch.exp(-km * h)
        found[:, at.metabolite, at.gut] = ka * first_pass * two(ka, km, h)
    for rate, weight in zip(modes, _weights(modes, ke, k_out, k_in), strict=True):
        decay = torch.exp(-rate * h)
        from_gut = to_central * two(ka, rate, h)
        infused = two(torch.zeros_like(rate), rate, h)
        for (end, start), w in weight.items():
            found[:, central + end, central + start] += w * decay
            if start == 0:
                found[:, central + end, at.gut] += w * from_gut
                found[:, central + end, at.infusion] += w * infused
            if at.formed and end == 0:
                formed = w * k_form * two(rate, km, h)
                found[:, at.metabolite, central + start] += formed
        if at.formed:
            formed = weight[0, 0] * k_form
            found[:, at.metabolite, at.gut] += formed * to_central * three(ka, rate, km, h)
            zero = torch.zeros_like(rate)
            found[:, at.metabolite, at.infusion] += formed * three(zero, rate, km, h)
    for state in (at.infusion, at.release):
        found[:, state, state] = 1.0
    return found


def two(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """The convolution of exp(-a t) and exp(-b t) at h: (e^-ah - e^-bh) / (b - a)."""
    x = (a - b).abs() * h
    mean = torch.where(x > 1e-12, -torch.expm1(-x) / x, 1.0)
    return torch.exp(-torch.minimum(a, b) * h) * h * mean


def three(a: Tensor, b: Tensor, c: Tensor, h: Tensor) -> Tensor:
    """The convolution of three exponentials at h; divided by the widest difference of rates."""
    low, high = torch.minimum(torch.minimum(a, b), c), torch.maximum(torch.maximum(a, b), c)
    middle = torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))
    width = high - low
    apart = (two(low, middle, h) - two(middle, high, h)) / width
    return torch.where(width * h > CLOSE, apart, 0.5 * h.square() * torch.exp(-middle * h))


def _modes(ke: Tensor, k_out: list[Tensor], k_in: list[Tensor]) -> list[Tensor]:
    """The rates of the modes, fastest first; their product is ke times all k_in."""
    if not k_out:
        return [ke]
    if len(k_out) == 1:
        total = ke + k_out[0] + k_in[0]
        # (total)^2 - 4 ke k_in, written as a sum of positive terms.
        root = torch.sqrt((ke + k_out[0] - k_in[0]).square() + 4 * k_out[0] * k_in[0])
        fast = 0.5 * (total + root)
        return [fast, ke * k_in[0] / fast]
    # A similar symmetric matrix, its eigenvalues by the cosine of a third of an angle.
    a, (b, c) = ke + k_out[0] + k_out[1], k_in
    d, e = k_out[0] * b, k_out[1] * c
    m = (a + b + c) / 3
    p = torch.sqrt(((a - m).square() + (b - m).square() + (c - m).square() + 2 * (d + e)) / 6)
    r = ((a - m) * (b - m) * (c - m) - d * (c - m) - e * (b - m)) / (2 * p**3)
    angle = torch.acos(r.clamp(-1, 1)) / 3
    fast = m + 2 * p * torch.cos(angle)
    slow = m + 2 * p * torch.cos(angle + 2 * math.pi / 3)
    middle = 3 * m - fast - slow
    return [fast, middle, ke * b * c / (fast * middle)]


def _weights(
    modes: list[Tensor], ke: Tensor, k_out: list[Tensor], k_in: list[Tensor]
) -> list[dict[tuple[int, int], Tensor]]:
    """Of each mode, the weights by (end, start): 0 is central, 1 and 2 are the peripherals."""
    found = []
    a = ke + sum(k_out)
    for i, rate in enumerate(modes):
        others = [other - rate for j, other in enumerate(modes) if j != i]
        if not k_out:
            found.append({(0, 0): torch.ones_like(rate)})
        elif len(k_out) == 1:
            one = others[0].reciprocal()
            found.append({
                (0, 0): (k_in[0] - rate) * one, (0, 1): k_in[0] * one,
                (1, 0): k_out[0] * one, (1, 1): (a - rate) * one,
            })  # fmt: skip
        else:
            one = (others[0] * others[1]).reciprocal()
            x, y = (k_in[0] - rate) * one, (k_in[1] - rate) * one
            found.append({
                (0, 0): (k_in[0] - rate) * y, (0, 1): k_in[0] * y, (0, 2): k_in[1] * x,
                (1, 0): k_out[0] * y, (2, 0): k_out[1] * x,
                (1, 1): (a - rate) * y - k_out[1] * k_in[1] * one,
                (2, 2): (a - rate) * x - k_out[0] * k_in[0] * one,
                (1, 2): k_out[0] * k_in[1] * one, (2, 1): k_out[1] * k_in[0] * one,
            })  # fmt: skip
    return found
