"""Words and definitions that tell the test product from the reference."""

from __future__ import annotations

import re

TEST, REFERENCE = "test", "reference"
SECOND = "second test"  # a further test product of a study with three or more arms
PRODUCT = (
    r"(?:formulations?|products?|tablets?|capsules?|drugs?|preparations?|treatments?|brands?"
    r"|medications?|generics?|"
    r"suspensions?|solutions?|syrups?|sachets?|versions?|arms?|groups?|articles?|medicines?|ones?"
    r"|combinations?|dosage forms?)"
)
TEST_WORDS = (
    rf"(?<![-–] )(?<!\bt[- ])(?<!rank )(?<!sum )(?<!Wilcoxon )(?<!signed )(?<!Student )(?<!['’]s "
    rf")(?<!the same )\b[Tt]est\b(?! (?:was|were) (?:used|applied|performed))(?:\s{PRODUCT})?"
    rf"|\b[Gg]enerics?\b(?:\s{PRODUCT})?|\b(?:[Cc]andidate|[Nn]ew|[Nn]ovel|[Ss]tudy|[Tt]rial"
    rf"|[Ll]ocal|[Dd]omestic|[Dd]eveloped|[Ii]nvestigational|[Bb]iosimilar) {PRODUCT}\b"
    r"|\bbiosimilar\b|\b[Cc]andidate\b|\bnewly developed\b"
    r"|\b(?:[Dd]omestic|[Ll]ocal|[Hh]ome-?made|[Ss]elf-(?:made|developed))\b"
    r"(?=,|;|\)| and (?:the )?(?:im|or|re|ma))"
)
REFERENCE_WORDS = (
    rf"\b[Rr]eference\b(?:\s{PRODUCT})?|\b[Ii]nnovators?\b(?:'s)?(?:\s{PRODUCT})?"
    rf"|\b[Oo]riginators?\b(?:'s)?(?:\s{PRODUCT})?"
    rf"|\b[Cc]omparator\b(?:\s{PRODUCT})?|\b(?<!test )(?<!local )(?<!two )(?<!reference "
    rf")(?<!each )(?<!either )[Bb]rand(?:ed|[- ]name)?\b(?!s)(?! [A-Z]\b)(?:\s{PRODUCT})?"
    rf"|\b(?:[Oo]riginal|[Ss]tandard|[Mm]arketed|[Cc]onventional|[Cc]ommercial(?:ly available)?"
    rf"|[Ii]mported|[Cc]omparison|[Rr]egistered|[Pp]roprietary) {PRODUCT}\b|\b(?:original"
    rf"|commercial|marketed|imported)\b(?=,|;|\)| and\b)"
)
LETTERS = {"T": TEST, "R": REFERENCE}
FORMS = (
    r"tablet|capsule|suspension|solution|syrup|sachet|granule|film|ODT|pellet|powder|drop|gel|"
    r"chewable|elixir|lozenge"
)
TEST_ROLE = r"(?:test|new|trial|generic|candidate|study|local)"
REFERENCE_ROLE = r"(?:reference|standard|originator|innovator|brand|comparator|original|marketed)"
DEFINED = re.compile(
    rf"(?<![\w.])(?P<alias>[\w-]{{1,40}})\s\((?:(?:the|treatment|formulation|product"
    rf"|as)\s)?(?:(?P<letter>[A-Z]|I{{1,2}}|[12]),?\s)?"
    rf"(?P<role>{TEST_ROLE}|{REFERENCE_ROLE}|T|R)\b(?:[\s,][^()]{{0,40}})?\)"
)
LETTERED = re.compile(
    rf"(?:treatment|formulation|product|preparation|brand)\s(?P<letter>[A-Z]|I{{1,2}}"
    rf"|[12]),\s(?P<role>{TEST_ROLE}|{REFERENCE_ROLE})\b",
    re.I,
)
ROLE_FIRST = re.compile(
    rf"\b(?P<role>{TEST_ROLE}|{REFERENCE_ROLE})(?:\s\w{{1,30}}){{0,2}}\s?\(\s?(?:(?:formulation"
    rf"|treatment|product|brand)\s)?(?P<letter>(?-i:[A-Z][\w-]{{0,14}})|[12])(?:®|™)?\s?\)",
    re.I,
)
NO_ALIAS = re.compile(r"C_?max|t_?max|AUC.*|SD|CV|CI|SEM|IQR|GMR|N|RLD|FDC|mg|USA|UK", re.I)
STATED = re.compile(
    rf"\b(?P<alias>[\w-]{{1,40}})\s(?:is|was|were|being|served as"
    rf"|as)\s(?:the\s)?(?P<role>{TEST_ROLE}|{REFERENCE_ROLE})\b"
    rf"(?:\s(?!and\b)\w{{1,30}})?(?:,?\sand\s(?:the\s)?(?:\w{{1,30}}\s)?(?P<alias2>(?!the\b)[\w-]{{1,40}})"
    rf"\s(?:(?:is"
    rf"|was|were|as)\s)?(?:the\s)?(?P<role2>{TEST_ROLE}|{REFERENCE_ROLE})\b)?",
    re.I,
)
EQUIVALENT = re.compile(
    rf"\b(?P<a>{FORMS})s?\b(?:(?!\b(?:{FORMS})s?\b)[^.;]){{0,60}}?\b(?:is|are|was"
    rf"|were)\s(?:bio)?equivalent to\b",
    re.I,
)
ARM_WORDS = re.compile(rf"(?P<test>{TEST_WORDS})|(?P<reference>{REFERENCE_WORDS})")
RATIO = re.compile(
    r"\b(?:test|generic|T)(?:[ -]to[ -]|[-/])(?:reference|brand|originator"
    r"|R)\b(?=[^.;,]{0,30}\b(?:ratios?|percent))"
    r"|\bratios?\b[^.;,]{0,25}\b(?:test|T)\s?(?:[ -]to[ -]|[-/]|over|and)\s?(?:the )?(?:reference"
    r"|R)\b",
    re.I,
)
# A brand name set beside the test product, or what it was compared with: `the generic and Lasix`.
BRAND_BESIDE = re.compile(
    rf"(?:\b(?:[Gg]eneric|[Tt]est|[Bb]iosimilar|[Cc]andidate)(?:\s{PRODUCT})?\s(?:and|or|vs\.?"
    r"|versus|with|to|than)"
    r"|\b(?:compared\s(?:with|to)|against|relative to|equivalent to)(?:\sthe)?(?:\s(?:brand"
    r"|branded|innovator|originator|reference)(?:\s(?:product|drug|formulation))?)?)"
    r"\s\(?(?P<brand>[A-Z][a-z]{3,20})(?=\s?[®™,.;:)]|\s(?:and|was|were|in|on|IV|XR|SR|tablets?"
    r"|capsules?|injection|patch|inhaler|\d)|$)"
)
LETTER_NAMED = re.compile(
    r"\b(?:brand|formulation|product|treatment)s?\s(?P<letter>(?-i:[A-Z]))\b", re.I
)
TOO_GENERAL = {
    "product",
    "products",
    "formulation",
    "formulations",
    "drug",
    "preparation",
    "treatment",
    "brand",
    "group",
    "cmax",
    "auc",
    "tmax",
    "mean",
    "values",
    "value",
    "for",
    "of",
    "the",
    "a",
    "an",
    "it",
    "which",
    "ml",
    "mg",
    "h",
    "and",
    "or",
    "with",
    "after",
    "parameters",
    "data",
    "this",
    "that",
    "in",
    "by",
    "subjects",
    "used",
    "tablets a",
    "results",
    "drugs",
    "preparations",
    "compared",
    "given",
    "administered",
    "received",
    "acted",
    "served",
    "such",
    "t",
    "r",
}
