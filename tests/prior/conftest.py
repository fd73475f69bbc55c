"""One individual with constant parameters, solved by the simulator's own machinery."""

import math

import pytest
import torch

from agmpk.prior import load_prior
from agmpk.prior.dosing import Doses
from agmpk.prior.laws import WAVES, Streams
from agmpk.prior.parameters import Parameters, Typical
from agmpk.prior.simulate import Trial, solve


@pytest.fixture
def curve():
    """A function: sampling times [T] h and parameters -> concentrations [T] as numpy."""

    def solved(
        times,
        *,
        dose=100.0,
        V=20.0,
        ka=1.0,
        ke=0.1,
        k_out=(),
        k_in=(),
        oral=True,
        duration=0.0,
        interval=0.0,
        additional=0,
        lag=0.0,
        split=(0.0, 0.0),
        transits=0.0,
        saturation=math.inf,
        metabolite=None,
        zero=(0.0, 1.0, False),
        ktr=None,
        doses=None,
    ):
        """``doses``: (time, amount, oral, duration) of each, in place of an even schedule."""
        if doses is None:
            doses = [(interval * k, dose, oral, duration) for k in range(additional + 1)]

        def at(value, *shape):
            return torch.full(shape, float(value), dtype=torch.float64)

        times = torch.as_tensor(times, dtype=torch.float64)
        P = max(len(k_out), 1)
        exchange = {
            "k_out": torch.tensor([*k_out, 1.0][:P], dtype=torch.float64).log(),
            "k_in": torch.tensor([*k_in, 1.0][:P], dtype=torch.float64).log(),
        }
        km, formed, first_pass = metabolite or (1.0, 0.5, 0.0)
        logs = {"ka": math.log(ka), "ke": math.log(ke), "V": math.log(V)}
        p = Parameters(
            typical=Typical(
                **{k: at(v, 1) for k, v in logs.items()},
                **{k: v[None] for k, v in exchange.items()},
            ),
            **{k: at(v, 1, 1) for k, v in logs.items()},
            **{k: v[None, None] for k, v in exchange.items()},
            exchange=torch.full((1, 1, P), len(k_out) > 0),
            F=at(0, 1, 1),
            lag=at(lag, 1, 1),
            split_fraction=at(split[0], 1, 1),
            split_delay=at(split[1], 1, 1),
            zero_duration=at(zero[0], 1, 1),
            zero_part=at(zero[1] if zero[0] else 0, 1, 1),
            zero_gut=torch.tensor([[zero[2]]]),
            ktr=at(math.log(ktr or ka), 1, 1),
            km=at(math.log(km) if km else -800, 1, 1),
            formed=at(formed, 1, 1),
            first_pass=at(first_pass, 1, 1),
            poor=torch.zeros(1, 1, dtype=torch.bool),
            transits=at(transits, 1),
            is_metabolite=torch.tensor([metabolite is not None]),
            saturation=at(saturation, 1),
            ou_sd=at(0, 1, 4 + 2 * P),
            ou_time_scale=at(1, 1),
            shared=at(0, 1, 2 * WAVES, 4 + 2 * P),
            frequency=at(1, 1, WAVES),
        )
        time, amount, by_mouth, hours = zip(*doses, strict=True)
        D = len(doses)
        given = Doses(
            time=torch.tensor(time, dtype=torch.float64).view(1, 1, D),
            amount=torch.tensor(amount, dtype=torch.float64).view(1, 1, D),
            duration=torch.tensor(hours, dtype=torch.float64).view(1, 1, D),
            oral=torch.tensor(by_mouth).view(1, 1, D),
            dosed=torch.ones(1, 1, D, dtype=torch.bool),
            gain=at(0, 1, 1, D),
            weight=at(70, 1, 1),
            reference=at(70, 1, 1),
            after=at(1, 1, 1),
            sparse=torch.tensor([False]),
            repeated=torch.tensor([False]),
            crossover=torch.tensor([False]),
        )
        one = torch.ones(1, 1, dtype=torch.bool)
        exists = one[..., None].expand(1, 1, len(times))
        trial = Trial(p, given, times.max()[None], times[None, None], exists, one)
        return solve(load_prior("extended"), trial, Streams(0, 0))[0, 0].numpy()

    return solved
