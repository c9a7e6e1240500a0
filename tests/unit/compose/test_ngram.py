"""Both managers give the same text for the same seed."""

from __future__ import annotations

from math import log

from hypothesis import given, settings
from hypothesis import strategies as st
from language_stack.ngram import CountingModel, TableModel, Text, corpus, train

ORDER = 4
COUNTS = train(corpus(), ORDER)


def test_training_counts_what_follows_every_context_up_to_the_order() -> None:
    """Small enough to count by hand."""
    assert train("abab", 1) == {"": {"a": 2, "b": 2}, "a": {"b": 2}, "b": {"a": 1}}


@settings(max_examples=50, deadline=None)
@given(prompt=st.text(max_size=20), length=st.integers(1, 60), seed=st.integers(0, 2**63 - 1))
def test_the_successor_draws_what_the_legacy_draws(prompt: str, length: int, seed: int) -> None:
    """Walked counts and compiled tables are two ways to the same text, unknown characters in the prompt included."""
    walked = CountingModel(COUNTS, ORDER).generate(prompt, length, seed)
    assert TableModel(COUNTS, ORDER).generate(prompt, length, seed) == walked
    assert len(walked.text) == length
    assert walked.mean_logprob <= 0


def test_the_probability_is_that_of_the_characters_drawn() -> None:
    """Small enough to count by hand: a or b at first, then each follows the other."""
    for build in (CountingModel, TableModel):
        model = build(train("abab", 1), 1)
        assert model.generate("", 1, 0).mean_logprob == log(1 / 2)
        assert model.generate("", 4, 0).mean_logprob == log(1 / 2) / 4
        assert model.generate("a", 3, 0) == Text("bab", 0.0)


def test_the_seed_decides_the_text() -> None:
    """The same on every run and Python, another for another seed."""
    model = TableModel(COUNTS, ORDER)
    assert model.generate("The boat", 40, 1) == model.generate("The boat", 40, 1)
    assert len({model.generate("The boat", 40, seed) for seed in range(20)}) == 20


def test_every_character_drawn_follows_its_context_in_the_corpus() -> None:
    """The model invents nothing: each five characters of its text stand in the corpus."""
    text = CountingModel(COUNTS, ORDER).generate("The harbour", 300, 3).text
    known = corpus()
    assert all(text[at : at + ORDER + 1] in known for at in range(len(text) - ORDER))
