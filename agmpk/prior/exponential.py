"""One interval of constant rates: the state moves by exp(A h); for A see
``agmpk.prior.compartments``.

In closed form where the dose does not pass a chain.  The central compartment and its peripherals
have real modes (Gabrielsson & Weiner): for up to two peripherals their rates l_i are the roots of a
polynomial of degree 1, 2 or 3, and

    exp(A h)_ab = sum_i  adj(A + l_i)_ab / prod_(j != i) (l_j - l_i)  exp(-l_i h).

What enters at a rate of its own, from the gut or an infusion, or leaves into the metabolite, is a
convolution of exponentials.  These are divided differences, taken here so that equal rates
(flip-flop, ka = ke) need no special care.

Else through partial fractions (``Step``).  The exponential is a sum of a few simple ones,

    exp(z) ~ 2 Re sum_k c_k / (z - z_k)            for real z <= 0, equally good everywhere,

so exp(A) x needs only a handful of solutions of (A - z_k) s = x, however stiff A is.  Compartment
systems have real eigenvalues that are not positive, which is where this holds.  Poles and residues
come from the Carathéodory-Fejér method (Trefethen, Weideman & Schmelzer 2006, BIT 46:653-670,
figure 4.1); the error falls by 9.289 with each further pole (Cody, Meinardus & Varga 1969).

Shapes: N individuals, H intervals, D states, P peripherals, K poles z (complex numbers).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from agmpk.prior.compartments import Layout, Rates

MOST_PERIPHERALS = 2  # of the closed form
CLOSE = 1e-4  # rates * time that differ by less are taken as equal: an error of 1e-9
ORDER = 14  # of the fractions: largest error 4e-14 of the amount moved, 1.5e-13 as some round


def transitions(rates: Rates, layout: Layout, durations: Tensor) -> Tensor:
    """The matrices exp(A h), [H, D, D, N], of a system without chain or release into the gut, in
    closed form.

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


