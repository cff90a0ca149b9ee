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


def works(grader):
    return grader.grade(GOLD, r"2/\sqrt2"), grader.grade(GOLD, r"\sqrt{8} / 4")


def processes_of(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def is_running(pid):
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


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
        for pid in grader_workers():
            os.kill(pid, signal.SIGKILL)
        assert works(grader) == (Outcome.CORRECT, Outcome.WRONG)
        slow = grader.submit(GOLD, HANG)
        time.sleep(0.5)
        for pid in grader_workers():
            os.kill(pid, signal.SIGKILL)
        assert slow.result(timeout=30) is Outcome.TIMEOUT
        assert grader.grade(GOLD, r"\frac{2}{\sqrt2}") is Outcome.CORRECT
    assert wait_until(lambda: not grader_workers(), 5)


def grader_workers():
    said = {pid: Path(f"/proc/{pid}/cmdline") for pid in processes_of(os.getpid())}
    return [pid for pid, path in said.items() if is_running(pid) and b"spawn_main" in path.read_bytes()]


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
        assert grader.grade(GOLD, r"2/\sqrt2") is Outcome.CORRECT
    assert shared_grader() is shared_grader()


SCRIPT = """
import time
from regrow.grader import shared_grader

if __name__ == "__main__":
    grader = shared_grader()
    print(grader.grade("\\\\sqrt2", "2/\\\\sqrt2"), flush=True)
    if {hang}:
        grader.submit("\\\\sqrt2", "{answer}")
        time.sleep(60)
"""


@pytest.mark.parametrize("hang", [False, True])
def test_no_worker_outlives_its_parent(tmp_path, hang):
    script = tmp_path / "grade.py"
    script.write_text(SCRIPT.format(hang=hang, answer=HANG))
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=paths) as parent:
        assert parent.stdout.readline().strip() == "correct"
        workers = processes_of(parent.pid)
        if hang:
            time.sleep(0.5)
            parent.kill()
        assert parent.wait(20) == (-signal.SIGKILL if hang else 0)
    assert not hang or workers
    assert wait_until(lambda: not any(map(is_running, workers)), 10)


def test_grading_off_the_main_thread_needs_no_signals():
    found = []
    with Grader(workers=1) as grader:
        thread = threading.Thread(target=lambda: found.extend(works(grader)))
        thread.start()
        thread.join()
    assert found == [Outcome.CORRECT, Outcome.WRONG]
