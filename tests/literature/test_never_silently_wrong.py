"""Never silently wrong: each kind of trap over all its forms.

What a form says is read right, or it is left null; nothing in between. The sentences are of this
project's own wording, the forms are those of printed abstracts and tables.
"""

import pytest

from agmpk.literature.document import Document, Table
from agmpk.literature.extract import extract_document
from agmpk.literature.schema import QUANTITIES

TITLE = "Bioequivalence of two amlodipine 10 mg tablets"


def extract(text, title=TITLE, **more):
    return extract_document(Document("x", title, text, **more))


def values(record):
    return {k: getattr(record, k) for k in QUANTITIES if getattr(record, k) is not None}


FORMS = {
    "a power of ten": [
        ("The test Cmax was 1.2 × 10³ ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2 x 10(3) ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2 × 10<sup>3</sup> ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2 × 10^3 ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2E3 ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2 × 103 ng/mL.", {}),
        ("The test Cmax was (1.2 ± 0.3) × 10³ ng/mL.", {}),
        ("The test Cmax was 1.2 ± 0.3 × 10³ ng/mL.", {}),
        ("The test Cmax was 1.2·10³ ng/mL.", {"cmax": 1200}),
        ("Cmax (×10³ ng/mL) of the test was 1.2.", {}),
        ("The test Cmax (10³ ng/mL) was 1.2.", {}),
        ("The test Cmax (x 1000 ng/mL) was 1.2.", {}),
        ("The test Cmax was 1.2*10^3 ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2e+03 ng/mL.", {"cmax": 1200}),
        ("The test Cmax was 1.2 × 10⁻¹ µg/mL.", {"cmax": 0.12}),
        ("The test Cmax was 1.2 × 10 3 ng/mL.", {}),
        ("The test Cmax was 10³ ng/mL.", {}),
        (
            "Test and reference Cmax were 1.2 × 10³ and 1.3 × 10³ ng/mL.",
            {"cmax": 1200},
        ),
    ],
    "thousands with a gap": [
        ("The test AUC0-t was 5, 483.296 ng·h/mL.", {"auc0_t": 5483.296}),
        ("The test AUC0-t was 5 483.296 ng·h/mL.", {"auc0_t": 5483.296}),
        ("The test AUC0-t was 5, 483 ng·h/mL.", {}),
        ("The test AUC0-t was 5,483.3 ng·h/mL.", {"auc0_t": 5483.3}),
        ("The test AUC0-t was 12, 483.29 ± 3, 210.4 ng·h/mL.", {"auc0_t": 12483.29}),
        ("The test AUC0-t was 15 483.3 ± 2 100.0 ng·h/mL.", {"auc0_t": 15483.3}),
    ],
    "a footnote mark": [
        ("The test Cmax was 8.5<sup>1</sup> ng/mL.", {"cmax": 8.5}),
        ("The test Cmax was 8.5¹ ng/mL.", {"cmax": 8.5}),
        ("The test Cmax was 8.5<sup>a</sup> ng/mL.", {"cmax": 8.5}),
        ("The test Cmax was 8.5<sup>1,2</sup> ng/mL.", {"cmax": 8.5}),
        ("The test Cmax was 8.5(1) ng/mL.", {"cmax": 8.5}),
        ("The test Cmax was 8.5 [1] ng/mL.", {"cmax": 8.5}),
        ("The test Cmax was 8.5a ng/mL.", {}),
    ],
    "a difference or interval": [
        ("The test Cmax differed by 23 ng/mL (-123, +77 ng/mL).", {}),
        (
            "The mean difference of Cmax between the products was 12 ng/mL (-123, +77 ng/mL).",
            {},
        ),
        ("Cmax of the test was lower by 20 ng/mL.", {}),
        ("The difference in Cmax was 23.", {}),
        ("The difference in Cmax was 23 ng/mL.", {}),
        ("The difference in Cmax between test and reference was 23 ng/mL.", {}),
        ("The Cmax difference was 23 ng/mL (95% CI 3 to 40 ng/mL).", {}),
        ("A difference of 23 ng/mL in Cmax was found.", {}),
        ("The Cmax of the test was 23 ng/mL higher than that of the reference.", {}),
        ("The test Cmax was 23 ng/mL lower.", {}),
        ("The Cmax of the test exceeded that of the reference by 23 ng/mL.", {}),
        ("The mean change in Cmax was 23 ng/mL.", {}),
        ("The increase in Cmax was 23 ng/mL.", {}),
        ("The 95% CI of the test Cmax was 5.1 to 7.7 ng/mL.", {}),
        ("Cmax (95% CI) of the test was 5.1-7.7 ng/mL.", {}),
        (
            "No difference in Cmax was seen: 6.0 ng/mL for the test, 6.3 ng/mL for the reference.",
            {"cmax": 6.0},
        ),
    ],
    "a limit or threshold": [
        ("The LLOQ of 0.5 ng/mL was well below the test Cmax.", {}),
        ("The test Cmax exceeded the threshold of 20 ng/mL.", {}),
        ("Cmax of the test was above the limit of 20 ng/mL.", {}),
        ("The test Cmax lay below 20 ng/mL.", {}),
        ("Cmax of the test ranged from 5 to 9 ng/mL.", {}),
        ("The test Cmax was between 5 and 9 ng/mL.", {}),
        ("The test Cmax was at least 20 ng/mL.", {}),
        ("The test Cmax was > 20 ng/mL.", {}),
        ("The minimum effective concentration of 20 ng/mL lies below the test Cmax.", {}),
        ("The assay range of 1-500 ng/mL covered the test Cmax.", {}),
        ("With a detection limit of 0.5 ng/mL the test Cmax was 6.0 ng/mL.", {"cmax": 6.0}),
    ],
    "a ratio": [
        ("The Cmax ratio (test/reference) was 0.72.", {}),
        ("The geometric mean ratio of Cmax was 0.72 ng/mL.", {}),
        ("Cmax (ng/mL): ratio 0.72.", {}),
        ("Test/reference Cmax (ng/mL) was 0.72.", {}),
        ("The T/R ratio of Cmax was 72 ng/mL.", {}),
        ("GMR of Cmax: 0.98 ng/mL.", {}),
        ("The Cmax point estimate was 0.98 ng/mL.", {}),
        ("The relative Cmax was 0.72 ng/mL.", {}),
        ("The quotient of the Cmax values was 0.72 ng/mL.", {}),
    ],
    "an intra-subject CV": [
        ("The test Cmax was 6.0 ng/mL (intra-subject CV 20%).", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL (within-subject CV: 20%).", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL with an intra-individual CV of 20%.", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL (intrasubject CV, 20%).", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL (CVw 20%).", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL; CVintra was 20%.", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL (ISCV 20%).", {"cmax": 6.0}),
        ("The test Cmax was 6.0 ng/mL (intra-subject variability 20%).", {"cmax": 6.0}),
    ],
    "one product only": [
        (
            "Test: AUC0-t was 99 ng·h/mL. Reference: Cmax was 7 ng/mL and AUC0-t 98 ng·h/mL.",
            {"auc0_t": 99},
        ),
        ("Cmax of the reference was 6.3 ng/mL.", {}),
        ("The innovator reached a Cmax of 6.3 ng/mL.", {}),
        ("After the brand-name tablet Cmax was 6.3 ng/mL.", {}),
        (
            "Cmax was 6.3 ng/mL with Norvasc and 6.0 ng/mL with the generic; Norvasc is the "
            "reference.",
            {"cmax": 6.0},
        ),
        (
            "Cmax was 6.3 ng/mL with R and 6.0 ng/mL with T (T, test; R, reference).",
            {"cmax": 6.0},
        ),
        (
            "Cmax was 6.3 ng/mL for the brand-name product and 6.0 ng/mL for the generic.",
            {"cmax": 6.0},
        ),
    ],
    "a ratio behind the values": [
        (
            "Cmax was 6.0 ng/mL (test) and 6.3 ng/mL (reference), a ratio of 0.95 (0.90-1.01).",
            {"cmax": 6.0},
        ),
        ("The test Cmax was 6.0 ng/mL and the ratio 0.95.", {"cmax": 6.0}),
        (
            "Cmax was 6.3 and 6.0 ng/mL for reference and test, with a ratio of 0.95.",
            {"cmax": 6.0},
        ),
    ],
    "a label of one product and an order of two": [
        ("Cmax was 6.0 and 6.3 ng/mL, respectively for the generic and Norvasc.", {"cmax": 6.0}),
        ("Cmax was 6.0 and 6.3 ng/mL for the generic and Norvasc.", {}),
        ("Cmax of the generic and Norvasc was 6.0 and 6.3 ng/mL.", {"cmax": 6.0}),
        ("Cmax of Norvasc and the generic was 6.3 and 6.0 ng/mL.", {}),
        ("Cmax was 6.0 vs 6.3 ng/mL for P1 (test) and P2 (Norvasc).", {}),
        ("For R- and S-amlodipine the Cmax of the test was 6.0 and 6.3 ng/mL.", {}),
        ("Cmax was 6.0 ng/mL in group T and 6.3 in group R, where T is the test.", {"cmax": 6.0}),
        (
            "Cmax was 6.3 ng/mL with R; it was 6.0 ng/mL with T (T, test; R, reference).",
            {"cmax": 6.0},
        ),
        (
            "Brandor gave a Cmax of 6.3 ng/mL and an AUC0-t of 98 ng·h/mL; the generic gave a Cmax "
            "of 6.0 ng/mL and an AUC0-t of 99 ng·h/mL.",
            {"cmax": 6.0, "auc0_t": 99},
        ),
    ],
    "a word that is no product's name": [
        (
            "Mean values (standard deviation) of Cmax with the test were 6.0 (1.5) ng/mL; with the "
            "reference they were 6.3 (1.7) ng/mL.",
            {"cmax": 6.0},
        ),
        (
            "Cmax was 6.0 ng/mL after sprinkle (test) and 6.3 ng/mL after tablet (reference).",
            {"cmax": 6.0},
        ),
        ("The tablet was the reference. The test Cmax was 6.0 ng/mL.", {"cmax": 6.0}),
        (
            "Methods and Results: it was tested. Results: the test Cmax was 6.0 ng/mL.",
            {"cmax": 6.0},
        ),
    ],
    "a unit that ends in a number": [
        (
            "The mean (SD) AUCt and AUCinf of the test were 260.32 (117.95) ng.h.mL-1, 268.01 "
            "(121.03) ng.h.mL-1.",
            {"auc0_t": 260.32, "auc0_inf": 268.01},
        ),
        (
            "The test AUC0-t was (6 318±1 844) ng·h/mL and the test Cmax (715.3±241.0) ng/mL.",
            {"auc0_t": 6318, "cmax": 715.3},
        ),
    ],
    "a value whose name is not known": [
        (
            "Cmax, AUC0-t and T.max were 6.0 ng/mL, 99 ng·h/mL and 2.1 h for the test and 6.3 "
            "ng/mL, 98 ng·h/mL and 2.2 h for Norvasc.",
            {"cmax": 6.0, "auc0_t": 99},
        ),
    ],
    "values before a name that is not theirs": [
        (
            "Means of the peak were 10.7 and 11.2 ng/mL, for AUC0-t 158 and 161 ng·h/mL and for "
            "AUC0-inf 167 and 170 ng·h/mL, for the test and the reference respectively.",
            {"auc0_t": 158, "auc0_inf": 167},
        ),
    ],
    "a wrapped line": [
        (
            "For the test the mean\nCmax was\n6.0 ±\n1.5 ng/mL and the AUC0-t\nwas 99.",
            {"cmax": 6.0},
        ),
        (
            "After the single oral dose of each of the two tablets the mean\nCmax of the test and "
            "that of the reference amounted to 6.0 and\n6.3 ng/mL.",
            {"cmax": 6.0},
        ),
        ("METHODS\nIt was given to all\nRESULTS\nThe test Cmax was 6.0 ng/mL", {"cmax": 6.0}),
        (
            "Cmax (ng/mL): test 6.0, reference 6.3\nAUC0-t (ng·h/mL): test 99, reference 98",
            {"cmax": 6.0, "auc0_t": 99},
        ),
    ],
    "a metabolite whose parent could not be read": [
        (
            "Cmax of amlodipine after both was 6.0, 6.2, 6.3 ng/mL. The metabolite M9 had a Cmax "
            "of 9.0 ng/mL (test).",
            {},
        ),
    ],
    "an odd spelling": [
        ("For the test, AUC( (0-t) ) was 99 ng·h/mL.", {"auc0_t": 99}),
        ("For the test, AUC0-t was 99 ngxh/mL.", {"auc0_t": 99}),
        ("For the test, AUC0-t was 99 ng. hr/mL.", {"auc0_t": 99}),
        ("For the test, AUC(0-->infinity) was 99 ng·h/mL.", {"auc0_inf": 99}),
        ("For the test, AUC0-α was 99 ng·h/mL.", {"auc0_inf": 99}),
        (
            "For the test, C-max was 6.0 ng mL^-1, AUC0-t 780.5 ng·h/mL.",
            {"cmax": 6, "auc0_t": 780.5},
        ),
        ("Product A (Reference) had a Cmax of 6.3 ng/mL, B (Test) of 6.0 ng/mL.", {"cmax": 6.0}),
        ("For the test, Cmax was 1.5 µM.", {"cmax": 1.5}),
        ("For the test, Cmax was 1.5 μM.", {"cmax": 1.5}),
        (
            "For the test, AUCt, AUCinf and Cmax were 99 ng·h/mL; 110 ng·h/mL and 6.0 ng/mL.",
            {"auc0_t": 99, "auc0_inf": 110, "cmax": 6.0},
        ),
    ],
}


