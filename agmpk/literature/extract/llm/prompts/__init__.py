"""The prompts, one versioned YAML file each."""

from agmpk.literature.extract.llm.prompts.load import Prompt, load_prompt

__all__ = ["Prompt", "load_prompt"]
