"""Where times lie in a list of doses; one-compartment kinetics by superposition, and what they say
of every individual: a fit in closed form on a grid.

Any list of doses superposes in a linear model, so with bolus, infusion and first-order oral input
the concentration per unit of volume is a sum over the doses,

    f(t) = sum_d A_d exp(-ke s_d)                                  bolus, s_d = t - t_d > 0
         + sum_d A_d / (ke D_d) (1 - exp(-ke min(s_d, D_d))) exp(-ke max(s_d - D_d, 0))   infusion
         + F ka / (ka - ke) sum_d A_d (exp(-ke s_d) - exp(-ka s_d))                       oral

(Gibaldi & Perrier 1982).  A sample at the time of a dose is a trough: that dose is not yet in it.
Only exp(-ke s) and exp(-ka s) depend on the doses, so all of a grid of (ke, ka) costs little more
than one pair.

On the grid the individuals are weighed as in a nonparametric mixed-effects model, one step of it
(Mallet 1986; Jelliffe's NPAG): ln y = level + ln f(t; ka, ke) + error, level normal, error normal.
The curve is too simple for most drugs; it is a feature and a frame, and networks learn the rest.

Shapes: B studies, N individuals (J of the context, R targets), T samples, D doses, E rates ke, A
rates ka, G = E A grid points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.models.task import Record, Task, Tensors

HALF_LIVES = tuple(0.35 * 2.0**k for k in range(11))  # h, of elimination
INPUT_HALF_LIVES = tuple(0.12 * 2.0**k for k in range(7))  # h, of absorption; never one of above
FRACTIONS = (1.0, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05)  # oral availability where both routes occur
ERROR, LEVEL = 0.3, 0.4  # SD of ln y around a curve of the grid, and of the levels
FLOOR = 1e-9  # of f relative to the individual's first dose
OPEN_MINDED = 0.02  # share of the typical weights that is uniform over the grid
LAST_DOSE = 6  # channels, see ``Clock.last_dose``
POOLED = 8.0  # the pooled likelihood counts as that of at most so many individuals


class Clock(Tensors):
    """Where ``times`` [B, N, T] lie in an individual's doses: since [B, N, T] h since the last dose
    before them, number [B, N, T] of doses until then, amount (of ``amount`` [B, N, D], relative),
    oral, duration [B, N, T] of that last dose.

    A dose at the very time of a sample comes after it; before any dose the first one counts, so
    that the time since it is 0.
    """

    def __init__(self, record: Record, amount: Tensor, times: Tensor) -> None:
        self.number, last = _doses_before(record, times)
        self.since = (times - record.dose_time.gather(2, last)).clamp(min=0)
        self.amount = amount.gather(2, last)
        self.oral = record.dose_oral.to(times.dtype).gather(2, last)
        self.duration = record.dose_duration.gather(2, last)

    @property
    def infused(self) -> Tensor:
        """1 where the last dose is an infusion, else 0."""
        return (self.duration > 0).to(self.since.dtype)

    @property
    def running(self) -> Tensor:
        """1 while it runs, else 0."""
        return self.infused * (self.since < self.duration)

    def last_dose(self) -> list[Tensor]:
        """Channels that say which dose the last one is."""
        kind = self.since.dtype
        return [
            torch.log(self.number.to(kind).clamp(min=0.5)) / 2,
            (self.number == 0).to(kind),
            (self.number > 1).to(kind),
            self.amount.clamp(min=1e-6).log().clamp(-6, 6) / 2,
            self.oral,
            self.infused,
        ]


def _doses_before(record: Record, times: Tensor) -> tuple[Tensor, Tensor]:
    """Number of doses before ``times`` [B, N, T], and the place of the last one (else 0)."""
    before = record.dosed[:, :, None] & (record.dose_time[:, :, None] < times[..., None])
    number = before.sum(-1)
    return number, (number - 1).clamp(min=0)


def rates(like: Tensor) -> tuple[Tensor, Tensor]:
    """ke [E] and ka [A] of the grid, 1/h."""
    log2 = 0.6931471805599453
    ke = log2 / torch.tensor(HALF_LIVES, dtype=like.dtype, device=like.device)
    return ke, log2 / torch.tensor(INPUT_HALF_LIVES, dtype=like.dtype, device=like.device)


def superpose(record: Record, amount: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Oral part at F = 1 and intravenous part of f [B, N, T, E, A] and [B, N, T, E, 1].

    ``amount`` [B, N, D] in any unit, 0 where there is no dose; ``times`` [B, N, T] h.  What is left
    of all earlier doses is carried from dose to dose, so the cost grows with D + T and not with
    D T.  Of two infusions that overlap, the earlier one is taken to end when the later one starts.
    """
    if torch.onnx.is_in_onnx_export() or times.device.type != "cpu":
        return _superpose_at_once(record, amount, times)
    ke, ka = rates(times)
    empty = torch.zeros_like(amount[..., :1])
    slow = left = empty * ke  # [B, N, E] of oral and bolus doses, of infusions before the last
    fast = empty * ka
    bolus = slow
    start, given, length = empty, empty, empty + 1.0  # of the last infusion
    before = empty
    kept = []
    for d in range(amount.shape[-1]):
        now, dose = record.dose_time[..., d, None], amount[..., d, None]
        long = record.dose_duration[..., d, None]
        oral = record.dose_oral[..., d, None]
        gap = (now - before).clamp(min=0)
        slow_decay = torch.exp(-ke * gap)
        slow = slow * slow_decay + torch.where(oral, dose, 0.0)
        fast = fast * torch.exp(-ka * gap) + torch.where(oral, dose, 0.0)
        infused = ~oral & (long > 0)
        bolus = bolus * slow_decay + torch.where(oral | infused, 0.0, dose)
        since = (now - start).clamp(min=0)
        carried = left * torch.exp(-ke * since)
        carried = carried + _infusion(given, torch.minimum(length, since), since, ke)
        left = torch.where(infused, carried, left)
        start, given = torch.where(infused, now, start), torch.where(infused, dose, given)
        length = torch.where(infused, long, length)
        before = now
        kept.append((slow, fast, bolus, left, start, given, length))
    number, last = _doses_before(record, times)
    dosed = (number > 0)[..., None]

    def at_last(values: tuple[Tensor, ...]) -> Tensor:
        stacked = torch.stack(values, 2)
        return stacked.gather(2, last[..., None].expand(-1, -1, -1, stacked.shape[-1]))

    slow, fast, bolus, left, start, given, length = map(at_last, zip(*kept, strict=True))
    since = (times - record.dose_time.gather(2, last)).clamp(min=0)[..., None]
    decay = torch.exp(-ke * since)
    ratio = (ka / (ka - ke[:, None])) * dosed[..., None]
    oral = ratio * ((slow * decay)[..., None] - (fast * torch.exp(-ka * since))[..., None, :])
    running = (times[..., None] - start).clamp(min=0)
    vein = bolus * decay + left * torch.exp(-ke * running)
    vein = (vein + _infusion(given, length, running, ke)) * dosed
    return oral.clamp(min=0), vein[..., None]


