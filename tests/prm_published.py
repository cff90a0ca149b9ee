"""Tiny PRMs in the layouts of others, each with a reading by hand that knows nothing of `prm.formats`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from prm_tiny import WORDS, write_policy
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForTokenClassification,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
    Qwen2Model,
)

from prm.model import create

SIZE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 96,
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
}
IM_START, IM_END, EXTRA = "<|im_start|>", "<|im_end|>", "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADER, HEADED, EOT = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
LLAMA_CHAT = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


@dataclass(frozen=True)
class Tiny:
    """A model directory, and the values of a question's steps read by hand."""

    path: Path
    by_hand: Callable[[str, list[str]], list[float]]


def words(*extra, special=(), begins=False, chat=None):
    """A word-level tokenizer; white space separates words, a new line is one."""
    vocabulary = dict.fromkeys(("<pad>", "<s>", "</s>", "<unk>", "\n", *WORDS, "-", *extra))
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in special])
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=chat, **named)


def characters(**named):
    """A byte-level tokenizer in which a full stop and the new line after it are one token, as in Qwen2's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: i for i, word in enumerate([*alphabet, ".Ċ"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [(".", "Ċ")]))
    split = pre_tokenizers.Split(Regex(r"\p{L}+|[^\s\p{L}\p{N}]+\n*|\s+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", **named)


def made(network, config, tokenizer, folder, seed=11, **more):
    """A random model of a class, written down."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network(config(vocab_size=len(tokenizer), **(SIZE | more))).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def rewritten(folder, architecture, weights, **more):
    """The same directory as another architecture, with `weights` beside its own."""
    own = load_file(folder / "model.safetensors")
    save_file(own | weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"architectures": [architecture], **more}
    (folder / "config.json").write_text(json.dumps(config))


@torch.no_grad()
def softmax_at(logits_of, ids, positions, good, bad):
    logits = logits_of(torch.tensor([ids]))[0, positions]
    return logits[:, [bad, good]].softmax(-1)[:, 1].tolist()


def regrow(folder, head="hidden", activation="sigmoid"):
    policy = write_policy(folder / "policy", hidden=64)
    create(policy, folder / "prm", head=head, activation=activation, seed=2)
    weights = load_file(folder / "prm" / "model.safetensors")
    body = Qwen2Model.from_pretrained(policy).eval()
    ids_of = PreTrainedTokenizerFast.from_pretrained(policy).convert_tokens_to_ids

    @torch.no_grad()
    def by_hand(question, steps):
        tokens, positions = [*question.split(), "\n"], [len(question.split())]
        for step in steps:
            tokens += [*step.split(), "\n"]
            positions.append(len(tokens) - 1)
        hidden = body(torch.tensor([ids_of(tokens)])).last_hidden_state[0, positions]
        if head == "vocabulary":
            hidden = hidden @ weights.get("lm.lm_head.weight", weights["lm.model.embed_tokens.weight"]).T
        logits = (hidden @ weights["score.weight"].T + weights["score.bias"]).squeeze(-1)
        return (logits.clamp(0, 1) if activation == "clip" else logits.sigmoid()).tolist()

    return Tiny(folder / "prm", by_hand)


def qwen_prm(folder):
    extra = ("system", "user", "assistant", *SYSTEM.split())
    tokenizer = words(*extra, special=(IM_START, IM_END, EXTRA), chat=CHATML)
    made(Qwen2ForCausalLM, Qwen2Config, tokenizer, folder)
    generator, size = torch.Generator().manual_seed(3), SIZE["hidden_size"]
    head = {
        "score.0.weight": torch.randn(size, size, generator=generator) / 8,
        "score.0.bias": torch.randn(size, generator=generator),
        "score.2.weight": torch.randn(2, size, generator=generator) / 8,
        "score.2.bias": torch.randn(2, generator=generator),
    }
    # Published with code of its own, which is not to be run.
    remote = {"AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.Missing"}
    rewritten(folder, "Qwen2ForProcessRewardModel", head, auto_map=remote)
    body = Qwen2Model.from_pretrained(folder).eval()

    def logits_of(ids):
        inner = (body(ids).last_hidden_state @ head["score.0.weight"].T + head["score.0.bias"]).clamp(min=0)
        return inner @ head["score.2.weight"].T + head["score.2.bias"]

    def by_hand(question, steps):
        tokens = [IM_START, "system", "\n", *SYSTEM.split(), IM_END, "\n", IM_START, "user", "\n", *question.split()]
        tokens += [IM_END, "\n", IM_START, "assistant", "\n"]
        for step in steps:
            tokens += [*step.split(), EXTRA]
        tokens += [IM_END, "\n"]
        positions = [i for i, token in enumerate(tokens) if token == EXTRA]
        return softmax_at(logits_of, tokenizer.convert_tokens_to_ids(tokens), positions, good=1, bad=0)

    return Tiny(folder, by_hand)


