"""What is written is read back exactly, whatever the study."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agmpk.errors import AgmpkError
from agmpk.studies import Dose, Individual, Study, Units, read_studies, read_study, write_study

positive = st.floats(1e-12, 1e12, allow_nan=False)
names = st.text(
    st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8
).filter(
    lambda text: (
        text == text.strip()
        and text.isprintable()
        and text.upper() not in (".", "NA")
        and text[0] not in "#@"
    )
)


@st.composite
def doses(draw):
    infused = draw(st.booleans())
    additional = draw(st.integers(0, 5))
    return Dose(
        time=draw(st.floats(-1e3, 1e4)),
        amount=draw(positive),
        route="iv_infusion" if infused else draw(st.sampled_from(["oral", "iv_bolus"])),
        duration=draw(st.floats(1e-6, 1e5)) if infused else 0,
        additional=additional,
        interval=draw(st.floats(1e-6, 1e5)) if additional else 0,
    )


@st.composite
def individuals(draw):
    times = sorted(draw(st.sets(st.floats(0, 1e4), max_size=6)))
    censored = [draw(st.booleans()) for _ in times]
    values = [draw(positive if mark else positive | st.just(0.0)) for mark in censored]
    given_doses = draw(st.lists(doses(), min_size=1, max_size=3, unique=True))
    person = draw(st.none() | st.sampled_from(["Ann", "7"]))
    return Individual(draw(names), times, values, given_doses, censored, person)


studies = st.builds(
    Study,
    compound=names,
    individuals=st.lists(individuals(), min_size=1, max_size=4, unique_by=lambda one: one.id),
    units=st.sampled_from([Units(), Units("h", "mg/L", "mg/kg"), Units("h", "nmol/L", "umol")]),
    lloq=st.none() | positive,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(study=studies)
def test_a_study_survives_a_round_trip(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("round") / "study.csv"
    write_study(study, path)
    assert read_study(path) == study
    assert read_studies(path) == {study.compound: study}
    first = path.read_bytes()
    write_study(read_study(path), path)
    assert path.read_bytes() == first


def test_an_empty_study_cannot_be_written_and_leaves_nothing(tmp_path):
    with pytest.raises(AgmpkError, match="no individual"):
        write_study(Study("caffeine", ()), tmp_path / "study.csv")
    assert not list(tmp_path.iterdir())


def test_plain_files_stay_plain(tmp_path):
    one = Individual("1", np.array([0.1, 0.2 + 0.1]), [1 / 3, 2.0], (Dose(0, 100),))
    write_study(Study("caffeine", (one,)), tmp_path / "study.csv")
    assert (tmp_path / "study.csv").read_text().splitlines() == [
        "# agmpk units: time=h concentration=ng/mL dose=mg compound=caffeine",
        "ID,TIME,DV,AMT,EVID,MDV,ROUTE",
        "1,0,.,100,1,1,oral",
        "1,0.1,0.3333333333333333,.,0,0,.",
        "1,0.30000000000000004,2,.,0,0,.",
    ]
