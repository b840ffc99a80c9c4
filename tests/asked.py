# SPDX-License-Identifier: AGPL-3.0-or-later
"""The questions of a desk, as tests ask them: three steps, each kind, a condition on a condition."""

from typing import Final

from hypothesis import strategies as st

from latchstring.protocol.questions import CHOOSING, Choice, Condition, Kind, Question

WHAT: Final = Question(
    "what",
    Kind.ONE,
    {"en": "What is it about?", "uk": "Про що йдеться?"},
    {"en": "The nearest one will do.", "uk": "Оберіть найближче."},
    needed=True,
    choices=(
        Choice("order", {"en": "An order that was given", "uk": "Наказ"}),
        Choice("money", {"en": "Money that went elsewhere", "uk": "Гроші"}),
        Choice("other", {"en": "Something else", "uk": "Інше"}),
    ),
)
WHO: Final = Question(
    "who",
    Kind.SEVERAL,
    {"en": "Who gave it?", "uk": "Хто його віддав?"},
    step=2,
    choices=(Choice("general", {"en": "A general", "uk": "Генерал"}), Choice("officer", {"en": "An officer"})),
    only_if=Condition("what", ("order",)),
)
WHEN: Final = Question("when", Kind.DATE, {"en": "When was it?", "uk": "Коли це було?"}, step=2)
RANK: Final = Question(
    "rank", Kind.TEXT, {"en": "Of which rank?"}, step=3, needed=True, only_if=Condition("who", ("general",))
)
WHERE: Final = Question("where", Kind.PLACE, {"en": "Where was it?", "uk": "Де це було?"}, step=3)
MORE: Final = Question("more", Kind.LONG, {"en": "How do you know?", "uk": "Звідки ви знаєте?"}, step=3)
ASKED: Final = (WHAT, WHO, WHEN, RANK, WHERE, MORE)

_TEXT = st.text("abї ", min_size=1, max_size=8).filter(str.strip)
_TEXTS = st.dictionaries(st.sampled_from(["en", "uk", "ar", "pt-BR"]), _TEXT, min_size=1, max_size=3)


@st.composite
def question_lists(draw: st.DrawFn) -> tuple[Question, ...]:
    """Questions that keep the rules, with conditions wherever one may be."""
    made: list[Question] = []
    step = 1
    for number in range(draw(st.integers(0, 8))):
        step += draw(st.integers(0, 1)) if made else 0
        kind = draw(st.sampled_from(Kind))
        count = draw(st.integers(2, 4)) if kind in CHOOSING else 0
        choices = tuple(Choice(f"c{n}", draw(_TEXTS)) for n in range(count))
        earlier = [q for q in made if q.step < step and q.choices]
        only_if = None
        depends = draw(st.booleans())
        if earlier and depends:
            on = draw(st.sampled_from(earlier))
            ids = draw(st.lists(st.sampled_from([x.id for x in on.choices]), min_size=1, max_size=2, unique=True))
            only_if = Condition(on.id, tuple(ids))
        help_texts = draw(st.just({}) | _TEXTS)
        needed = draw(st.booleans())
        made.append(Question(f"q{number}", kind, draw(_TEXTS), help_texts, step, needed, choices, only_if))
    return tuple(made)
