import json
import random
import shutil

import pytest
import torch

from mcts.types import Problem, Propose, State, Step, StepEnd, Ticket, Until
from policy.base import PolicySize, create
from policy.prompts import PromptFormat
from policy.transformers_policy import TransformersPolicy

WORDS = tuple("abcdefghij")
TINY = PolicySize(hidden=32, layers=2, heads=2, intermediate=64, max_positions=64)
SIZES = {"tiny": TINY, "default": PolicySize()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("policies")
    for name, size in SIZES.items():
        create(WORDS, size, root / name, seed=3)
    return root


@pytest.fixture(scope="module")
def tiny(folders):
    return TransformersPolicy.load(folders / "tiny")


@pytest.fixture(autouse=True)
def threads():
    """One thread, which is quickest for models this small, until a test asks for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch.set_num_threads
    torch.set_num_threads(before)


def request(question="a b c", steps=(), *, width=1, until=Until.END, temperature=1.0, max_tokens=12, seed=5):
    return Propose(State(Problem("p", question), tuple(steps)), width, until, temperature, max_tokens, seed)


def answers(policy, requests):
    for i, asked in enumerate(requests):
        policy.submit(Ticket("t", i), asked)
    return [reply for _, reply in sorted(policy.poll(1.0))]


def answer(policy, **fields):
    return answers(policy, [request(**fields)])[0]


def mixed_requests(policy, count, seed):
    """Requests of all kinds and several prefix lengths, some with equal prefixes."""
    rng = random.Random(seed)
    requests = []
    for _ in range(count):
        question = " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(0, 3))) for _ in range(rng.randint(0, 3))]
        steps = PromptFormat().encode_steps(policy._tokenizer, texts, is_complete=False)
        requests.append(
            request(
                question,
                steps,
                width=rng.choice([1, 1, 2, 5]),
                until=rng.choice(list(Until)),
                temperature=rng.choice([0.0, 0.7, 1.0]),
                max_tokens=rng.choice([1, 3, 10, 20]),
                seed=rng.getrandbits(64),
            )
        )
    return requests


@pytest.mark.parametrize("size", SIZES)
def test_a_reply_is_bit_equal_alone_and_in_any_company(folders, size, threads):
    policy = TransformersPolicy.load(folders / size)
    requests = mixed_requests(policy, 24, seed=1)
    together = answers(policy, requests)
    assert [answers(policy, [asked])[0] for asked in requests] == together, "alone"
    for batch_rows in (3, 33):
        other = TransformersPolicy.load(folders / size, batch_rows=batch_rows)
        assert answers(other, requests[::-1])[::-1] == together, f"reversed, {batch_rows} rows at once"
    threads(2)
    assert answers(policy, requests) == together, "two threads"


def test_a_request_amid_seven_hundred_others_is_bit_equal_to_itself_alone(folders):
    policy = TransformersPolicy.load(folders / "default")
    crowd = [request("a b c", width=1, seed=1000 + i, max_tokens=6 + i % 7) for i in range(700)]
    together = answers(policy, crowd)
    for i in (0, 1, 350, 511, 512, 699):
        assert answers(policy, [crowd[i]])[0] == together[i]


def test_log_probabilities_are_those_of_a_plain_forward_pass(folders):
    policy = TransformersPolicy.load(folders / "default")
    requests = mixed_requests(policy, 30, seed=2)
    for asked, reply in zip(requests, answers(policy, requests), strict=True):
        prompt = PromptFormat().encode_prompt(policy._tokenizer, asked.state.problem.question)
        prefix = [*prompt, *(token for step in asked.state.steps for token in step.token_ids)]
        for continuation in reply:
            sampled = [token for step in continuation for token in step.token_ids]
            with torch.inference_mode():
                logits = policy._decoder._model(torch.tensor([prefix + sampled])).logits[0]
            expected = logits[len(prefix) - 1 : -1].log_softmax(-1)
            logprobs = [logprob for step in continuation for logprob in step.logprobs]
            assert logprobs == pytest.approx(expected[range(len(sampled)), sampled].tolist(), abs=1e-4)
            if asked.temperature == 0:
                expected[:, [policy._tokenizer.pad_token_id, policy._tokenizer.unk_token_id]] = float("-inf")
                assert sampled == expected.argmax(-1).tolist()


def test_siblings_differ_and_do_not_depend_on_their_number(tiny):
    five = answer(tiny, width=5)
    assert len(set(five)) > 1
    assert answer(tiny, width=2) == five[:2]


def test_the_seed_decides(tiny):
    assert answer(tiny, seed=1) == answer(tiny, seed=1) != answer(tiny, seed=2)


def test_a_step_stops_at_the_first_delimiter_end_or_limit(tiny):
    steps = [answer(tiny, until=Until.STEP, max_tokens=6, seed=seed)[0] for seed in range(200)]
    newline, eos = tiny._tokenizer.convert_tokens_to_ids("\n"), tiny._tokenizer.eos_token_id
    assert {step.end for (step,) in steps} == set(StepEnd)
    for (step,) in steps:
        stops = [token in (newline, eos) for token in step.token_ids]
        assert not any(stops[:-1])
        last = {newline: StepEnd.DELIMITER, eos: StepEnd.FINAL}.get(step.token_ids[-1], StepEnd.TRUNCATED)
        assert step.end is last
        assert (step.end is StepEnd.TRUNCATED) <= (len(step.token_ids) == 6)
    assert any(step.end is StepEnd.DELIMITER and step.text == "" for (step,) in steps), "an empty step is a step"


def test_a_continuation_to_the_end_is_cut_into_steps_and_ends_final_or_truncated(tiny):
    newline, eos = tiny._tokenizer.convert_tokens_to_ids("\n"), tiny._tokenizer.eos_token_id
    (many,) = answers(tiny, [request(width=300, max_tokens=10)])
    assert {steps[-1].end for steps in many} == {StepEnd.FINAL, StepEnd.TRUNCATED}
    assert any(steps[-1].token_ids[-1] == newline for steps in many), "the limit may fall on a delimiter"
    for steps in many:
        assert all(step.end is StepEnd.DELIMITER and step.token_ids[-1] == newline for step in steps[:-1])
        tokens = [token for step in steps for token in step.token_ids]
        assert (steps[-1].end is StepEnd.FINAL) == (tokens[-1] == eos)
        assert eos not in tokens[:-1]
        assert len(tokens) <= 10
        for step in steps:
            assert len(step.logprobs) == len(step.token_ids)
            assert step.text == tiny._tokenizer.decode(step.token_ids, skip_special_tokens=True).strip()


def test_a_step_continues_where_its_parent_stopped(tiny):
    (whole,) = answer(tiny, temperature=0.0, max_tokens=30)
    prefix: tuple[Step, ...] = ()
    for expected in whole[:-1]:
        ((step,),) = answer(tiny, steps=prefix, until=Until.STEP, temperature=0.0, max_tokens=30)
        assert step.token_ids == expected.token_ids
        prefix += (step,)


def test_the_context_window_truncates(tiny):
    words = " ".join(["a"] * 61)
    steps = [answer(tiny, question=words, max_tokens=50, seed=seed)[0] for seed in range(20)]
    assert {len([t for step in c for t in step.token_ids]) for c in steps} == {1, 2}
    full = answer(tiny, question=f"{words} b b b", max_tokens=50)
    assert full == ((Step("", end=StepEnd.TRUNCATED),),)


def test_generated_tokens_are_counted(folders):
    policy = TransformersPolicy.load(folders / "tiny")
    replies = answers(policy, mixed_requests(policy, 20, seed=4))
    replies += answers(policy, mixed_requests(policy, 5, seed=5))
    total = sum(len(step.token_ids) for reply in replies for steps in reply for step in steps)
    assert policy.tokens_generated == total > 0


def test_a_poll_with_nothing_waiting_is_empty(tiny):
    assert tiny.poll(1.0) == []


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"width": 0}, "width 0"),
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"temperature": -1.0}, "temperature -1.0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"seed": 2**64}, "unsigned 64-bit"),
        ({"question": "a zebra"}, "'zebra'"),
        ({"steps": [Step("a")]}, "no token ids"),
        ({"steps": [Step("a", (4, 1), end=StepEnd.FINAL)]}, "step 0 is final"),
        ({"steps": [Step("a", (4,), end=StepEnd.TRUNCATED)]}, "step 0 is truncated"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_when_submitted(tiny, fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        tiny.submit(Ticket("t", 0), request(**fields))
    assert tiny.poll(1.0) == []


def test_the_fingerprint_follows_weights_prompt_and_tokenizer_but_not_the_place(folders, tmp_path):
    def fingerprint(folder, **options):
        return TransformersPolicy.load(folder, **options).fingerprint

    first = fingerprint(folders / "tiny")
    shutil.copytree(folders / "tiny", tmp_path / "copy")
    assert fingerprint(tmp_path / "copy", batch_rows=3) == first
    create(WORDS, TINY, tmp_path / "reseeded", seed=4)
    create(("z", *WORDS[1:]), TINY, tmp_path / "renamed", seed=3)
    others = {fingerprint(tmp_path / "reseeded"), fingerprint(tmp_path / "renamed")}
    others.add(fingerprint(folders / "tiny", prompt=PromptFormat("a {question}\n")))
    assert len({first, *others}) == 4


def test_creation_is_deterministic_and_leaves_the_global_generator_alone(folders, tmp_path):
    state = torch.get_rng_state()
    create(WORDS, TINY, tmp_path / "again", seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    for file in (folders / "tiny").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name
    assert [entry.name for entry in tmp_path.iterdir()] == ["again"]


def test_the_default_size_has_half_a_million_parameters(folders):
    policy = TransformersPolicy.load(folders / "default")
    assert 0.45e6 < sum(weight.numel() for weight in policy._decoder._model.parameters()) < 0.55e6


def damage_nothing_there(folder):
    shutil.rmtree(folder)


def damage_no_weights(folder):
    (folder / "model.safetensors").unlink()


def damage_torn_weights(folder):
    (folder / "model.safetensors").write_bytes(b"torn")


def damage_more_layers(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))


def damage_no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def damage_torn_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")


def damage_no_config(folder):
    (folder / "config.json").unlink()


@pytest.mark.parametrize("damage", [value for name, value in list(globals().items()) if name.startswith("damage_")])
def test_an_unusable_directory_is_refused_in_one_line(folders, tmp_path, damage):
    folder = tmp_path / "policy"
    shutil.copytree(folders / "tiny", folder)
    damage(folder)
    with pytest.raises(ValueError, match="expected") as caught:
        TransformersPolicy.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_delimiter_that_no_token_contains_is_refused(folders):
    with pytest.raises(ValueError, match="no token contains the step delimiter ';;'"):
        TransformersPolicy.load(folders / "tiny", prompt=PromptFormat(delimiter=";;"))


def test_loading_and_saving_draw_no_progress_bars(folders, tmp_path, capfd):
    create(WORDS, TINY, tmp_path / "quiet", seed=3)
    TransformersPolicy.load(tmp_path / "quiet")
    assert capfd.readouterr() == ("", "")
