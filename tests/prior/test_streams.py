"""A seed gives the same studies on any number of workers, in any order."""

from concurrent.futures import ThreadPoolExecutor

import torch

from agmpk.prior import load_prior, simulate, simulate_block
from agmpk.prior.laws import Streams
from agmpk.prior.table import concatenate


def test_workers_and_order_do_not_matter():
    config = load_prior("extended")
    alone = simulate(config, 192, seed=6)
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda b: simulate_block(config, 6, b), (2, 0, 1)))
    together = concatenate([parts[1], parts[2], parts[0]])
    for name, value in vars(alone).items():
        assert torch.equal(value, getattr(together, name))


def test_global_randomness_is_neither_used_nor_touched():
    config = load_prior("extended")
    torch.manual_seed(1)
    first, after = simulate_block(config, 6, 0, studies=8), torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))
    assert torch.equal(first.concentration, simulate_block(config, 6, 0, studies=8).concentration)


def test_streams_differ_by_name_block_and_seed():
    draws = [
        torch.rand(4, generator=Streams(*at)(name))
        for at in ((0, 0), (0, 1), (1, 0))
        for name in ("lag", "late")
    ]
    assert len({tuple(d.tolist()) for d in draws}) == 6
    again = Streams(0, 0)
    assert torch.equal(torch.rand(4, generator=again("lag")), draws[0])