@pytest.mark.parametrize(
    ("text", "wanted"), [case for kind in FORMS.values() for case in kind], ids=str
)
def test_read_right_or_left_null(text, wanted):
    assert values(extract(text)) == wanted


@pytest.mark.parametrize("text", [t for t, _ in FORMS["an intra-subject CV"]], ids=str)
def test_the_variability_within_a_person_is_no_dispersion(text):
    record = extract(text)
    assert record.cmax_dispersion is None and record.cmax_dispersion_type is None


def table(header, cell):
    return Table("T1", "Parameters, mean ± SD", (("", header),), ((*cell,),))


@pytest.mark.parametrize(
    ("header", "label", "cell", "cmax"),
    [
        ("Test", "Cmax (ng/mL)", "1.2 × 10^3", 1200),
        ("Test", "Cmax (ng/mL)", "8.5^1", 8.5),
        ("Test", "Cmax (×10³ ng/mL)", "1.2", None),
        ("Test (×10³)", "Cmax (ng/mL)", "1.2", None),
        ("Test", "Cmax × 10<sup>3</sup> (ng/mL)", "1.2", None),
        ("Test", "ln Cmax (ng/mL)", "1.2", None),
        ("Test - Reference", "Cmax (ng/mL)", "0.3", None),
        ("P", "Cmax (ng/mL)", "0.4", None),
        ("Min", "Cmax (ng/mL)", "2.0", None),
        ("Test", "Cmax (ng/mL) n", "24", None),
        ("Test/Reference ratio", "Cmax (ng/mL)", "0.72", None),
        ("Intra-subject CV", "Cmax (ng/mL)", "20", None),
        ("90% CI", "Cmax (ng/mL)", "92", None),
        ("Reference", "Cmax (ng/mL)", "6.3", None),
    ],
)
def test_tables(header, label, cell, cmax):
    assert extract("", tables=(table(header, (label, cell)),)).cmax == cmax