def math_shepherd(folder):
    made(MistralForCausalLM, MistralConfig, words("ки", begins=True), folder)
    return math_shepherd_in(folder)


def math_shepherd_in(folder):
    """That of a directory, trained or not."""
    model = MistralForCausalLM.from_pretrained(folder).eval()
    ids_of = PreTrainedTokenizerFast.from_pretrained(folder).convert_tokens_to_ids

    def by_hand(question, steps):
        tokens = ["<s>", *question.split()]
        for i, step in enumerate(steps):
            tokens += [*(["\n"] if i else []), *step.split(), "ки"]
        positions = [i for i, token in enumerate(tokens) if token == "ки"]
        return softmax_at(lambda ids: model(ids).logits, ids_of(tokens), positions, ids_of("+"), ids_of("-"))

    return Tiny(folder, by_hand)


def rlhflow(folder):
    tokenizer = words("user", "assistant", special=(HEADER, HEADED, EOT), chat=LLAMA_CHAT)
    model = made(LlamaForCausalLM, LlamaConfig, tokenizer, folder)
    ids_of = tokenizer.convert_tokens_to_ids

    def by_hand(question, steps):
        tokens, positions = ["<s>"], []
        for i, step in enumerate(steps):
            said = [*(question.split() if i == 0 else []), *step.split()]
            tokens += [HEADER, "user", HEADED, "\n", "\n", *said, EOT, HEADER, "assistant", HEADED, "\n", "\n"]
            positions.append(len(tokens) - 1)
            tokens += ["+", EOT]
        return softmax_at(lambda ids: model(ids).logits, ids_of(tokens), positions, ids_of("+"), ids_of("-"))

    return Tiny(folder, by_hand)


def spelt(tokenizer, text):
    """The tokens of a text, a byte each."""
    return tokenizer.convert_tokens_to_ids([{" ": "Ġ", "\n": "Ċ"}.get(letter, letter) for letter in text])


def skywork(folder):
    tokenizer = characters(bos_token="<|endoftext|>")
    made(Qwen2ForCausalLM, Qwen2Config, tokenizer, folder)
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(1, SIZE["hidden_size"], generator=generator) / 8
    rewritten(folder, "Qwen2ForPrmModel", {"v_head.summary.weight": weight, "v_head.summary.bias": torch.ones(1)})
    body = Qwen2Model.from_pretrained(folder).eval()

    @torch.no_grad()
    def by_hand(question, steps):
        ids, positions = [tokenizer.bos_token_id, *spelt(tokenizer, question + "\n")], []
        for step in steps:
            ids += spelt(tokenizer, step + "\n")
            positions.append(len(ids) - 1)
        hidden = body(torch.tensor([ids])).last_hidden_state[0, positions]
        return (hidden @ weight.T + 1.0).sigmoid().squeeze(-1).tolist()

    return Tiny(folder, by_hand)


def trl(folder, network=Qwen2ForTokenClassification, config=Qwen2Config):
    tokenizer = characters()
    model = made(network, config, tokenizer, folder, num_labels=2)

    def by_hand(question, steps):
        ids, positions = spelt(tokenizer, question), []
        for step in steps:
            ids += spelt(tokenizer, step + "\n")
            positions.append(len(ids) - 1)
        return softmax_at(lambda ids: model(ids).logits, ids, positions, good=1, bad=0)

    return Tiny(folder, by_hand)


def trl_llama(folder):
    return trl(folder, LlamaForTokenClassification, LlamaConfig)


PUBLISHED = {
    "qwen_prm": qwen_prm,
    "math_shepherd": math_shepherd,
    "rlhflow": rlhflow,
    "skywork": skywork,
    "trl": trl,
    "trl_llama": trl_llama,
}
"""Makers by format."""
