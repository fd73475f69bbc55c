"""The simulator prior: studies drawn from compartment models with variable parameters."""

from agmpk.prior.config import PriorConfig, load_prior, presets
from agmpk.prior.simulate import SimulatedStudies, simulate, simulate_block, stream

__all__ = [
    "PriorConfig",
    "SimulatedStudies",
    "load_prior",
    "presets",
    "simulate",
    "simulate_block",
    "stream",
]