@pytest.mark.parametrize("caption", ["ANOVA of Cmax", "Log-transformed parameters", "Differences"])
def test_tables_of_something_else(caption):
    rows = (("Cmax (ng/mL)", "1.8", "1.9"),)
    found = Table("T1", caption, (("Parameter", "Test", "Reference"),), rows)
    assert extract("", tables=(found,)).cmax is None


def test_rows_of_statistics_under_a_parameter():
    rows = [
        ("Cmax (ng/mL)", "", ""),
        ("Mean", "6.0", "6.3"),
        ("SD", "1.5", "1.7"),
        ("Max", "9", "8"),
    ]
    found = Table("T1", "Parameters", (("Parameter", "Test", "Reference"),), tuple(rows))
    record = extract("", tables=(found,))
    assert (record.cmax, record.cmax_dispersion, record.cmax_dispersion_type) == (6.0, 1.5, "SD")


def test_what_was_printed_with_a_gap_or_a_power_is_flagged():
    for text in ("The test AUC0-t was 5, 483.296 ng·h/mL.", "The test Cmax was 1.2 × 10³ ng/mL."):
        assert any("printed as" in flag for flag in extract(text).flags), text


def test_cmax_of_one_product_never_meets_the_auc_of_another():
    record = extract(
        "Cmax was 6.0 ng/mL for the test tablet. "
        "AUC0-t was 98 ng·h/mL for the reference tablet and was not reported otherwise."
    )
    assert values(record) == {"cmax": 6.0}


