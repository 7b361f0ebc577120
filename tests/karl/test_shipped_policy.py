"""The checkpoint that ships: complete, below two million parameters, and made for the prompts in the package."""

from __future__ import annotations

from safetensors.numpy import load_file

from agents.policy import load_profile, load_tokenizer
from karl.tiny import POLICY_FOLDER
from karl.tiny.make import MakeConfig, vocabulary_texts
from karl.tiny.tokenizer import CHAT_TEMPLATE, make_tokenizer


def test_it_is_complete_and_small() -> None:
    weights = load_file(POLICY_FOLDER / "model.safetensors")
    assert 500_000 < sum(tensor.size for tensor in weights.values()) < 2_000_000
    assert sum(path.stat().st_size for path in POLICY_FOLDER.iterdir()) < 5_000_000
    profile = load_profile(POLICY_FOLDER)
    assert (profile.name, profile.prompt_variant, profile.policy_version) == ("karl-tiny", "tiny", 0)


def test_its_tokenizer_is_the_one_that_the_code_makes() -> None:
    shipped, made = load_tokenizer(POLICY_FOLDER), make_tokenizer(vocabulary_texts(), kind=MakeConfig().tokenizer)
    assert shipped.get_vocab() == made.get_vocab()
    assert shipped.chat_template == CHAT_TEMPLATE