def _superpose_at_once(record: Record, amount: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """The same as a plain sum over the doses, without a loop: exported with any number of them, and
    few operations for a GPU."""
    ke, ka = rates(times)
    start, oral = record.dose_time[:, :, None], record.dose_oral[:, :, None]
    since = times[..., None] - start  # [B, N, T, D]
    given = torch.where(record.dosed[:, :, None] & (since > 0), amount[:, :, None], 0.0)[..., None]
    since, length = since.clamp(min=0)[..., None], record.dose_duration[:, :, None]
    place = torch.arange(amount.shape[-1], device=amount.device)
    later = (place > place[:, None]) & (record.dose_duration > 0)[:, :, None]
    later = torch.where(later & ~record.dose_oral[:, :, None], start, torch.inf)
    after = later.amin(-1)[:, :, None]  # start of the next infusion
    length = torch.where(after < times[..., None], torch.minimum(length, after - start), length)
    vein = _infusion(given, length[..., None], since, ke)
    vein = torch.where(oral[..., None], 0.0, vein).sum(-2)
    given = torch.where(oral[..., None], given, 0.0)
    slow, fast = ((given * torch.exp(-k * since)).sum(-2) for k in (ke, ka))
    f = ka / (ka - ke[:, None]) * (slow[..., None] - fast[..., None, :])
    return f.clamp(min=0), vein[..., None]


def _infusion(amount: Tensor, duration: Tensor, since: Tensor, ke: Tensor) -> Tensor:
    """What is left [..., E] of an infusion that began ``since`` [..., 1] h ago."""
    x = ke * torch.minimum(since, duration)
    share = torch.where(x > 0, -torch.expm1(-x) / (ke * duration).clamp(min=1e-9), 0.0)
    share = torch.where((duration <= 0) & (since >= 0), 1.0, share)
    return amount * share * torch.exp(-ke * (since - duration).clamp(min=0))


@dataclass(frozen=True)
class GridPosterior:
    """The grid's posterior of an individual: weight [B, N, G], level [B, N, G] and its variance
    [B, N, 1]."""

    weight: Tensor
    level: Tensor
    variance: Tensor

    def forecast(self, logs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and SD [B, N, T] of ln y without error, at points of ln f ``logs`` [B, N, T, G]."""
        value = logs + self.level[..., None, :]
        mean = (self.weight[..., None, :] * value).sum(-1)
        square = (self.weight[..., None, :] * (value - mean[..., None]).square()).sum(-1)
        return mean, torch.sqrt(square + self.variance)

    @property
    def mean_level(self) -> Tensor:
        """Mean of the level [B, N]."""
        return (self.weight * self.level).sum(-1)


def mean_rates(weight: Tensor) -> Tensor:
    """Mean and SD of ln ke and of ln ka under weights [B, N, G] of the grid: [B, N, 4]."""
    # In double precision: a GPU's quick products would round a difference of squares away.
    grid = torch.cartesian_prod(*(rate.log() for rate in rates(weight))).double()
    mean, square = weight.double() @ grid, weight.double() @ grid.square()
    return torch.cat([mean, torch.sqrt((square - mean.square()).clamp(min=0))], -1).to(weight)


def curves(record: Record, amount: Tensor, times: Tensor, fraction: Tensor) -> Tensor:
    """ln f [B, N, T, G] with oral availability ``fraction`` [B, G]."""
    oral, vein = superpose(record, amount, times)
    E, A = oral.shape[-2:]
    f = oral * fraction.unflatten(-1, (E, A))[:, None, None] + vein
    return _log(f, amount)


def _log(f: Tensor, amount: Tensor) -> Tensor:
    """ln f [B, N, T, G] of f [B, N, T, E, A]; the floor is proportional to the first dose, so that
    f is to all of ``amount``, and no planned dose moves it."""
    first = amount[..., 0][..., None, None, None]
    return torch.maximum(f, FLOOR * torch.where(first > 0, first, 1.0)).log().flatten(-2)


class Fit:
    """The grid, weighed by the context; in ln y relative to the study's reference amount.

    typical [B, G] weights of the study; level [B, G] typical level; spread [B] SD of the levels;
    mixture [B, G] weights of a new individual; members: the context individuals; context_logs
    [B, J, T, G] ln f at their samples; fraction [B, G] oral availability.

    Args:
        task: its context is read.
        values: [B, J, T] ln y less the reference.
        amounts: [B, J, D] relative amounts of the context's doses.
    """

    def __init__(self, task: Task, values: Tensor, amounts: Tensor) -> None:
        oral, vein = superpose(task.context, amounts, task.context.times)
        seen = task.context.quantified
        E, A = oral.shape[-2:]

        def logs_at(fraction: Tensor | float) -> Tensor:
            return _log(oral * fraction + vein, amounts)

        logs = logs_at(1.0)
        fraction = torch.ones_like(logs[:, 0, 0])
        if task.any_mixed:
            best = _pooled(values, logs, seen)[0]
            for share in FRACTIONS[1:]:
                score = _pooled(values, logs_at(share), seen)[0]
                better = task.mixed_routes[:, None] & (score > best)
                best = torch.where(better, score, best)
                fraction = torch.where(better, share, fraction)
            logs = logs_at(fraction.unflatten(-1, (E, A))[:, None, None])
        self.context_logs, self.fraction = logs, fraction

        pooled, own, mean, number, self.level = _pooled(values, logs, seen)
        people = (number[..., 0] > 0).sum(-1, keepdim=True).to(logs.dtype)
        typical = torch.softmax(pooled * (POOLED / people.clamp(min=POOLED)), -1)
        typical = neighbours(typical, E, A)
        self.typical = (1 - OPEN_MINDED) * typical + OPEN_MINDED / typical.shape[-1]
        there = (number > 0).to(logs.dtype)
        weight = torch.softmax(own + self.typical.log()[:, None], -1)
        level = self.level[:, None]
        away = (weight * (mean - level).square()).sum(-1)
        noise = ERROR**2 / number[..., 0].clamp(min=1)
        excess = ((away - noise).clamp(min=0) * there[..., 0]).sum(-1)
        self.spread = torch.sqrt((2 * LEVEL**2 + excess) / (2 + people[:, 0])).clamp(0.08, 2.0)
        mixture = (2 * self.typical + (weight * there).sum(1)) / (2 + people)
        self.mixture = neighbours(mixture, E, A)
        spread = self.spread[:, None, None]
        self.members = GridPosterior(weight, *_level(mean, number, level, spread))

    def typical_curve(self, logs: Tensor) -> Tensor:
        """ln y [B, N, T] of a typical individual, at points of ln f ``logs`` [B, N, T, G]."""
        return (self.typical[:, None, None] * (logs + self.level[:, None, None])).sum(-1)

    def posterior(self, logs: Tensor, values: Tensor, seen: Tensor, alone: Tensor) -> GridPosterior:
        """That of targets given ``values`` [B, R, T] where ``seen``, ln f ``logs`` [B, R, T, G];
        ``alone`` [B]: no context tells the level, only the prefix does."""
        mean, number, square = _summary(values, logs, seen)
        level = torch.where(alone[:, None, None], mean, self.level[:, None])
        spread = torch.where(alone, 2.0, self.spread)[:, None, None]
        likelihood = _likelihood(mean, number, square, level, spread)
        mixture = torch.where(alone[:, None], 1.0 / self.mixture.shape[-1], self.mixture)
        weight = torch.softmax(likelihood + mixture.clamp(min=1e-12).log()[:, None], -1)
        return GridPosterior(weight, *_level(mean, number, level, spread))


def neighbours(weight: Tensor, E: int, A: int) -> Tensor:
    """Weights [..., G] blurred over the next rates of the grid: 1/4, 1/2, 1/4 each way."""
    w = weight.unflatten(-1, (E, A))
    for axis in (-1, -2):
        w = w.transpose(-1, axis)
        left = torch.cat([w[..., :1], w[..., :-1]], -1)
        right = torch.cat([w[..., 1:], w[..., -1:]], -1)
        w = (0.25 * left + 0.5 * w + 0.25 * right).transpose(-1, axis)
    return w.flatten(-2)


def _summary(values: Tensor, logs: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [B, N, G], number [B, N, 1] and sum of squares about the mean of ln y - ln f."""
    w = seen.to(logs.dtype)[..., None]
    residual = (values[..., None] - logs) * w
    number = w.sum(2)
    mean = residual.sum(2) / number.clamp(min=1)
    square = ((residual - mean[:, :, None]).square() * w).sum(2)
    return mean, number, square


def _likelihood(mean: Tensor, number: Tensor, square: Tensor, level: Tensor, spread) -> Tensor:
    """ln likelihood [B, N, G] with a normal level; 0 for nobody."""
    variance = spread**2 + ERROR**2 / number.clamp(min=1)
    found = square / ERROR**2 + (mean - level).square() / variance
    return torch.where(number > 0, -0.5 * found, 0.0)


def _level(mean: Tensor, number: Tensor, level: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior mean [B, N, G] and variance [B, N, 1] of an individual's level."""
    precision = number / ERROR**2 + 1 / spread.square()
    return (number / ERROR**2 * mean + level / spread.square()) / precision, 1 / precision


def _pooled(values: Tensor, logs: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
    """ln likelihood [B, G] of all individuals together, then their own [B, N, G], mean and number
    of residuals (see ``_summary``), and the typical level [B, G]."""
    mean, number, square = _summary(values, logs, seen)
    weight = torch.where(number > 0, 1 / (LEVEL**2 + ERROR**2 / number.clamp(min=1)), 0.0)
    level = (weight * mean).sum(1) / weight.sum(1).clamp(min=1e-9)
    own = _likelihood(mean, number, square, level[:, None], LEVEL)
    return own.sum(1), own, mean, number, level
