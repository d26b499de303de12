"""Whatever a program's comments hold, nothing is raised, and what is written is read again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from outpace.agent.strategies.tuning import Session
from outpace.tasks.candidate import Candidate
from outpace.tasks.tunables import declared

NUMBER = st.one_of(
    st.integers(-(10**13), 10**13).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "-0.0", "1e-400", "0x1f", "1__0.5", "٣", "1e308", "5."]),
)
SCRAPS = st.lists(
    st.one_of(
        NUMBER, st.sampled_from(["'a'", '"b"', "True", "false", ",", "..", " log", "(", ")", "-", "="]), st.text()
    ),
    max_size=8,
).map("".join)
LINES = st.one_of(
    st.tuples(NUMBER, NUMBER, NUMBER, st.sampled_from(["", " log"])).map(
        lambda parts: f"X = {parts[0]}  # tunable: {parts[1]} .. {parts[2]}{parts[3]}"
    ),
    st.tuples(st.sampled_from(["X =", "#define X ", ""]), SCRAPS, SCRAPS).map(
        lambda parts: f"{parts[0]} {parts[1]}  # tunable: {parts[2]}"
    ),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(LINES, max_size=4))
def test_nothing_is_raised_and_samples_are_of_the_same_template(lines: list[str]) -> None:
    found = declared(Candidate({"program.py": "\n".join(lines)}))
    if not found.tunables:
        return
    assert found.write(found.values).files.keys() == {"program.py"}
    session = Session(found, seed=1)
    session.learn(found.values, 0.0)
    for _ in range(8):
        if (values := session.ask()) is None:
            break
        again = declared(found.write(values))
        assert again.key == found.key and again.values == values
        session.tell(values, None)
