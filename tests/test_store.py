"""Stored results are found by settings and version, and nothing damaged is believed."""

import json

import pandas as pd
import pytest

from agmpk.errors import AgmpkError
from agmpk.store import Store, digest

SETTINGS = {"seed": 1, "prior": {"ke": [0.0, 1.0]}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "s", version=2, remedy="run 'again {name}'")


def test_found_by_settings_whatever_their_order_and_from_disk(store):
    store.save("a b", SETTINGS, {"x": (1, 2)})
    again = Store(store.folder, 2)
    for one in (store, again):
        found = one.load("a b", dict(reversed(SETTINGS.items())))
        assert found.result == {"x": [1, 2]} and found.settings == SETTINGS and found.table is None
    assert again.load("a b", SETTINGS | {"seed": 2}) is None and again.load("b", SETTINGS) is None


def test_entries_of_a_name_stand_side_by_side(store):
    store.save("a", SETTINGS, 1)
    store.save("a", SETTINGS | {"seed": 2}, 2)
    store.save("a", SETTINGS, 3)
    again = Store(store.folder, 2)
    assert [entry.result for entry in again.entries("a").values()] == [3, 2]


def test_another_version_of_the_method_is_not_found(store):
    store.save("a", SETTINGS, 1)
    newer = Store(store.folder, 3)
    assert newer.load("a", SETTINGS) is None
    assert newer.entries("a")[digest(SETTINGS)].version == 2


def test_a_table_comes_with_its_record(store):
    rows = pd.DataFrame({"v": [0.1, 1 / 3]})
    store.save("a", SETTINGS, {"x": 1}, rows)
    found = Store(store.folder, 2).load("a", SETTINGS)
    pd.testing.assert_frame_equal(pd.read_csv(found.table), rows)


def edit(**changes):
    def edited(folder):
        file = folder / "a.json"
        (entry,) = json.loads(file.read_text()).values()
        file.write_text(json.dumps({digest(SETTINGS): entry | changes}))

    return edited


@pytest.mark.parametrize(
    "damage",
    [
        edit(result={"x": 2}),
        edit(settings={"seed": 3}),
        edit(version=3),
        edit(digest="0"),
        edit(table="0"),
        lambda folder: (folder / "a.csv").write_text("v\n"),
        lambda folder: (folder / "a.csv").unlink(),
        lambda folder: (folder / "a.json").write_text("{"),
        lambda folder: (folder / "a.json").write_text("[1]"),
        lambda folder: (folder / "a.json").write_text('{"k": {}}'),
        lambda folder: (folder / "a.json").write_bytes(b"\xff"),
        lambda folder: (folder / "a.json").write_text("[" * 100_000),
    ],
)
def test_damage_is_one_sentence_with_the_remedy(store, damage):
    store.save("a", SETTINGS, {"x": 1}, pd.DataFrame({"v": [1.0]}))
    damage(store.folder)
    with pytest.raises(AgmpkError, match=r"a\.(json|csv) is damaged .* run 'again a'") as found:
        Store(store.folder, 2, store.remedy).load("a", SETTINGS)
    assert "\n" not in str(found.value)
