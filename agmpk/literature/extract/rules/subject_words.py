"""How articles say how many took part: the patterns of `subjects`."""

from __future__ import annotations

import re

from agmpk.literature.text.numbers import WORD_NUMBER

N = rf"(?P<n>\d{{1,4}}|{WORD_NUMBER})"
WHO = (
    r"(?:subjects?|volunteers?|participants?|patients?|individuals?|adults?|men|women|males?"
    r"|females?|persons?|people|"
    r"adolescents?|children|metaboli[sz]ers?|students?|dogs|beagles|cats|pigs|piglets|horses"
    r"|mares|sheep|ewes|goats|cattle|cows|calves|camels|chickens|broilers|turkeys|rabbits|rats)"
)
ADJ = r"(?:\(?[A-Za-z][\w-]{0,30}\)?,?\s){0,6}?"
PEOPLE = re.compile(
    rf"(?<![\w.,/±-])(?<!\d )(?:a total of\s)?{N}(?:\s?\(\s?(?:[nN]\s?=\s?)?\d{{1,4}}\s?\))?\s"
    rf"(?!of\b|h\b|hours\b|mg\b|days?\b|weeks?\b"
    rf"|periods?\b|to\b|mL\b|and\b|tablets?\b|capsules?\b"
    rf"|brands?\b)(?P<adj>{ADJ})(?P<who>{WHO})\b",
    re.I,
)
LABELLED = re.compile(
    rf"(?:\b[nN]\s?=\s?|\b{WHO}\s?:\s?|\b{WHO}\s?\((?=\d+\)))(?P<n>\d{{1,4}})\b(?!\s?(?:%|per"
    rf"|years|kg|\.\d|mg|±|-|doses|samples|observations|profiles|administrations))",
    re.I,
)
BARE = re.compile(
    rf"(?<![\w.,/±-]){N}\s(?:others\s)?(?:(?:of\s(?:them|whom|these)\s)?(?:were\s"
    rf"|was\s)?(?P<verb>randomi[sz]ed|enrol\w*|includ\w*|recruit\w*|complet\w*|finish\w*|start\w*"
    rf"|dosed|analy[sz]ed|evaluated|screened|withdrew|dropped)"
    rf"|(?:in|per)\s(?:the\s)?(?P<state>fast\w*|fed)\b|(?P<fast2>fasting)\b)",
    re.I,
)
OF_THOSE = re.compile(
    rf"\bof (?:the )?{N}\s(?:{WHO}\s)?(?:who\s)?(?P<verb>enrol\w*|randomi[sz]ed|start\w*"
    rf"|recruit\w*"
    rf"|complet\w*|finish\w*|dropped|withdr\w*|discontinu\w*|entered|received)",
    re.I,
)
SEXES = re.compile(
    rf"\b(?P<a>\d{{1,3}}|{WORD_NUMBER})\s(?:healthy\s)?(?P<x>men|women|males?"
    rf"|females?)(?:\s(?:and|plus)|,(?:\sand)?)\s(?P<b>\d{{1,3}}"
    rf"|{WORD_NUMBER})\s(?:healthy\s)?(?P<y>men|women|males?|females?)\b",
    re.I,
)
DONE = re.compile(
    r"complet|finish|analy|evaluat|withdr|dropped|contribut|excluded|discontinu", re.I
)
START = re.compile(
    r"enrol|randomi|includ|recruit|start|entered|particip|took part|received|given|dosed|studied"
    r"|swallow",
    re.I,
)


PAIR = re.compile(  # `24 and 28 subjects were enrolled in the fasting and fed study`
    rf"(?:\b(?P<earlier>fast\w*|fed|postprandial)\b[^.]{{0,70}})?"
    rf"(?<![\w.,/±-]){N}\sand\s(?P<m>\d{{1,4}}|{WORD_NUMBER})\s{ADJ}{WHO}\b"
    r"(?:[^.;]{0,90}?\b(?P<first>fast\w*|fed|postprandial\w*)\b|(?(earlier),?\srespectively|(?!)))",
    re.I,
)
PARALLEL = re.compile(  # `35 subjects received the test and 35 the reference tablet`
    rf"(?<![\w.,/±-])(?P<a>\d{{1,4}}|{WORD_NUMBER})\s(?:{ADJ}{WHO}\s)?(?:(?:were|was)\s)?"
    r"(?:received|given|got|took|assigned to|allocated to|randomi[sz]ed to)\s(?:the\s)?"
    r"(?:test|generic|biosimilar|reference|innovator)\b[^.;,]{0,30}?,?\s(?:and|while)\s"
    rf"(?P<b>\d{{1,4}}|{WORD_NUMBER})\s(?:{WHO}\s)?(?:(?:were|was)\s)?(?:(?:received|given|got|took"
    r"|assigned to|allocated to|randomi[sz]ed to)\s)?(?:the\s)?(?:test|generic|biosimilar|reference"
    r"|innovator)\b",
    re.I,
)
FOOD_GROUPS = (  # sizes of fasting and fed groups; their sum confirms a printed total
    re.compile(
        r"\b(?:fast\w*|fed|postprandial\w*|high-fat\w*)\b(?:\s(?!and\b|\d)\w+){0,3}?\s?[(\[,:]?\s?"
        r"(?:[nN]\s?=\s?)(?P<n>\d{1,3})\b",
        re.I,
    ),
    re.compile(
        rf"(?<![\w.,/±-])(?P<n>\d{{1,3}}|{WORD_NUMBER})(?:\s(?!and\b)[a-z]+){{0,3}}?"
        rf"\s(?:(?:in|under|for|per|to)\s(?:the\s)?)?(?:fast\w*|fed|postprandial\w*)\b",
        re.I,
    ),
)
