"""PRMs of others: read as by hand, in process and in vLLM, and the traps of their formats."""

import random
import shutil
import time
from pathlib import Path

import prm_published
import pytest
import torch
from prm_published import PUBLISHED
from prm_tiny import state
from tokenizers import Tokenizer, models
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast

from mcts.errors import InputError
from mcts.types import Problem, Score, State, Step, StepEnd, Ticket
from prm.checkpoint import fingerprint, read_config, read_tokenizer
from prm.formats import FORMATS, format_of, math_shepherd
from prm.labels import LabelledState
from prm.scorer import HfScorer
from prm.served import served
from prm.train import TrainPrm, train

TOLERANCE = 1e-4
NEEDS_NAME = ("math_shepherd", "rlhflow")
"""Plain language models: config.json cannot tell."""
TAGS = {"qwen_prm": "<extra_0>", "math_shepherd": "ки", "skywork": "\n", "trl": "\n", "rlhflow": "<|eot_id|>"}
CASES = [("a + b ?", ["a = b"]), ("a + b ?", ["a = b", "c", "d + a = c ?"]), ("d", ["a", "b", "c", "d", "a", "b"])]


def format_named(name: str) -> str:
    return name.removesuffix("_llama")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Makes a PRM of a format, once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = PUBLISHED[name](tmp_path_factory.mktemp(name))
        return made[name]

    return of


@pytest.fixture(scope="module")
def in_process(tiny):
    made = {}

    def of(name):
        if name not in made:
            made[name] = HfScorer.load(tiny(name).path, format=format_named(name))
        return made[name]

    return of


def score(scorer, states, patience_s=60.0):
    for i, item in enumerate(states):
        scorer.submit(Ticket("t", i), Score(item))
    arrived, end = {}, time.monotonic() + patience_s
    while len(arrived) < len(states) and time.monotonic() < end:
        arrived |= {ticket.number: values for ticket, values in scorer.poll(1.0)}
    return [arrived[i] for i in range(len(states))]


def random_states(seed: int, count: int) -> list[State]:
    rng = random.Random(seed)
    texts = [" ".join(rng.choices("abcd", k=rng.randrange(1, 4))) for _ in range(8 * count)]
    return [state(*texts[8 * i : 8 * i + rng.randrange(1, 6)], final=False) for i in range(count)]


published = pytest.mark.parametrize("name", PUBLISHED)


@published
def test_values_are_those_read_by_hand_and_the_bare_problem_is_as_good_as_bad(tiny, in_process, name):
    for (question, steps), values in zip(CASES, score(in_process(name), [state(q, *s) for q, s in CASES]), strict=True):
        assert values[0] == 0.5
        assert values[1:] == pytest.approx(tiny(name).by_hand(question, steps), abs=TOLERANCE)
        assert len(set(values)) == len(values)
    assert score(in_process(name), [state("a")]) == [(0.5,)]


@published
def test_a_value_is_bit_equal_alone_and_in_a_batch_of_mixed_lengths(in_process, name):
    states = random_states(1, 40)
    together = score(in_process(name), states)
    assert len({len(values) for values in together}) > 2
    for item, values in zip(states[:10], together, strict=False):
        assert score(in_process(name), [item]) == [values]


@published
def test_a_prefix_has_the_value_it_has_within_the_whole(in_process, name):
    whole, *prefixes = score(in_process(name), [state("a", *"bcd"[:k]) for k in (3, 0, 1, 2)])
    for k, values in enumerate(prefixes):
        assert values == pytest.approx(whole[: k + 1], abs=TOLERANCE)


@published
def test_a_final_step_is_closed_as_any_other(in_process, name):
    opened, final = score(in_process(name), [state("a", "b", "c"), state("a", "b", "c", final=True)])
    assert opened == final


@published
def test_an_empty_step_says_nothing_wherever_it_stands(in_process, name):
    plain, trailing, between = score(
        in_process(name), [state("a", "b", "c"), state("a", "b", "c", "", final=True), state("a", "b", " ", "c")]
    )
    assert trailing == (*plain, plain[-1])
    assert between == (*plain[:2], plain[1], plain[2])
    assert score(in_process(name), [state("a", "", final=True)]) == [(0.5, 0.5)]