def test_an_order_is_kept_as_printed():
    for first, second in (("test", "reference"), ("reference", "test")):
        record = extract(f"Cmax of {first} and {second} was 5.0 and 7.0 ng/mL, respectively.")
        assert record.cmax == {"test": 5.0, "reference": 7.0}[first]
        record = extract(f"Cmax 5.0 ng/mL, AUC0-t 50 ng·h/mL after the {first}, and Cmax 7.0 ng/mL,"
                         f" AUC0-t 70 ng·h/mL after the {second} tablet.")  # fmt: skip
        wanted = {"test": (5.0, 50.0), "reference": (7.0, 70.0)}[first]
        assert (record.cmax, record.auc0_t) in (wanted, (None, wanted[1]))
        assert record.cmax or "cmax: printed, but not clearly for the test product" in record.flags


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("40 subjects received the test and 40 the reference product.", "flagged"),
        ("Forty subjects took part (20 per group).", 40),
        ("20 subjects per group were treated.", None),
        ("14 men and 12 women took part.", 26),
        ("The study was made in 26 (14 male/12 female) volunteers.", 26),
        ("26 volunteers (50% women) took part.", 26),
        ("25 subjects were planned.", None),
        ("24 subjects per arm were to be dosed; 52 were randomized.", 52),
        ("58 were screened, of whom 36 were enrolled.", 36),
        ("Sample sizes of 12 to 58 subjects were simulated.", None),
    ],
)
def test_counts_of_parallel_groups(text, n):
    record = extract(text)
    assert record.n_subjects == (None if n == "flagged" else n)
    assert n != "flagged" or any(f.startswith("n_subjects: groups") for f in record.flags)


