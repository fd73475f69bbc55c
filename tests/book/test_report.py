"""The tables of the chapter on reproducibility say what is the case."""

import hashlib
import platform

from agmpk.book import report
from agmpk.book.cache import Stamp, write_stamp


def test_versions_beside_the_lock(root, tmp_path):
    frame = report.versions(root, ("numpy", "torch"))
    assert frame.loc["Python", "installed"] == platform.python_version()
    assert list(frame.loc[["numpy", "torch"], "as locked"]) == ["yes", "yes"]
    (tmp_path / "requirements.lock").write_text("numpy==0.1\n")
    frame = report.versions(tmp_path, ("numpy", "no-such-package"))
    assert list(frame.loc[["numpy", "no-such-package"], "as locked"]) == ["no", "no"]


def test_times_come_from_the_stamps(project):
    project.executed.mkdir(parents=True)
    parts = {"agmpk/one.py": "1", "data/b.csv": "2"}
    date = "2026-01-02T03:04:05+00:00"
    write_stamp(project, Stamp("beta", "smoke", {}, 12.5, date, "here", parts, "0", ["data/b.csv"]))
    frame = report.chapters(project)
    assert list(frame.index) == ["beta"]
    row = frame.loc["beta"]
    assert (row["time"], row["date"], row["modules"], row["data files read"]) == (
        12.5,
        "2026-01-02 03:04",
        1,
        1,
    )
    assert report.chapters(project, without="beta").empty


def test_digest_of_each_file(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.bin").write_bytes(b"x" * 1500)
    frame = report.file_digests(tmp_path, 10)
    assert frame.loc["sub/x.bin", "size"] == 1.5
    assert frame.loc["sub/x.bin", "SHA-256"] == hashlib.sha256(b"x" * 1500).hexdigest()[:10]
