import json

import pytest
import torch
from prm_tiny import MAX_TOKENS, write_policy
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification, Qwen2ForCausalLM, Qwen2ForTokenClassification

from prm import model
from prm.model import create, load

TOKENS = torch.randint(3, 11, (5, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return write_policy(tmp_path_factory.mktemp("tied") / "policy")


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def either_policy(request, tmp_path_factory):
    return write_policy(tmp_path_factory.mktemp("either") / "policy", tied=request.param)


@pytest.mark.parametrize("head", ["hidden", "vocabulary"])
def test_a_model_saved_and_read_again_is_equal_bit_for_bit(either_policy, tmp_path, head):
    create(either_policy, tmp_path / "prm", head=head, activation="sigmoid", seed=3)
    first = load(tmp_path / "prm")
    first.save(tmp_path / "again", model.read_tokenizer(tmp_path / "prm"))
    second = load(tmp_path / "again")
    assert second.activation == "sigmoid"
    assert torch.equal(first(TOKENS), second(TOKENS))
    assert sorted(path.suffix for path in tmp_path.glob("again/*") if "model" in path.name) == [".safetensors"]
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])


@pytest.mark.parametrize("head", ["hidden", "vocabulary"])
def test_the_body_is_the_policys_and_the_seed_decides_the_head(either_policy, tmp_path, head):
    for name, seed in (("one", 1), ("same", 1), ("two", 2)):
        create(either_policy, tmp_path / name, head=head, seed=seed)
    one, same, two = (load(tmp_path / name) for name in ("one", "same", "two"))
    assert torch.equal(one(TOKENS), same(TOKENS))
    assert not torch.equal(one(TOKENS), two(TOKENS))
    language = Qwen2ForCausalLM.from_pretrained(either_policy)
    layers = dict(one._language_model().base_model.named_parameters())
    for name, weight in language.model.named_parameters():
        assert torch.equal(weight, layers[name])


def test_creating_a_model_leaves_the_global_random_state_alone(policy, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    create(policy, tmp_path / "prm", seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_the_hidden_head_is_a_plain_token_classifier_for_transformers(policy, tmp_path):
    create(policy, tmp_path / "prm", seed=1)
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "prm").train()
    assert type(plain) is Qwen2ForTokenClassification
    assert (plain.num_labels, plain.dropout.p) == (1, 0.0)
    torch.testing.assert_close(plain(input_ids=TOKENS).logits.squeeze(-1), load(tmp_path / "prm")(TOKENS))


def test_the_vocabulary_head_is_a_linear_map_of_the_vocabulary_logits(either_policy, tmp_path):
    create(either_policy, tmp_path / "prm", head="vocabulary", seed=1)
    ours = load(tmp_path / "prm")
    network = ours.network
    logits = Qwen2ForCausalLM.from_pretrained(either_policy)(input_ids=TOKENS).logits
    by_hand = logits @ network.score.weight[0] + network.score.bias
    assert by_hand.std() > 0.1
    torch.testing.assert_close(ours(TOKENS), by_hand, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network(TOKENS), by_hand, atol=1e-5, rtol=1e-5)


def test_the_probe_counts_the_bias_of_the_vocabulary_logits(policy, tmp_path):
    create(policy, tmp_path / "prm", head="vocabulary", seed=1)
    ours = load(tmp_path / "prm")
    before = ours(TOKENS)
    unembedding = ours.network.lm.lm_head
    unembedding.bias = torch.nn.Parameter(torch.arange(unembedding.out_features, dtype=torch.float32))
    torch.testing.assert_close(ours(TOKENS), ours.network(TOKENS), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(ours(TOKENS), before)


def test_padding_on_the_right_changes_no_value(policy, tmp_path):
    create(policy, tmp_path / "prm", seed=1)
    ours = load(tmp_path / "prm")
    padded = torch.nn.functional.pad(TOKENS, (0, 4))
    mask = (torch.arange(13) < 9).long().expand(5, 13)
    torch.testing.assert_close(ours(padded, mask)[:, :9], ours(TOKENS), atol=1e-5, rtol=1e-5)


def test_clip_and_sigmoid_bring_values_into_the_unit_interval(policy, tmp_path):
    logits = [-1000.0, -3.0, 0.0, 0.25, 4.0, 1000.0]
    sigmoid = torch.tensor(logits).sigmoid().tolist()
    for activation, expected in (("clip", [0.0, 0.0, 0.0, 0.25, 1.0, 1.0]), ("sigmoid", sigmoid)):
        create(policy, tmp_path / activation, activation=activation)
        assert [load(tmp_path / activation).value(logit) for logit in logits] == pytest.approx(expected)


def test_the_input_format_travels_with_the_weights(policy, tmp_path):
    create(policy, tmp_path / "prm", template="a {question} =\n", delimiter="+")
    encoder = load(tmp_path / "prm").encoder(model.read_tokenizer(tmp_path / "prm"))
    tokenizer = model.read_tokenizer(policy)
    assert tokenizer.convert_ids_to_tokens(encoder.encode("b", []).token_ids) == ["a", "b", "=", "\n"]
    with pytest.raises(ValueError, match=f"at most {MAX_TOKENS}"):
        encoder.encode("b " * MAX_TOKENS, [])


def test_writing_over_a_model_replaces_it_whole_and_leaves_no_scratch(policy, tmp_path):
    create(policy, tmp_path / "prm", seed=1)
    (tmp_path / "prm" / "stale").touch()
    create(policy, tmp_path / "prm", seed=2)
    assert [path.name for path in tmp_path.iterdir()] == ["prm"]
    assert not (tmp_path / "prm" / "stale").exists()


def refused(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_directories_without_a_readable_value_model_are_refused_in_one_line(policy, tmp_path):
    refused(tmp_path / "nowhere", "no such directory")
    refused(policy, "holds Qwen2ForCausalLM")
    prm = tmp_path / "prm"
    create(policy, prm)
    weights = load_file(prm / "model.safetensors")
    head = weights.pop("score.weight")
    save_file(weights, prm / "model.safetensors", metadata={"format": "pt"})
    refused(prm, "score.weight is missing")
    save_file(weights | {"score.weight": head[:, :5].clone()}, prm / "model.safetensors", metadata={"format": "pt"})
    refused(prm, "score.weight is .* of another shape")
    (prm / "model.safetensors").write_bytes(b"not safetensors")
    refused(prm, "expected safetensors weights")
    (prm / "model.safetensors").unlink()
    refused(prm, "expected safetensors weights")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id2label": {"0": "bad", "1": "good"}, "label2id": {"bad": 0, "good": 1}}, "with 2 labels"),
        ({"prm": None}, "expected a section 'prm'"),
        ({"prm": {"activation": "tanh"}}, "expected a section 'prm'"),
        ({"architectures": ["VocabularyValueModel"]}, "score.weight is missing or of another shape"),
    ],
)
def test_a_configuration_of_another_head_is_refused(policy, tmp_path, change, message):
    create(policy, tmp_path / "prm")
    path = tmp_path / "prm" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refused(tmp_path / "prm", message)


@pytest.mark.parametrize("wrong", [{"head": "tail"}, {"activation": "tanh"}, {"template": "no place"}])
def test_a_model_that_cannot_be_described_is_not_created(policy, tmp_path, wrong):
    with pytest.raises(ValueError, match="expected"):
        create(policy, tmp_path / "prm", **wrong)
    assert not (tmp_path / "prm").exists()