@pytest.mark.parametrize(
    ("title", "text", "compound"),
    [
        ("Bioequivalence of Cardivas and Norvasc", "Amlodipine was assayed.", "amlodipine"),
        ("Glizon tablets compared with Diamicron tablets", "Both hold gliclazide.", "gliclazide"),
        ("Bioequivalence of Zyxoran tablets", "Zyxoran was well tolerated. Zyxoran is new.", None),
        ("Bioequivalence of fumaril tablets", "We gave fumaril; fumaril was assayed.", None),
    ],
)
def test_a_trade_name_is_no_compound(title, text, compound):
    record = extract(text, title)
    assert record.compound == compound
    assert compound or any(f.startswith("compound: no known") for f in record.flags)


def test_a_contradiction_is_flagged():
    record = extract("The test Cmax was 6.0 ng/mL. The test Cmax was 9.0 ng/mL.")
    assert record.cmax == 6.0
    assert "cmax: the document also gives 9 ng/mL" in record.flags


@pytest.mark.parametrize(
    ("text", "dose"),
    [
        ("The volunteers took two 250 mg tablets.", None),
        ("Amlodipine (2 × 250 mg) was given.", 500),
        ("They received 500 mg (two 250 mg capsules).", 500),
        ("Amlodipine 250 mg × 2 was given.", 500),
        ("Amlodipine 250 mg × 2 days was given.", 250),
        ("Tablets with amlodipine 250 mg/losartan 500 mg were given.", 250),
        ("Group 2 received 250 mg.", 250),
        ("Bioequivalence of two 250 mg tablets was shown.", 250),
    ],
)
def test_a_dose_of_several_units_is_left_open(text, dose):
    record = extract(text, "Bioequivalence of amlodipine")
    assert record.dose == dose
    assert dose or "dose: several units of it may have been taken" in record.flags
