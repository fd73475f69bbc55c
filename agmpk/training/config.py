"""What a training run is: every setting, frozen, and equal to its YAML form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from agmpk.errors import AgmpkError
from agmpk.models.flow import FlowConfig


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a run; one step sees one block (64 studies) of the prior's stream.

    prior: preset name or YAML file.  targets: target individuals per study.  max_prefix: longest
    prefix trained.  rate: peak learning rate, reached after ``warmup`` steps, held, and taken to
    zero linearly over the last ``cooldown`` share of the steps.  ema: decay of the averaged
    weights that are shipped.  microbatches: parts of a block, sorted by size to waste no padding.
    """

    prior: str = "extended"
    model: FlowConfig = field(default_factory=FlowConfig)
    steps: int = 6000
    targets: int = 3
    max_prefix: int = 8
    rate: float = 1e-3
    warmup: int = 200
    cooldown: float = 0.4
    weight_decay: float = 0.01
    clip: float = 0.5
    ema: float = 0.998
    microbatches: int = 4
    seed: int = 0
    validate_every: int = 500
    save_every: int = 100

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "The training configuration",
                  ) -> TrainingConfig:
        """Build from plain values; missing ones keep their defaults, unknown ones are refused."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise AgmpkError(f"{where} does not know {', '.join(sorted(unknown))}.")
        values = dict(values)
        model = values.pop("model", {})
        try:
            return replace(cls(**values), model=FlowConfig(**model))
        except TypeError as error:
            raise AgmpkError(f"{where} cannot be read: {error}.") from None


def load_training_config(path: str | Path) -> TrainingConfig:
    """Read a YAML file.

    Raises
    ------
    AgmpkError
        If the file is missing or holds an unknown setting.
    """
    path = Path(path)
    if not path.is_file():
        raise AgmpkError(f"There is no training configuration {path}.")
    return TrainingConfig.from_dict(yaml.safe_load(path.read_text("utf-8")) or {}, str(path))


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Warm-up, plateau, linear cool-down to zero; ``step`` counts from 0."""
    up = min(1.0, (step + 1) / max(1, config.warmup))
    down = min(1.0, (config.steps - step) / max(1.0, config.cooldown * config.steps))
    return config.rate * up * down
