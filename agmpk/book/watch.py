"""Watch a running notebook: which modules of the package it executes, and which files under
``data/`` it opens; undeclared ones are refused.

The runner has the kernel run this file first, with ``WATCH`` set. The hook sees every module that
is imported and every file opened through Python. It does not see what compiled code opens by itself
(a safetensors weight file; its configuration beside it is seen) or what a child process does.
"""

from __future__ import annotations

import gc
import os
import sys

_WRITING = os.O_WRONLY | os.O_RDWR


class UndeclaredInputError(ValueError):
    """A notebook read a data file that it does not declare, so the cache could not notice it."""


class _Watch:
    """The audit hook: records modules and reads in ``log``, raises on undeclared reads."""

    def __init__(self, root: str, package: str, chapter: str, inputs: list[str], log: str) -> None:
        self.chapter, self.log = chapter, log
        self.folders = {
            os.path.realpath(os.path.join(root, name)) + os.sep: name for name in (package, "data")
        }
        self.allowed = [os.path.realpath(os.path.join(root, entry)) for entry in inputs]
        self.seen: set[str] = set()
        open(log, "a").close()  # tells the runner that the watch is on

    def __call__(self, event: str, arguments: tuple) -> None:
        if event == "exec":  # of a module, when it is imported
            self._note(getattr(arguments[0], "co_filename", ""), "exec")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            self._note(os.fsdecode(arguments[0]), "write" if arguments[2] & _WRITING else "read")

    def _note(self, file: str, how: str) -> None:
        path = os.path.realpath(file)
        folder = next((one for one in self.folders if path.startswith(one)), None)
        if (
            folder is None
            or path in self.seen
            or (self.folders[folder] == "data") == (how == "exec")
        ):
            return
        name = f"{self.folders[folder]}/" + path[len(folder) :].replace(os.sep, "/")
        allowed = any(path == entry or path.startswith(entry + os.sep) for entry in self.allowed)
        if how == "read" and not allowed:
            raise UndeclaredInputError(
                f"{self.chapter}.ipynb reads {name}, which it does not declare: add it, or its "
                f'folder, to the notebook\'s metadata, {{"agmpk": {{"inputs": ["{name}"]}}}}, so '
                f"that a change in it re-executes the chapter."
            )
        self.seen.add(path)
        if how != "write":  # reading back what this run wrote is no input
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(name + "\n")


if settings := globals().get("WATCH"):  # the arguments of _Watch, given by the runner
    os.environ["AGMPK_DATA"] = os.path.join(settings["root"], "data")  # what the digests cover
    sys.addaudithook(_Watch(**settings))  # stays for the life of the process
    # Imports make many objects and hardly any garbage: looking for it is an eighth of them.
    gc.set_threshold(20_000, 10, 20)