@pytest.mark.parametrize(("name", "tag"), TAGS.items())
def test_a_tag_inside_a_step_is_refused_in_one_line(in_process, name, tag):
    with pytest.raises(InputError, match=r"contains the (step delimiter|special token)") as caught:
        in_process(name).submit(Ticket("t", 0), Score(state("a", f"b {tag} c")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"), [("qwen_prm", "<extra_0>"), ("math_shepherd", "ки"), ("rlhflow", "<|eot_id|>")]
)
def test_a_tag_inside_a_question_is_refused_in_one_line(in_process, name, text):
    with pytest.raises(InputError, match="expected plain text"):
        in_process(name).submit(Ticket("t", 0), Score(state(f"a {text}", "b")))


def test_a_special_token_inside_a_step_is_refused(in_process):
    with pytest.raises(InputError, match="contains the special token <\\|im_end\\|>"):
        in_process("qwen_prm").submit(Ticket("t", 0), Score(state("a", "b <|im_end|>")))


@published
def test_nothing_is_cut_off(tiny, in_process, name):
    limit = read_config(tiny(name).path).max_position_embeddings
    encoder = in_process(name)._encoder
    step = Step("a b" if name in NEEDS_NAME or name == "qwen_prm" else "a")
    steps = []
    while len(encoder.encode("a", [*steps, step]).token_ids) <= limit - 12:
        steps.append(step)
    fits = encoder.encode("a", steps)
    assert len(fits.positions) == len(steps) + 1
    with pytest.raises(InputError, match=f"expected at most {limit}"):
        encoder.encode("a", [step] * (len(steps) + 12))


def test_steps_after_the_end_are_refused(in_process):
    ended = State(Problem("p", "a"), (Step("b", end=StepEnd.FINAL), Step("c")))
    with pytest.raises(InputError, match="expected no step after it"):
        in_process("trl").submit(Ticket("t", 0), Score(ended))


@published
def test_the_configuration_tells_the_format_or_asks_for_its_name(tiny, name):
    config = read_config(tiny(name).path)
    if name in NEEDS_NAME:
        with pytest.raises(InputError, match=r"tells no format: expected prm\.format to be one of regrow, qwen_prm"):
            format_of(None, config)
    else:
        assert format_of(None, config) is FORMATS[format_named(name)]
    for other in FORMATS:
        if other != format_named(name) and not {other, name} <= set(NEEDS_NAME):
            with pytest.raises(InputError, match=f"expected a checkpoint of the format {other}"):
                format_of(other, config)
    with pytest.raises(InputError, match="PRM format 'oracle': expected one of regrow"):
        format_of("oracle", config)


def test_the_chat_template_is_part_of_the_fingerprint(tiny, tmp_path):
    folder = shutil.copytree(tiny("rlhflow").path, tmp_path / "prm")
    before = fingerprint(folder)
    assert fingerprint(tiny("rlhflow").path) == before
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text() + "{# another #}")
    assert fingerprint(folder) != before
    assert fingerprint(folder, "rlhflow") != fingerprint(folder, "math_shepherd")


@pytest.mark.parametrize("name", ["skywork", "trl"])
def test_a_line_ends_in_a_token_of_its_own_whatever_stands_before_it(tiny, in_process, name):
    question, steps = "a ?", ["a = b.", "c.", "d."]
    (values,) = score(in_process(name), [state(question, *steps)])
    assert values[1:] == pytest.approx(tiny(name).by_hand(question, steps), abs=TOLERANCE)


def vocabulary_with(**ids: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **ids}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_token_ids_are_found_by_word_and_held_against_the_published_tokenizer_only():
    words = math_shepherd.MathShepherd.words
    assert words.id_of(vocabulary_with(ки=5), "ки") == 5
    assert words.id_of(vocabulary_with(ки=12_902, INST=16_289), "ки") == 12_902
    with pytest.raises(InputError, match="'ки' is token 5, expected 12902 as published"):
        words.id_of(vocabulary_with(ки=5, INST=16_289), "ки")
    with pytest.raises(InputError, match="unknown word"):
        words.id_of(vocabulary_with(a=5), "ки")


