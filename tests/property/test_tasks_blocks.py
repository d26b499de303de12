"""Evolve blocks of arbitrary texts."""

from hypothesis import given
from hypothesis import strategies as st

from outpace.errors import MarkerError
from outpace.tasks.candidate import BLOCK_END, BLOCK_START, blocks, replace_block

LINES = st.lists(
    st.one_of(
        st.text(max_size=12).map(lambda text: text.replace("\n", " ")),
        st.sampled_from([f"# {BLOCK_START}", f"# {BLOCK_END}", f"  // {BLOCK_START} x", f"/*{BLOCK_END}*/", "x\r"]),
    ),
    max_size=12,
)
PLAIN_LINE = st.text(alphabet="ab= #\r\t", max_size=8)
PLAIN = st.lists(PLAIN_LINE, max_size=4).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(LINES, st.booleans())
def test_blocks_are_what_stands_between_the_markers(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended else "")
    try:
        found = blocks(text)
    except MarkerError as error:
        assert 1 <= error.line <= text.count("\n") + 1
        return
    whole = text.split("\n")
    for block in found:
        assert BLOCK_START in whole[block.start - 1]
        assert BLOCK_END in whole[block.end - 1]
        assert block.text == "".join(f"{line}\n" for line in whole[block.start : block.end - 1])
    assert [block.start for block in found] == sorted(block.start for block in found)


@given(st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=4), PLAIN, PLAIN, st.data())
def test_replacing_a_block_changes_that_block_only(
    parts: list[tuple[str, str]], tail: str, new: str, data: st.DataObject
) -> None:
    text = "".join(f"{before}# {BLOCK_START}\n{inside}# {BLOCK_END}\n" for before, inside in parts) + tail
    index = data.draw(st.integers(0, len(parts) - 1))
    changed = replace_block(text, index, new)
    assert [block.text for block in blocks(changed)] == [
        new if number == index else inside for number, (_, inside) in enumerate(parts)
    ]
    assert replace_block(changed, index, parts[index][1]) == text
