"""What the simulated model says when nobody told it what to say. No randomness:
the same seed gives the same words.
"""

from collections.abc import Iterator

_EXCERPT = 80
_SENTENCE = 11
_VOCABULARY = (
    "a the this that each one some clear quiet small long open even steady plain early late next first "
    "river road bridge field window garden letter table lamp stone cloud harbour morning evening winter "
    "carries follows meets keeps opens holds turns finds leaves brings shows joins crosses "
    "slowly again together nearby outside beyond under over with without between and then while because"
)
_WORDS = _VOCABULARY.split()

_OPENINGS = (
    "I read your message",
    "Thank you, I have your message",
    "Here is an answer to your message",
)
_EMPTY = "I was sent nothing to read."
_CLOSING = (
    "I am Clearway's simulated model: no real one read this, and nobody pays for it. "
    "Write a line such as `sim:text 100` to choose what I do."
)


def reply(text: str, seed: int) -> str:
    """The usual answer: short, and different for different texts."""
    words = " ".join(text.split())
    if not words:
        return f"{_EMPTY} {_CLOSING}"
    excerpt = words if len(words) <= _EXCERPT else words[:_EXCERPT].rstrip() + "…"
    return f"{_OPENINGS[seed % len(_OPENINGS)]}, “{excerpt}” ({len(text.encode())} bytes). {_CLOSING}"


def results(sizes: list[tuple[int, bool]], seed: int) -> str:
    """The answer to tool results, of which size in bytes and failure are known."""
    told = [f"an error of {size} bytes" if is_error else f"{size} bytes" for size, is_error in sizes]
    noun = "result" if len(told) == 1 else "results"
    opening = ("I have", "I received")[seed % 2]
    return f"{opening} {len(told)} tool {noun}: {', '.join(told)}. {_CLOSING}"


def thoughts(prompt_tokens: int, seed: int) -> str:
    """What is thought before the answer."""
    start = ("The prompt has", "I was given")[seed % 2]
    return f"{start} about {prompt_tokens} tokens. A short answer will do, so I shall give one."


def words(count: int, seed: int) -> str:
    """Exactly `count` words, in sentences."""
    return " ".join(_spoken(count, seed))


def _spoken(count: int, seed: int) -> Iterator[str]:
    state = seed & 0x7FFFFFFF
    for number in range(count):
        # A linear congruential generator with the constants of the C standard's example.
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        word = _WORDS[(state >> 8) % len(_WORDS)]
        if number % _SENTENCE == 0:
            word = word.capitalize()
        if number % _SENTENCE == _SENTENCE - 1 or number == count - 1:
            word += "."
        yield word
