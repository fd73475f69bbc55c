"""Watch which files under ``data/`` a running notebook opens, and refuse undeclared ones.

The runner has the kernel run this file first, with ``WATCH`` set. The hook sees every file opened
through Python. It does not see what compiled code opens by itself (a safetensors weight file; its
configuration beside it is seen) or what a child process opens.
"""

from __future__ import annotations

import os
import sys

_WRITING = os.O_WRONLY | os.O_RDWR


class UndeclaredInputError(ValueError):
    """A notebook read a data file that it does not declare, so the cache could not notice it."""


class _Watch:
    """The audit hook: records reads under ``data/`` in ``log``, raises on undeclared ones."""

    def __init__(self, root: str, chapter: str, inputs: list[str], log: str) -> None:
        self.chapter, self.log = chapter, log
        self.data = os.path.realpath(os.path.join(root, "data"))
        self.allowed = [os.path.realpath(os.path.join(root, entry)) for entry in inputs]
        self.seen: set[str] = set()
        open(log, "a").close()  # tells the runner that the watch is on

    def __call__(self, event: str, arguments: tuple) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path in self.seen or not path.startswith(self.data + os.sep):
            return
        if arguments[2] & _WRITING:
            self.seen.add(path)  # reading back what this run wrote is no input
            return
        name = "data/" + os.path.relpath(path, self.data).replace(os.sep, "/")
        if not any(path == entry or path.startswith(entry + os.sep) for entry in self.allowed):
            raise UndeclaredInputError(
                f"{self.chapter}.ipynb reads {name}, which it does not declare: add it, or its "
                f'folder, to the notebook\'s metadata, {{"agmpk": {{"inputs": ["{name}"]}}}}, so '
                f"that a change in it re-executes the chapter."
            )
        self.seen.add(path)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(name + "\n")


if settings := globals().get("WATCH"):  # the arguments of _Watch, given by the runner
    os.environ["AGMPK_DATA"] = os.path.join(settings["root"], "data")  # what the digests cover
    sys.addaudithook(_Watch(**settings))  # stays for the life of the process
