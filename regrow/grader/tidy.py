r"""Answers as they are written, made alike: symbols, LaTeX commands, text, units. What it means is not touched.

`tidy` takes a whole answer, before it is split at commas and brackets; `leaf_text` takes what is left of it then.
Both expect at most `answers.LONGEST` characters: some patterns take quadratic time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from regrow.grader.symbols import TABLE

_END = r"(?![a-zA-Z])"
_TEXT = r"\\(?:text(?:bf|it|rm|normal|up|sf|tt)?|mbox|hbox|mathrm|operatorname\*?|rm)"

_BRACKETS: dict[str, str] = {
    "lbrace": r"\{", "rbrace": r"\}", "lbrack": "[", "rbrack": "]", "langle": "(", "rangle": ")", "lparen": "(",
    "rparen": ")",
}  # fmt: skip

_ALIKE: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"√\s*(\d+(?:\.\d+)?|[a-zA-Z])", r"\\sqrt{\1}"),  # its sign reaches over all digits, LaTeX's over one
        (r"√", r"\\sqrt "),
        (rf"\\(?:left|right|m?left|[bB]igg?[lrm]?|displaystyle|textstyle|limits|hfill|boxed|fbox){_END}\s*", ""),
        (r"\\(?:text)?color\s*\{[^{}]*\}|\\(?:underline|bf|it|cal)(?![a-zA-Z])\s*", ""),
        (r"(?<!\\)\\!\s*", ""),
        (rf"(?<!\\)\\[,;:> ]|~|\\q?quad{_END}|\\thinspace{_END}", " "),
        (r"\{\s*,\s*\}", ","),
        (rf"\\[dtc]frac{_END}", r"\\frac"),
        (r"(?<!\\)\\[()\[\]]", ""),
        (r"\\%", "%"),
        (rf"\\(?:[lr](?:brace|brack|angle|paren)){_END}", lambda match: _BRACKETS[match[0][1:]]),
        (rf"\\(?:le|leqslant){_END}", r"\\leq"),
        (rf"\\(?:ge|geqslant){_END}", r"\\geq"),
        (rf"\\(?:ne|not\s*=){_END}", r"\\neq"),
        (rf"\\(?:varnothing){_END}", r"\\emptyset"),
        (r"\\(?:mathbf|bm|boldsymbol|mathbb|mathcal)\s*\{([a-z])\}", r"\1"),
        (rf"{_TEXT}\s*\{{\s*,?\s*(?:and|or)\s*\}}|,?(?<![a-zA-Z\\])\s*(?:and|or){_END}", ","),
        (rf"(?<![a-zA-Z\\])(?:per\s?cent(?:age)?|pct){_END}|{_TEXT}\s*\{{\s*percent\s*\}}", "%"),
        (rf"\\degrees?{_END}|\^\s*\{{\s*\\circ\s*\}}|\^\s*\\circ{_END}|\\circ{_END}", r"^\\circ"),
        (rf"(?<![a-zA-Z\\])(sin|cos|tan|cot|sec|csc|ln|log|sqrt|pi|theta|infty){_END}", r"\\\1"),
        (rf"(?<![a-zA-Z\\])infinity{_END}", r"\\infty"),
        (r"\*\*(?=[\d({a-z-])(?<=[\w)}]\*\*)", "^"),
        (r"(?<=[\w)}])\s*\*\s*(?=[\w({\\])", r"\\cdot "),
        (r",\s*,", ","),
    )
)  # fmt: skip

_PROSE = re.compile(r"(?:so |thus |therefore |hence )?,?(?:the )?(?:final |correct )?answer(?: is|:|\s*=)+:?\s*", re.I)
_LABEL = re.compile(
    r"\\text\{[^{}]*(?::|=| is)\s*\}\s*(?=\S)|[a-zA-Z][a-zA-Z ]{2,40}:\s*(?=[\S])|(?:Rs\.?|USD|EUR|GBP|US)\s*(?=[-\d.])"
)
_MODULO = re.compile(r"\s*(?:\\pmod\s*\{?\w+\}?|\(\\?mod [^()]*\)|\\+)$")
_EQUALS = re.compile(r"(?:=|\\approx(?![a-zA-Z])|\s)+")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}((?:,\d{3})+|(?: \d{3})+)(?![\d,]*\d)")

_SUM = r"(\s?\d[\d.,]*) ?([kKM])(?![a-zA-Z])"
_SHORT_SUM = re.compile(rf"(?<=[€£]){_SUM}|(?<=\\\$){_SUM}|(?<=\$){_SUM}(?![^$]*\$\W*$)")
"""Between dollar signs it is a formula."""


def tidy(text: str) -> str:
    r"""One spelling for symbols, spaces, brackets, `and`, degrees, percent; no dollars, no bold type, no full stop.

    Digits of every script are digits (full-width and Arabic-Indic ones, too), raised and lowered ones are powers and
    indices. Control characters are spaces; lone surrogates are replaced, as no other process could be sent one.
    """
    text = _SHORT_SUM.sub(_written_out, text)
    text = _characters(text.replace(r"\$", "")).strip().strip("*_`").strip()
    if r"\begin" not in text:
        text = text.replace("\\\\", "\\")  # escaped once too often; in a matrix it ends a row
    for pattern, new in _ALIKE:
        text = pattern.sub(new, text)
    text = _PROSE.sub("", text.strip(), count=1) if "answer" in text.lower() else text
    text = _LABEL.sub("", text.strip(" *"), count=1) if _LABEL.match(text.strip(" *")) else text
    text = _EQUALS.sub("", text, count=1) if _EQUALS.match(text) else text
    text = _MODULO.sub("", text.strip())
    return _join_thousands(text.strip().rstrip(".,;:* "))


def _written_out(match: re.Match[str]) -> str:
    """`$70K` is seventy thousand; without a currency K may be a variable."""
    number, letter = filter(None, match.groups())
    return f"{number} {'million' if letter == 'M' else 'thousand'}"


def _characters(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.translate(TABLE)
    return "".join(map(_character, text.translate(TABLE)))


def _character(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Cs":
        return "\ufffd"
    return " " if category[0] in "ZC" else char


def _join_thousands(text: str) -> str:
    """Take the commas out of `1,000`, outside brackets only: `(1,200)` is a pair."""
    if any(bracket in text for bracket in "([") or r"\{" in text:
        return text
    return _THOUSANDS.sub(lambda match: match[0].replace(",", "").replace(" ", ""), text)


_KEPT = (
    r"(?:[ap]\.?\s?m\b.*|thousand|million|billion|trillion|hundred|dozen|base\b.*|mod\b.*|if\b.*|for\b.*|when\b.*"
    r"|where\b.*|sin|cos|tan|cot|sec|csc|log|ln|[ei]|[^a-zA-Z]*|\([A-J]\))"
)
_SHORT = r"(?:cm|mm|km|kg|mg|lbs?|ft|in|mi|yd|hrs?|mins?|secs?|mph|kph|ml|mL|oz|sq|st|nd|rd|th)"
_POWER = r"(?:\s*\^\s*\{?\s*-?\d\s*\}?)?"
_TEXT_UNIT = re.compile(rf"\s*[/·]?\s*{_TEXT}\s*\{{\s*(?P<unit>[^{{}}]*?)[\s.]*\}}{_POWER}\.?$")
_WORD_UNIT = re.compile(
    r"(?P<rest>(?:[-+\d.,/%(){}^ ]|\\(?:frac|pi|sqrt|times|cdot)(?![a-zA-Z]))*[\d)}%]"
    r"(?:\s*(?:thousand|million|billion|trillion))?)"
    rf"(?P<unit>(?:\s+(?:[a-zA-Z]{{3,}}|{_SHORT})|\s?{_SHORT}(?![a-zA-Z]))\.?(?:[\s/-]+[a-zA-Z]['a-zA-Z.]*)*{_POWER}"
    r"|\s*/\s*[a-zA-Z]{3,}|\s+\([a-zA-Z ]{3,}\))\.?"
)
_DEGREES = re.compile(r"\s*\^\\circ\s*(?:[CF]|\\text\{\s*[CF]\s*\})?$")
TRIG = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_NUMERIC = re.compile(r"\d|\\pi|\\sqrt|\\infty")


def without_units(text: str) -> str:
    r"""Drop what follows a number: `\text{ cm}^2`, `^\circ`, ` dollars per day`, `cm`, but never `am` or `million`.

    A unit is not compared: who answers 5.4 dollars where 5.4 cents is right is taken at the number.
    """
    text = text if TRIG.search(text) else _DEGREES.sub("", text)
    for _ in range(4):  # `\text{ miles}/\text{hour}` are two
        unit = _TEXT_UNIT.search(text)
        rest = text[: unit.start()].rstrip() if unit else ""
        if unit is None or not _NUMERIC.search(rest) or rest[-1] in "=+-,(<>^_{" or re.fullmatch(_KEPT, unit["unit"]):
            break
        text = _DEGREES.sub("", rest)
    words = _WORD_UNIT.fullmatch(text)
    if words and not re.fullmatch(_KEPT, words["unit"].strip()):
        return words["rest"].rstrip()
    return text


_TEXT_GROUP = re.compile(rf"{_TEXT}\s*\{{([^{{}}]*)\}}")
_ONE = r"([0-9a-zA-Z]|\\pi(?![a-zA-Z]))"
_BRACES = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (rf"\\frac\s*{_ONE}\s*{_ONE}", r"\\frac{\1}{\2}"),
        (rf"\\frac\s*{_ONE}\s*\{{", r"\\frac{\1}{"),
        (rf"\\frac\s*\{{([^{{}}]*)\}}\s*{_ONE}", r"\\frac{\1}{\2}"),
        (rf"\\sqrt\s*{_ONE}", r"\\sqrt{\1}"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"([_^])\s*\{\s*([0-9a-zA-Z])\s*\}", r"\1\2"),
        (r"\s*([-+=<>/()\[\]{},;:|!%^_&])\s*", r"\1"),
        (r"(?<=[a-zA-Z])\s+(?=\d)|(?<=\d)\s+(?=[a-zA-Z\\])|\s+(?=\\)", ""),
    )
)


def leaf_text(text: str) -> str:
    r"""One answer without brackets around it: no unit, no `\text{}`, one spelling of fractions, no idle spaces."""
    text = without_units(text.strip())
    text = without_units(_unwrapped(text)).strip().rstrip(" .")
    for pattern, new in _BRACES:
        text = pattern.sub(new, text)
    while text.startswith("{") and text.endswith("}") and "{" not in text[1:]:
        text = text[1:-1].strip()
    return " ".join(text.split())


def _unwrapped(text: str) -> str:
    r"""Without `\text{}` around anything, however deep it is nested (`answers.DEEPEST` bounds it)."""
    while (inner := _TEXT_GROUP.sub(r"\1", text)) != text:
        text = inner
    return text
