"""Kernels of the rehearsal: forked from one process that has imported what chapters import from
elsewhere, so that it is imported once and not by every kernel. The package itself is not: each
kernel imports of it what its chapter asks for. Libraries compute on one thread here. Only a use of
``scipy.stats`` after a mere ``import scipy``, or the like, would pass and fail in ``make book``.

``forked(folder)`` gives the environment in which Jupyter's kernel ``python3`` is such a one.
Jupyter starts, watches and ends this file, which stands for the kernel:

    python kernels.py SOCKET ARGUMENTS      # of ipykernel_launcher
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMPORTED = (
    *("IPython", "ipykernel.kernelapp", "matplotlib.pyplot", "pandas", "scipy.stats", "seaborn"),
    *("torch", "torch._dynamo", "yaml"),
)


@contextmanager
def forked(folder: Path) -> Iterator[dict[str, str]]:
    """Serve such kernels while the block lasts; ``folder`` is empty. Elsewhere than on Linux, where
    forking is less simple, kernels start as usual."""
    if sys.platform != "linux":
        yield dict(os.environ)
        return
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True)
    words = [sys.executable, "-P", __file__, str(folder / "socket")]
    spec = {"display_name": "Python 3 (ipykernel)", "language": "python"}
    spec["argv"] = [*words, "-f", "{connection_file}"]
    (place / "kernel.json").write_text(json.dumps(spec))
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    server = subprocess.Popen(words, env=os.environ | alone, **pipes)
    assert server.stdout.readline() == b"ready\n"
    try:
        yield os.environ | {"JUPYTER_PATH": str(folder)}
    finally:
        server.stdin.close()
        server.wait()


def stand_for(address: str, arguments: list[str]) -> int:
    """Have a kernel forked; return its status when it has ended. It ends with this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Jupyter's first word when a kernel shall end
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(address)
        about = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(asked, [json.dumps(about).encode() + b"\n"], [1, 2])
        return 0 if asked.recv(1) == b"0" else 1


def serve(address: str) -> socket.socket | None:
    """Fork a kernel for whoever asks, until nothing can come by standard input any more: None. In
    the kernel: the connection to who asked."""
    import gc
    import importlib
    import selectors

    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # without which a kernel does not live
    for name in IMPORTED:
        importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads cannot be forked"
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door, selectors.DefaultSelector() as either:
        door.bind(address)
        door.listen()
        print("ready", flush=True)
        either.register(door, selectors.EVENT_READ)
        either.register(sys.stdin, selectors.EVENT_READ)
        while [key.fileobj for key, _ in either.select()] == [door]:
            asked, _ = door.accept()
            if os.fork() == 0:
                return asked
            asked.close()
    return None


def become(asked: socket.socket) -> None:
    """Be the kernel that was asked for, until it is shut down."""
    text, files = b"", []
    while not text.endswith(b"\n"):
        part, new, _, _ = socket.recv_fds(asked, 1 << 20, 2)
        if not part:  # who asked has ended
            return
        text, files = text + part, files + new
    about = json.loads(text)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(about["folder"])
    os.environ.clear()
    os.environ.update(about["environment"])
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)

    def end_with_who_asked() -> None:
        asked.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_who_asked, daemon=True).start()
    sys.argv = ["ipykernel_launcher", *about["arguments"]]
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
    asked.send(b"0")


if __name__ == "__main__":
    if sys.argv[2:]:
        sys.exit(stand_for(sys.argv[1], sys.argv[2:]))
    if (asked := serve(sys.argv[1])) is not None:
        become(asked)