@lru_cache
def poles_and_residues(
    order: int = ORDER,
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """The ``order / 2`` poles of the upper half plane and their residues; ``order`` is even."""
    terms, points, scale = 75, 1024, 9.0
    w = np.exp(2j * np.pi * np.arange(points) / points)
    t = w.real
    with np.errstate(under="ignore"):
        values = np.exp(scale * (t - 1) / (t + 1 + 1e-16))  # exp, moved to the unit circle
    c = np.fft.fft(values).real / points
    f = np.polyval(c[terms::-1], w)
    hankel = np.array([[c[i + j + 1] if i + j < terms else 0.0 for j in range(terms)]
                       for i in range(terms)])  # fmt: skip
    u, s, vt = np.linalg.svd(hankel)
    left, right = u[::-1, order], vt[order]
    pad = np.zeros(points - terms)
    blaschke = np.fft.fft(np.r_[left, pad]) / np.fft.fft(np.r_[right, pad])
    approximation = f - s[order] * w**terms * blaschke
    roots = np.roots(right)
    q = roots[np.abs(roots) > 1]
    numerator = np.fft.fft(approximation * np.polyval(np.poly(q), w)).real / points
    numerator = numerator[order::-1]
    c = [np.polyval(numerator, a) / np.polyval(np.poly(q[q != a]), a) for a in q]
    z = scale * (q - 1) ** 2 / (q + 1) ** 2
    c = 4 * np.array(c) * z / (q**2 - 1)
    upper = z.imag > 0
    return z[upper], c[upper]


class Step:
    """exp(A h) x for every interval h: the factors of the solutions, computed for all at once.

    A step is given 1 / (ke + ``central``) and k_form, because saturable elimination changes
    them on the way.  Residues are multiplied in, so that the solutions only have to be added up.
    The chain needs no fractions: its stages share one rate, so they pass on by Poisson's law;
    the gut, which it feeds, has a rate of its own.
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
        ktr = ka if rates.ktr is None else rates.ktr.T[:, None] * h
        reach, self.chain = [-self.twice * (ka + poles).reciprocal()], None
        if layout.transits:
            through, stay = ktr * (ktr + poles).reciprocal(), [torch.exp(-ktr[:, 0])]
            for stage in range(1, layout.transits + 1):
                reach.append(reach[-1] * through)
                stay.append(stay[-1] * ktr[:, 0] / stage)
            nothing, stages = torch.zeros_like(stay[0]), range(layout.transits)
            rows = [[stay[i - j] if i >= j else nothing for j in stages] for i in stages]
            self.chain = torch.stack([torch.stack(row, 1) for row in rows], 1)
        self.gut = torch.stack(reach[::-1], 1)
        self.over_pole = 1 / poles
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
        solved = torch.stack([gut, central, *peripherals, formed * self.metabolite[k]])
        parts = [_sum(solved), state[at.infusion :]]
        if at.transits:
            parts.insert(0, (self.chain[k] * state[: at.transits]).sum(1))
        return torch.cat(parts)

    def matrices(self) -> Tensor:
        """exp(A h) itself, [H, D, D, N], for linear elimination.

        Solutions are products of what enters the central compartment from a state and of how it
        reaches another from there, so a matrix costs little more than one step of one state.
        """
        at, (H, _, N) = self.layout, self.h.shape
        found = self.h.new_zeros((H, at.size, at.size, N))
        gut = self.gut[:, -1]
        released = gut * (self.over_pole * self.h)
        inflow = {at.central: -self.twice, at.infusion: -self.running * self.h}
        inflow |= {at.central + 1 + j: -self.back[:, j] for j in range(at.peripherals)}
        into_gut = {at.gut: gut, at.release: released}
        into_gut |= {stage: self.gut[:, stage] for stage in range(at.transits)}
        for state, amount in into_gut.items():
            found[:, at.gut, state] = amount.real.sum(1)
            inflow[state] = self.to_central * amount
        reach = {at.central: self.inverse}
        for j in range(at.peripherals):
            reach[at.central + 1 + j] = self.inverse * (self.k_out[:, j] * self.peripheral[:, j])
        if at.formed:
            reach[at.metabolite] = self.inverse * (self.k_form * self.metabolite)
        for state, amount in inflow.items():
            for end, factor in reach.items():
                found[:, end, state] = (amount * factor).real.sum(1)
        for j in range(at.peripherals):
            p = at.central + 1 + j
            found[:, p, p] -= (self.twice * self.peripheral[:, j]).real.sum(1)
        if at.formed:
            found[:, at.metabolite, at.metabolite] = -(self.twice * self.metabolite).real.sum(1)
            for state, amount in into_gut.items():
                direct = self.to_metabolite * amount * self.metabolite
                found[:, at.metabolite, state] += direct.real.sum(1)
        if at.transits:
            found[:, : at.transits, : at.transits] = self.chain
        for state in (at.infusion, at.release):
            found[:, state, state] = 1.0
        return found

    def central_amount(self, k: int, state: Tensor, inverse: Tensor) -> Tensor:
        """The amount [N] in the central compartment after interval ``k``, as in a call."""
        start = self.twice * state[self.layout.central]
        return _sum(self._solved(k, state, start, inverse)[1])

    def _solved(
        self, k: int, state: Tensor, start: Tensor, inverse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Solutions [K, N] of the gut and of the central compartment."""
        at = self.layout
        released = self.over_pole * (self.h[k] * state[at.release])
        gut = self.gut[k, -1] * (state[at.gut] + released)
        if at.transits:
            gut = gut + (self.gut[k, :-1] * state[: at.transits, None]).sum(0)
        returning = (self.back[k] * state[at.central + 1 : at.metabolite, None]).sum(0)
        infused = self.running * (self.h[k] * state[at.infusion])
        return gut, (self.to_central[k] * gut - start - returning - infused) * inverse


def _sum(solved: Tensor) -> Tensor:
    """Re sum_k s_k.  Amounts cannot be negative; rounding can make them -1e-14."""
    return solved.real.sum(-2).clamp(min=0)
