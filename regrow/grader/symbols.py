"""Characters that stand for LaTeX, and those that stand for nothing."""

# ruff: noqa: RUF001  # look-alikes are what this is about

from __future__ import annotations

_SYMBOLS: dict[str, str | int] = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/",
    "∕": "/", "⁄": "/", "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ",
    "ω": r"\omega ", "φ": r"\phi ", "∞": r"\infty ", "°": r"^\circ", "º": r"^\circ", "≤": r"\leq ",
    "≥": r"\geq ", "≠": r"\neq ", "≈": r"\approx ", "±": r"\pm ", "∓": r"\mp ", "∪": r"\cup ", "∩": r"\cap ",
    "∈": r"\in ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "′": "'", "’": "'", "‘": "'", "“": "", "”": "", "\"": "",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "$": "", "€": "", "£": "", "¥": "", "₹": "", "\u200b": "", "\ufeff": "", "\u2061": "", "٫": ".", "٬": ",",
}  # fmt: skip
_SYMBOLS |= {raised: f"^{digit}" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_SYMBOLS |= {lowered: f"_{digit}" for digit, lowered in enumerate("₀₁₂₃₄₅₆₇₈₉")}
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
TABLE: dict[int, str | int] = {**str.maketrans(_SYMBOLS), **_FULL_WIDTH}
"""For `str.translate`."""