def test_a_tokenizer_that_runs_steps_together_is_refused(tiny, tmp_path):
    tokenizer = read_tokenizer(tiny("math_shepherd").path)
    raw = tokenizer.backend_tokenizer
    raw.post_processor = prm_published.processors.TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    encoder = FORMATS["math_shepherd"].encoder(tokenizer, read_config(tiny("math_shepherd").path))
    with pytest.raises(InputError, match="runs steps together"):
        encoder.encode("a", [Step("b"), Step("c")])


def test_a_chat_format_without_a_template_is_refused(tiny):
    config, tokenizer = read_config(tiny("qwen_prm").path), read_tokenizer(tiny("qwen_prm").path)
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="no chat template"):
        FORMATS["qwen_prm"].encoder(tokenizer, config).encode("a", [Step("b")])


# --- vLLM -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vocabulary", "skywork"])
def test_the_directory_that_vllm_serves_has_the_same_body_and_one_probe(tiny, tmp_path, name):
    path = tiny(name).path if name in PUBLISHED else prm_published.regrow(tmp_path, head="vocabulary").path
    how, tokenizer = format_of(None, read_config(path)), read_tokenizer(path)
    folder = served(path, how, tokenizer, str(tmp_path))
    plain = AutoModelForTokenClassification.from_pretrained(folder).eval()
    assert plain.dtype == torch.float32
    ids = torch.tensor([[4, 5, 6, 7, 8]])
    torch.testing.assert_close(plain(ids).logits[..., 0], how.load(path, tokenizer)(ids), atol=1e-5, rtol=1e-5)
    assert served(path, how, tokenizer, str(tmp_path)) == folder


@pytest.fixture(scope="module")
def in_vllm():
    """Starts a PRM in vLLM; one engine runs at a time."""
    pytest.importorskip("vllm")
    from policy import vllm_engine
    from policy.vllm_settings import VllmSettings
    from prm.vllm_scorer import VllmScorer

    settings = VllmSettings(max_num_seqs=16, enforce_eager=True)

    def start(path: Path, digest: str, dtype: str, runner: str):
        return vllm_engine.engine_of(path, digest, settings, dtype, role=vllm_engine.PRM, runner=runner)

    yield lambda path, name: VllmScorer(path, start, settings=repr(settings), format=name)
    vllm_engine.end()


def agree(scorer, twin, by_hand=None):
    states = [state(q, *s) for q, s in CASES] + random_states(2, 12) + [state("a"), state("a", "b", "", final=True)]
    ours, theirs = score(scorer, states), score(twin, states)
    assert len({value for values in ours for value in values}) > 20
    for got, expected in zip(ours, theirs, strict=True):
        assert got == pytest.approx(expected, abs=TOLERANCE)
    if by_hand is not None:
        for (question, steps), values in zip(CASES, ours, strict=False):
            assert values[-len(steps) :] == pytest.approx(by_hand(question, steps)[-len(steps) :], abs=TOLERANCE)


def trained(start: Path, out: Path, format=None) -> Path:
    """A PRM after some steps: as training writes it, vLLM is to read it."""
    labelled = [LabelledState(item, (0.0, *([1.0] * len(item.steps)))) for item in random_states(3, 32)]
    train(start, labelled, out, TrainPrm(learning_rate=3e-3, max_steps=5), format=format, seed=0)
    assert fingerprint(out) != fingerprint(start)
    return out


def test_our_own_values_after_training_in_vllm_are_those_in_process(in_vllm, tmp_path):
    tiny = prm_published.regrow(tmp_path, head="vocabulary", activation="sigmoid")
    path = trained(tiny.path, tmp_path / "trained")
    agree(in_vllm(path, None), HfScorer.load(path))


def test_what_says_plus_and_minus_after_training_is_read_in_vllm_as_in_process_and_by_hand(in_vllm, tiny, tmp_path):
    path = trained(tiny("math_shepherd").path, tmp_path / "trained", "math_shepherd")
    scorer, twin = in_vllm(path, "math_shepherd"), HfScorer.load(path, format="math_shepherd")
    agree(scorer, twin, prm_published.math_shepherd_in(path).by_hand)


@pytest.mark.parametrize("name", ["qwen_prm", "trl_llama"])
def test_values_in_vllm_are_those_in_process_and_by_hand(in_vllm, tiny, in_process, name):
    scorer = in_vllm(tiny(name).path, format_named(name))
    agree(scorer, in_process(name), tiny(name).by_hand)
