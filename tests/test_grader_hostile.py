import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grader_hostile import PWNED, hostile_answers

from mcts.types import Outcome
from regrow.grader import Grader, normal_form, shared_grader
from regrow.grader.grader import decide
from regrow.grader.worker import judge

GOLD = r"\sqrt{2}"
HANG = "10^{10^{9}}x"


NUMBERS = itertools.count(3)


def works(grader):
    """What a right and a wrong answer are graded as, each new, so that a worker has to say so."""
    number = next(NUMBERS)
    return grader.grade(GOLD, rf"\frac{{\sqrt{{{2 * number**2}}}}}{{{number}}}"), grader.grade(
        GOLD, rf"\sqrt{{{number}}}"
    )


def workers_of(parent):
    """The spawned processes of a parent, out of those that the system lists."""
    commands = {int(path.name): path / "cmdline" for path in Path("/proc").iterdir() if path.name.isdigit()}
    return [pid for pid, path in commands.items() if is_running(pid, parent) and b"spawn_main" in path.read_bytes()]


def is_running(pid, parent=None):
    try:
        state, above = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return False
    return state != "Z" and parent in {None, int(above)}


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_two_hundred_hostile_answers_are_graded_in_bounded_time_and_do_no_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers = hostile_answers()
    assert len(answers) == 200
    with Grader(workers=2, timeout_s=0.5, memory_gib=0.5) as grader:
        futures = [grader.submit(GOLD, answer) for answer in answers]
        outcomes = [future.result(timeout=60) for future in futures]
        assert works(grader) == (Outcome.CORRECT, Outcome.WRONG)
    assert [a[:40] for a, o in zip(answers, outcomes, strict=True) if o is Outcome.CORRECT] == []
    assert min(Counter(outcomes)[outcome] for outcome in (Outcome.WRONG, Outcome.UNPARSED, Outcome.TIMEOUT)) >= 5
    assert not list(tmp_path.glob("*"))
    assert not Path(PWNED).exists()


def test_what_is_decided_in_process_takes_no_time_whatever_it_is():
    for answer in hostile_answers():
        start = time.perf_counter()
        decide(GOLD, answer)
        normal_form(answer)
        assert time.perf_counter() - start < 1.0, answer[:60]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (HANG, Outcome.TIMEOUT),
        ("1" * 1_000_000, Outcome.UNPARSED),
        ("__import__('os').system('x')", Outcome.UNPARSED),
        ("1e999999999", Outcome.WRONG),
        (r"\frac{1}{0}", Outcome.WRONG),
        ("2", Outcome.WRONG),
    ],
)
def test_hostile_answers_have_the_outcome_that_fits(answer, outcome):
    with Grader(workers=1, timeout_s=1.0) as grader:
        assert grader.grade(GOLD, answer) is outcome


# What hostile means is the clothes: the right value in them is right.
DISGUISED = [
    ("18", "\uff11\uff18"), ("18", "\u0661\u0668"), ("3.5", "\u0663\u066b\u0665"), ("18", "\U0001d7d9\U0001d7e0"),
    ("18", "\x0018"), ("18", "\ufeff1\u200b8"), ("18", "\u202e18"), ("18", "18\r\n\t\v\f"), ("18", "18" + " " * 900),
    ("18", "{" * 20 + "18" + "}" * 20), ("18", r"\text{" * 5 + "18" + "}" * 5), ("18", "(" * 20 + "18" + ")" * 20),
    (GOLD, "\u221a2"), (GOLD, r"\boxed{" * 3 + r"\sqrt2" + "}" * 3), ("10^{10^{10}}", "10^{10^{10}}"), ("18", "`18`"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), DISGUISED)
def test_a_right_answer_in_hostile_clothes_is_right(gold, answer):
    assert shared_grader().grade(gold, answer) is Outcome.CORRECT


