"""Printed text in one plain form, with the way back; numbers, words for numbers, sentences.

Articles print the same quantity in many ways: `h·ng/mL`, `h∙ng/mL`, `ng h mL⁻¹`, `12·3`, `1 234,5`,
`C<sub>max</sub>`. Everything downstream reads one plain form; the character map carries every match
back to the untouched source, which is what evidence has to point at.

An exponent stays an exponent: `10³`, `10<sup>3</sup>` and `10(3)` become `10^3`, never 103, and a
mark behind a number (`8.5¹`, a footnote) becomes `8.5^1`, never 8.51.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－⁃"), "-")
_DOTS = dict.fromkeys(map(ord, "·∙⋅•・‧˙●ꞏ᛫・"), "·")
_NARROW = dict.fromkeys(map(ord, "\u2009\u202f\u00a0\u2007\u200a\u2006\u2005"), "\u2009")
_OTHER = {ord(a): b for a, b in zip("μ✕⨯∗’′∕⁄／“”∼≈", "µ××*''///\"\"~~", strict=True)}
_OTHER |= dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\ufeff\u2060"), "")
_CHARACTERS: dict[int, str] = {**_DASHES, **_DOTS, **_NARROW, **_OTHER}
_KEEP = set("½¼¾²³∞±×·µ\u2009")  # NFKC would turn these into something less clear
_SUPERSCRIPTS = {ord(c): p for c, p in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True)}

_TAG = re.compile(r"</?(?:su[bp]|i|b|u|em|strong|italic|bold|sc|span|p|br)\b[^<>]*>", re.I)
_RAISED = (  # powers of ten and footnote marks behind digits
    (re.compile(r"(?<=\d)\s?<sup\b[^<>]*>\s*\(?([-+]?\d+)(?:,\s?\d+)*\)?\s*</sup>", re.I), r"^\1"),
    (re.compile(r"(?<=\d)<sup\b[^<>]*>\s*\(?[a-z*†‡§]\)?\s*</sup>", re.I), ""),
    (re.compile(r"(?<=[×x*·]10)\s?\(\s?([-+]?\d{1,2})\s?\)"), r"^\1"),
    (re.compile(r"(?<=[×x*·]\s10)\s?\(\s?([-+]?\d{1,2})\s?\)"), r"^\1"),
    (re.compile(r"(?<=\d)[eE]\+?(-?\d{1,2})(?![\w.])"), r"×10^\1"),
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=\b[npµm]g)\s?[x×]\s?(?=h)|(?<=\bh)\s?[x×]\s?(?=[npµm]g)"), "·"),
    (re.compile(r"\+\s?/\s?-|(?<=[\d\s(])\+-(?=[\s\d])|\bplus or minus\b|∓|\+or-"), "±"),
    (re.compile(r"(?<=\d)\s?·\s?(?=10\^)"), "×"),
    (re.compile(r"(?<=\d)·(?=\d)"), "."),  # 12·3, the decimal point of some journals
    (re.compile(r"(?<=\d)\u2009(?=\d{3}(?!\d))"), ""),  # 1 234 with a thin space
    (re.compile(r"\u2009"), " "),
    (re.compile(r"[ \t\r\f\v]+"), " "),
    (re.compile(r" ?\n[ \n]*"), "\n"),
)
_COMMA_DECIMAL = re.compile(r"(?<![\d.,])\d+,\d{1,2}(?![\d,]|\.\d)")
_POINT_DECIMAL = re.compile(r"(?<![\d.,])\d+\.\d+")
_INNER_THOUSANDS = re.compile(r"(?<=\d,\d{3}),(?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}),(?=(?:\d{3})+(?![\d,]))")
_COMMA_SPACE = re.compile(
    r"(?<![\d.,] )(?<![\d.,])(?<![a-zA-Z^(]-)([1-9]\d{0,2}), (?=\d{3}\.\d)"
)  # 5, 483.296

# `33 120.5 ± 9 870.1 ng·h/mL`: a plain space is read as a separator only where a value clearly
# follows.
_SPACED_THOUSANDS = re.compile(
    r"(?:(?<=[\s(±])|^)([1-9]\d{0,2}) (?=\d{3}(?:\.\d+)?(?:\s?±|\s?\(\d|\s(?:and|vs\.?|versus)\s\d"
    r"|\s?\)\s(?:and|vs\.?)\s\(?\d|\s?\)?\s?(?:[npµ]g|h\s?[·*×]\s?[npµ]g)\b))"
)


@dataclass(frozen=True)
class NormalText:
    """Normalized text with, for every character, the half-open source span it stands for.

    `text[i]` stands for `source[start[i]:end[i]]`.
    """

    source: str
    text: str
    start: tuple[int, ...]
    end: tuple[int, ...]

    def span(self, begin: int, stop: int) -> tuple[int, int]:
        """Source span of the normalized span `begin:stop` (both half-open)."""
        if not 0 <= begin < stop <= len(self.text):
            raise IndexError(
                f"span {begin}:{stop} lies outside a text of {len(self.text)} characters"
            )
        return self.start[begin], self.end[stop - 1]

    def _substitute(self, pattern: re.Pattern[str], template: str) -> NormalText:
        parts: list[str] = []
        start: list[int] = []
        end: list[int] = []
        cursor = 0
        for match in pattern.finditer(self.text):
            a, b = match.span()
            new = (match.expand(template) if "\\" in template else template) if b > a else ""
            parts += [self.text[cursor:a], new]
            start += self.start[cursor:a] + self.start[a : a + 1] * len(new)
            end += self.end[cursor:a] + self.end[b - 1 : b] * len(new)
            cursor = b
        parts.append(self.text[cursor:])
        start += self.start[cursor:]
        end += self.end[cursor:]
        return NormalText(self.source, "".join(parts), tuple(start), tuple(end)) if cursor else self


def _plain(character: str) -> str:
    mapped = _CHARACTERS.get(ord(character))
    if mapped is not None:
        return mapped
    if character in _KEEP or ord(character) < 128:
        return character
    return unicodedata.normalize("NFKC", character).translate(_CHARACTERS)


@lru_cache(maxsize=128)
def normalize(source: str) -> NormalText:
    """Normalize `source`; decimal commas become points when the text itself uses them.

    A comma between digits is a decimal comma where the text has more `12,3` than `12.3`
    (three digits after the comma are then a decimal fraction too); otherwise `1,234` is a thousand.
    """
    text: list[str] = []
    start: list[int] = []
    end: list[int] = []

    def put(new: str, a: int, b: int) -> None:
        raised = _SUPERSCRIPTS.get(ord(source[a])) if b == a + 1 else None
        if raised is not None and text and (text[-1][-1:].isdigit() or raised != new):
            lifted = bool(start) and source[start[-1]] in "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺"
            behind_digit = text[-1][-1:].isdigit() and not lifted
            new = ("^" if behind_digit else "") + raised
        text.append(new)
        start.extend([a] * len(new))
        end.extend([b] * len(new))

    cursor = 0
    for match in re.finditer(r"&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]{2,8});", source):
        for i in range(cursor, match.start()):
            put(_plain(source[i]), i, i + 1)
        put("".join(_plain(c) for c in html.unescape(match.group())), *match.span())
        cursor = match.end()
    for i in range(cursor, len(source)):
        put(_plain(source[i]), i, i + 1)
    result = NormalText(source, "".join(text), tuple(start), tuple(end))
    for pattern, template in _RAISED:
        result = result._substitute(pattern, template)
    result = result._substitute(_TAG, "")
    for pattern, template in _RULES[:5]:
        result = result._substitute(pattern, template)
    commas = len(_COMMA_DECIMAL.findall(result.text))
    points = len(_POINT_DECIMAL.findall(result.text))
    if commas >= 2 and commas > points:
        result = result._substitute(re.compile(r"(?<=\d)\.(?=\d{3}(?:\D|$))"), "")  # 1.234,5
        result = result._substitute(re.compile(r"(?<=\d),(?=\d)"), ".")
    else:
        result = result._substitute(_INNER_THOUSANDS, "")
        result = result._substitute(_THOUSANDS, r"\g<1>")
        result = result._substitute(_COMMA_SPACE, r"\g<1>")
    for _ in range(2):  # 1 234 567 needs two passes
        result = result._substitute(_SPACED_THOUSANDS, r"\g<1>")
    for pattern, template in _RULES[5:]:
        result = result._substitute(pattern, template)
    return result


# A line end inside a sentence: before a small letter or a sign, or behind a long line, unless the
# next one starts like `RESULTS`, `Cmax (ng/mL):`.
_WRAP = re.compile(
    r"(?<![.?!:;])\n(?=[a-z\d(±+\[=<>/])|(?<=[^\n]{50})(?<![.?!:;])\n(?![A-Z]{4}|[^\n.]{1,40}[:=])"
)


def unwrapped(normal: NormalText) -> NormalText:
    """Normalized prose with blanks for the line ends that only wrap its lines."""
    return normal._substitute(_WRAP, " ")


_FULL = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-|to|,|;|\.\.)\s*(\d+(?:\.\d+)?)")

_ONES = {
    w: i
    for i, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_TENS = {w: 10 * i for i, w in enumerate(_TENS, start=2)}
_WORD = "|".join(sorted([*_ONES, *_TENS, "hundred"], key=len, reverse=True))
WORD_NUMBER = rf"\b(?:(?:{_WORD})(?:(?:(?<=hundred)\s+and\s+|[\s-]+)(?:{_WORD})){{0,4}})\b"


def parse_number(text: str) -> float | None:
    """The number that `text` is, or None: no units, signs of doubt or ranges are accepted."""
    cleaned = text.strip()
    return float(cleaned) if _FULL.fullmatch(cleaned) else None


def parse_range(text: str) -> tuple[float, float] | None:
    """`(low, high)` for texts such as `1.5-4.0`, `1.5 to 4.0`; None where low > high or no
    range."""
    match = _RANGE.fullmatch(text.strip().strip("()[]"))
    if not match:
        return None
    low, high = float(match[1]), float(match[2])
    return (low, high) if low <= high else None


def word_number(text: str) -> int | None:
    """`twenty-four` -> 24, `one hundred and eight` -> 108; None where it is not a number word."""
    total = 0
    words = [w for w in re.split(r"[\s-]+", text.strip().lower()) if w != "and"]
    if not all(w in _ONES or w in _TENS or w == "hundred" for w in words):
        return None
    for word in words:
        total = max(total, 1) * 100 if word == "hundred" else total + (_ONES | _TENS)[word]
    return total


NUMBER_TEXT = r"\d+(?:\.\d+)?"
_POWER = re.compile(r"\s?[×x*·]\s?10\s?(?:\^\s?(?P<k>[-+]?\d{1,2})|\d?(?!\.?\d))")


def power_of_ten(text: str, position: int) -> tuple[float | None, int]:
    """`(factor, end)` of a power of ten behind a number; `(1, position)` where there is none.

    The factor is None where the exponent was lost in print (`1.2 × 103`, `1.2 × 10`).
    """
    match = _POWER.match(text, position)
    if match is None:
        return 1.0, position
    if match["k"] is None:
        return None, match.end()
    return 10.0 ** int(match["k"]), match.end()


def numbers_at(
    text: str, begin: int, stop: int, words: bool = False
) -> list[tuple[float, int, int]]:
    """`(number, start, end)` of every printed number of normalized text, powers of ten included;
    with `words` also of the words for numbers, behind the others."""
    found = []
    for match in re.finditer(rf"(?<![\d.^]){NUMBER_TEXT}", text[:stop]):
        factor, end = power_of_ten(text, match.end())
        if match.start() >= begin and factor is not None:
            found.append((float(match.group()) * factor, match.start(), end))
    for match in re.compile(WORD_NUMBER, re.I).finditer(text, begin, stop) if words else ():
        number = word_number(match.group())
        found += [(float(number), *match.span())] if number is not None else []
    return found


_END = re.compile(r"[.?!](?=[\"')\]]?\s+[A-Z0-9(\[\"'])|\n")
_ABBREVIATION = re.compile(
    r"(?:\b(?:vs|e\.g|i\.e|approx|resp|ca|cf|no|fig|figs|al|dr|st|conc|inc|ltd|co|vol|wt)|\bs\.d"
    r"|\bs\.e|\b[npµm]g)$",
    re.I,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the sentences of `text`; `vs.`, `S.D.` and `ng. hr` do not end one."""
    spans = []
    start = 0
    for match in _END.finditer(text):
        at = match.start()
        short = match.group() == "." and _ABBREVIATION.search(text[max(start, at - 8) : at])
        # `ng. hr/mL` goes on; a new sentence may begin behind a dose, `10 mg. Blood ...`
        if short and not (text[at - 2 : at] == "mg" and re.match(r"\.\s+[A-Z][a-z]", text[at:])):
            continue
        if text[start : match.end()].strip():
            spans.append((start, match.end()))
        start = match.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans
