"""The embedded word-level tokenizer: one token a word, the step delimiter a token of its own."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mcts.errors import InputError

PAD, EOS, UNK = "<pad>", "<eos>", "<unk>"
NEWLINE = "\n"
_SPECIALS = (PAD, EOS, UNK)


def build_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer whose vocabulary is `words`, a newline, `<pad>`, `<eos>` and `<unk>`.

    `decode(encode(text)) == text` for words of the vocabulary joined by single spaces, with no space around a newline.

    Args:
        words: The vocabulary, duplicates allowed.

    Raises:
        InputError: A word is empty, contains white space or a special token.
    """
    for word in words:
        if word != NEWLINE and (word.split() != [word] or any(special in word for special in _SPECIALS)):
            raise InputError(f"vocabulary word {word!r}: expected no white space and none of {', '.join(_SPECIALS)}")
    vocabulary = dict.fromkeys([*_SPECIALS, NEWLINE, *words])
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(NEWLINE, "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            # Puts a space before every token but the first. Its marker of a continued word is set to what no token
            # starts with.
            decoders.WordPiece(prefix=" ", cleanup=False),
            decoders.Fuse(),
            decoders.Replace(Regex(" ?\n ?"), NEWLINE),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        clean_up_tokenization_spaces=False,
    )