def test_time_starts_with_the_answer_and_not_in_the_queue():
    with Grader(workers=1, timeout_s=1.0) as grader:
        hanging = [grader.submit(GOLD, f"{HANG} + {number}") for number in range(3)]
        right = grader.submit(GOLD, r"2/\sqrt2")
        start = time.monotonic()
        assert right.result() is Outcome.CORRECT
        assert time.monotonic() - start > 2
        assert {future.result() for future in hanging} == {Outcome.TIMEOUT}


def test_memory_is_limited():
    script = """
import sys
from regrow.grader import worker
worker.prepare(0, float(sys.argv[1]))
try:
    print(len(bytearray(3 * 2**28)))
except MemoryError:
    print("refused")
"""
    run = [sys.executable, "-c", script.replace("prepare(0", "prepare(__import__('os').getppid()")]
    for gib, said in (("0.5", "refused"), ("1.0", str(3 * 2**28))):
        assert subprocess.run([*run, gib], capture_output=True, text=True, check=True).stdout.strip() == said


def test_a_memory_error_is_a_timeout(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr("regrow.grader.worker.same", exhausted)
    assert judge(GOLD, "2", 5.0) is Outcome.TIMEOUT


def test_a_worker_that_dies_costs_its_own_answer_at_most():
    with Grader(workers=2, timeout_s=5.0) as grader:
        works(grader)
        for pid in workers_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        assert works(grader) == (Outcome.CORRECT, Outcome.WRONG)
        slow = grader.submit(GOLD, HANG)
        time.sleep(0.5)
        for pid in workers_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        assert slow.result(timeout=30) is Outcome.TIMEOUT
        assert grader.grade(GOLD, r"\frac{2}{\sqrt2}") is Outcome.CORRECT
    assert wait_until(lambda: not workers_of(os.getpid()), 5)


def test_eight_threads_share_a_grader():
    pairs = [
        (rf"\sqrt{{{n}}}", f"{n}^{{1/2}}" if n % 2 else f"{n}^{{1/3}}") for n in range(20, 60) if n not in {25, 36, 49}
    ]
    with Grader(workers=2, timeout_s=20.0) as grader, ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda pair: grader.grade(*pair), pairs))
    assert outcomes == [Outcome.CORRECT if "1/2" in answer else Outcome.WRONG for _, answer in pairs]


def test_equal_pairs_are_graded_once_and_closing_forgets_them():
    with Grader(workers=1) as grader:
        assert grader.submit(GOLD, "x + y") is grader.submit(GOLD, "x + y")
        first = grader.submit(GOLD, HANG)
        grader.close()
        assert first.exception(timeout=5) is not None
        assert grader.submit(GOLD, HANG) is not first
    assert shared_grader() is shared_grader()


SCRIPT = """
import os, time
from regrow.grader import shared_grader

if __name__ == "__main__":
    grader = shared_grader()
    print(grader.grade("\\\\sqrt2", "2/\\\\sqrt2"), flush=True)
    if {way!r} == "killed in the middle":
        grader.submit("\\\\sqrt2", "{answer}")
    elif {way!r} == "killed, its pipes held open":
        os.fork()
    if {way!r} != "ends":
        time.sleep(15)
"""


@pytest.mark.parametrize("way", ["ends", "killed in the middle", "killed, its pipes held open"])
def test_no_worker_outlives_its_parent(tmp_path, way):
    script = tmp_path / "grade.py"
    script.write_text(SCRIPT.format(way=way, answer=HANG))
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=paths) as parent:
        assert parent.stdout.readline().strip() == "correct"
        workers = workers_of(parent.pid)
        if way != "ends":
            time.sleep(0.5)
            parent.kill()
        assert parent.wait(20) == (0 if way == "ends" else -signal.SIGKILL)
    assert way == "ends" or workers
    assert wait_until(lambda: not any(map(is_running, workers)), 10)


def test_grading_off_the_main_thread_needs_no_signals():
    found = []
    with Grader(workers=1) as grader:
        thread = threading.Thread(target=lambda: found.extend(works(grader)))
        thread.start()
        thread.join()
    assert found == [Outcome.CORRECT, Outcome.WRONG]
