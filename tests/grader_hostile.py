"""Two hundred answers that try to hang, crash or take over whoever reads them."""

# ruff: noqa: RUF001  # look-alikes are what is tested

from __future__ import annotations

PWNED = "regrow_grader_was_here"
"""A file that code among the answers would make in the working directory."""


def hostile_answers() -> list[str]:
    """Answers without any right to be CORRECT for a gold answer of sqrt(2)."""
    towers = [
        "10^10^10", "10^{10^{10}}", "9^(9^9)", "9^{9^{9}}", "9**9**9**9", "2^{2^{2^{2^{2^{2}}}}}", "(10^{10})!",
        "1000000!", "((5!)!)!", r"\binom{10^9}{5 \cdot 10^8}", "10^{-10^{10}}", "1e999999999", "1e-999999999",
        r"e^{e^{e^{e^{e}}}}", r"\sqrt[10^{10}]{2}", "0^{-1}", "1/0", r"\frac{1}{0}", "0/0", r"\log 0", r"\tan 90",
        "99999999^{99999999}",
    ]  # fmt: skip
    calculus = [
        r"\int_0^\infty e^{-x^2}\sin(x^3)\,dx", r"\int \int \int x^{y^z} dx dy dz", r"\int \sqrt{\tan(x^{\sin x})} dx",
        r"\sum_{n=1}^{\infty}\frac{1}{n^{n^n}}", r"\sum_{k=1}^{10^{12}} k^k", r"\prod_{k=1}^{10^9} k",
        r"\lim_{x\to\infty} x^{x^{x}}", r"\frac{d}{dx} x^{x^{x^x}}", "(x+1)^{999999}", "(x+y+z)^{500}",
    ]  # fmt: skip
    around = [
        ("{", "}"), ("(", ")"), ("[", "]"), (r"\{", r"\}"), (r"\left(", r"\right)"), ("|", "|"), ("-", ""),
        ("2^{", "}"), (r"\sqrt{", "}"), (r"\frac{", "}{2}"), (r"\text{", "}"), (r"\boxed{", "}"),
    ]  # fmt: skip
    deep = [left * size + "2" + right * size for size in (5, 90) for left, right in around]
    unbalanced = [mark * 300 for mark in "{}()[]$\\^_&%#~|,;.-+*/=<>!'\"`"] + [
        r"\{" * 200,
        r"\frac" * 100,
        r"\pm" * 100,
    ]
    wide = [
        r"\begin{pmatrix}" + r"\\".join("&".join(["1"] * 15) for _ in range(15)) + r"\end{pmatrix}",
        r"\begin{pmatrix}" * 30, ",".join(["1"] * 300), r"\cup".join(["(1,2)"] * 90), "+".join(["x"] * 400),
        "1" * 1000, "x" * 1000, "1," * 400, "x=" * 400, r"\pm ".join("x" * 90), "1 and " * 100, "a" * 500 + " " * 400,
    ]  # fmt: skip
    code = [
        f"__import__('os').system('touch {PWNED}')", f"open('{PWNED}', 'w')", f"exec(\"open('{PWNED}','w')\")",
        f"().__class__.__bases__[0].__subclasses__()[0]('{PWNED}')", rf"\write18{{touch {PWNED}}}", "$(touch regrow)",
        rf"\input{{{PWNED}}}", r"\def\x{\x\x}\x", r"\loop\iftrue\repeat", "lambda: (yield)", "import os; os._exit(1)",
        "os.kill(os.getpid(), 9)", "'; DROP TABLE answers; --", "{{7*7}}", "%s%s%s%n", "${jndi:ldap://x}", "<script>",
    ]  # fmt: skip
    characters = [
        "\x00", "1\x00", "\x00" * 500, "\ud800", "\udfff1", "\U0010ffff", "\u202e18", "①", "Ⅷ", "٣٫٥", "१२", "𝟙𝟠",
        "²", "½½", "\ufeff" * 100, "\u0301" * 300, "é" * 300, "数", "\r\n\t\v\f", "\x1b[31m18", "🎲" * 200,
        "1\u200b8", "−−−−",
    ]  # fmt: skip
    regexes = [
        "(a+)+$",
        "a" * 900 + "!",
        "1" * 400 + " apples" * 80,
        "- " * 450,
        " " * 900 + "x",
        "1 " * 450 + "x",
        "^\\circ" * 150,
    ]
    long = [
        text * (1_000_000 // len(text)) for text in ("1", "{", r"\frac", "x+", r"\boxed{1}", "\x00", "数", "\ud800")
    ]
    answers = [*towers, *calculus, *deep, *unbalanced, *wide, *code, *characters, *regexes, *long]
    mixed = [f"{tower}{separator}{tower}" for tower in towers for separator in (", ", r" \cup ", "; ")]
    return list(dict.fromkeys([*answers, *mixed]))[:200]
