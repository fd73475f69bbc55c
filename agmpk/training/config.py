"""What a training run is: every setting, frozen, and equal to its YAML form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
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
    validation_studies: int = 64
    save_every: int = 100

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values."""
        return asdict(self)

    @classmethod
    def from_dict(
        cls,
        values: dict[str, Any],
        where: str = "The training configuration",
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


def recipes() -> tuple[str, ...]:
    """Names of the recipes that ship with the package."""
    folder = resources.files("agmpk.training") / "recipes"
    return tuple(
        sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))
    )


def load_training_config(name_or_path: str | Path) -> TrainingConfig:
    """A recipe by name, or the settings of a YAML file.

    Raises
    ------
    AgmpkError
        If there is no such recipe or file, or it holds an unknown setting.
    """
    text = str(name_or_path)
    if text in recipes():
        source = (resources.files("agmpk.training") / "recipes" / f"{text}.yaml").read_text("utf-8")
    elif Path(text).is_file():
        source = Path(text).read_text("utf-8")
    else:
        raise AgmpkError(
            f"There is no training recipe {text!r}: use one of "
            f"{', '.join(recipes())}, or a YAML file."
        )
    return TrainingConfig.from_dict(yaml.safe_load(source) or {}, text)


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Warm-up, plateau, linear cool-down to zero; ``step`` counts from 0."""
    up = min(1.0, (step + 1) / max(1, config.warmup))
    down = min(1.0, (config.steps - step) / max(1.0, config.cooldown * config.steps))
    return config.rate * up * down
