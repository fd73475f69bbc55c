"""Files are written whole or not at all."""

import errno
import os
import pickle

import pandas as pd
import pytest

from agmpk import errors, files


def test_success_replaces_and_failure_leaves_the_old_file(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
    with files.atomic_path(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".csv"
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new" and list(tmp_path.iterdir()) == [target]


def test_places_that_cannot_be_written(tmp_path):
    for target, words in ((tmp_path, "is a folder"), (tmp_path / "no" / "out.csv", "create it")):
        with pytest.raises(errors.AgmpkError, match=words), files.atomic_path(target):
            pass


def test_sha256_is_that_of_the_standard(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, example B.1
    assert files.sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_write_csv_keeps_every_digit(tmp_path):
    frame = pd.DataFrame({"a": [0.1 + 0.2, 1 / 3], "b": ["x", "y, z"]})
    files.write_csv(frame, tmp_path / "out.csv")
    back = pd.read_csv(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


def test_data_path(monkeypatch, tmp_path):
    monkeypatch.delenv("AGMPK_DATA", raising=False)
    assert files.data_path("benchmark", "compounds.csv").is_file()
    with pytest.raises(errors.AgmpkError, match="nowhere.csv does not exist"):
        files.data_path("nowhere.csv")
    assert not files.data_path("nowhere.csv", must_exist=False).exists()
    monkeypatch.setenv("AGMPK_DATA", str(tmp_path))
    assert files.data_path() == tmp_path
    monkeypatch.setenv("AGMPK_DATA", str(tmp_path / "gone"))
    with pytest.raises(errors.AgmpkError, match="AGMPK_DATA"):
        files.data_path()


def test_a_table_error_survives_pickling():
    error = pickle.loads(pickle.dumps(errors.TableError(["one.", "two."])))
    assert error.faults == ("one.", "two.") and str(error) == "one.\ntwo."


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(tmp_path):
    target, link = tmp_path / "out.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with files.atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink() and target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_inputs_and_devices_are_never_written_over(tmp_path):
    study, pipe, link = tmp_path / "study.csv", tmp_path / "pipe", tmp_path / "link"
    study.write_text("ID")
    link.symlink_to(study)
    os.mkfifo(pipe)
    for target in (study, link, tmp_path / "." / "study.csv"):
        with pytest.raises(errors.AgmpkError, match="is what is read"):
            files.check_writable(target, study)
    files.check_writable(study)  # an output of before may be replaced
    for target in (pipe, "/dev/null"):
        with pytest.raises(errors.AgmpkError, match="device or a pipe"), files.atomic_path(target):
            pass
    with pytest.raises(errors.AgmpkError, match="cannot be written"):
        files.check_writable("a\0b")


def test_a_full_disk_is_one_sentence(tmp_path):
    with pytest.raises(errors.AgmpkError, match="make room"), files.atomic_path(tmp_path / "a.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="else"), files.atomic_path(tmp_path / "a.csv"):
        raise OSError(errno.ECHILD, "something else")
