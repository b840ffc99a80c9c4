# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every `latchstring ...` line in a fenced block of the README and of docs/guides, and every example in a `--help`: the
command, its options and its values are read by the real command line, without running anything. And every command of a
group is in its guide."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from latchstring.cli.main import build

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
_FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^\s*(?:\$ )?(?:\.venv/bin/)?latchstring (.*)$")


def commands(text: str) -> list[str]:
    """The command lines of a page's fenced blocks, continued lines put together."""
    found = []
    for block in _FENCE.findall(text):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            match = _LINE.match(line)
            if match:
                found.append(match[1])
    return found


LINES = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page.read_text("utf-8"))]


def read_line(line: str) -> None:
    """TyperException when a command, an option or a value is not one, or when something needed is missing."""
    args = [word for word in shlex.split(line, comments=True) if word not in ("&", "|")]
    for end in ("|", ">", "2>", "&&", ";"):
        if end in args:
            args = args[: args.index(end)]
    args = [word for word in args if not re.match(r"[0-9]?[<>]", word)]
    command = typer.main.get_command(build(args[0]))
    context = command.make_context("latchstring", list(args))
    while isinstance(command, typer.core.TyperGroup):
        if command.invoke_without_command and not set(args) & set(command.commands):
            break  # it does something by itself, such as 'demo'
        name, found, rest = command.resolve_command(context, args)
        assert name is not None
        assert found is not None
        command, args = found, rest
        context = command.make_context(name, list(args), parent=context)


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line[:60]}" for page, line in LINES])
def test_the_command_line_reads_it(page: str, line: str) -> None:
    read_line(line)


GROUPS = ("source", "desk", "org", "server", "site", "witness", "log", "demo")


def below(command: object, path: str) -> Iterator[tuple[str, typer.core.TyperCommand | typer.core.TyperGroup]]:
    """The command and everything below it."""
    assert isinstance(command, typer.core.TyperCommand | typer.core.TyperGroup)
    yield path, command
    if isinstance(command, typer.core.TyperGroup):
        for name, inner in command.commands.items():
            yield from below(inner, f"{path} {name}")


@pytest.mark.parametrize("group", GROUPS)
def test_every_example_in_a_help_is_read_and_every_option_there_is_explained(group: str) -> None:
    root = typer.main.get_command(build(group))
    assert isinstance(root, typer.core.TyperGroup)
    for path, command in below(root.commands[group], group):
        examples = re.findall(r"(?:: |\| +)latchstring (.*?)(?= +\| +|$)", command.epilog or "")
        assert examples, path
        for line in examples:
            read_line(line)
        for parameter in command.params:
            assert getattr(parameter, "help", None), (path, parameter.name)


def test_there_are_lines_to_read() -> None:
    assert {"README.md", "docs/guides/organisation.md"} <= {page for page, _ in LINES}


@pytest.mark.parametrize(
    "line",
    [
        "org directory renewal",
        "org directory renew --no-such-option",
        "org directory renew --days many",
        "org directory renew --days 93",
        "org root rotate",
        "nobody run",
    ],
)
def test_a_line_that_is_wrong_is_seen(line: str) -> None:
    with pytest.raises((TyperException, AssertionError)):
        read_line(line)


GUIDED = [("source", ROOT / "docs" / "guides" / "source.md"), ("desk", ROOT / "docs" / "guides" / "member.md")]
_SPAN = re.compile(r"`([^`]+)`")


def names(group: str) -> list[str]:
    """The commands of a group, those of groups inside it too: `attachments save`."""

    def below(command: object, before: str) -> Iterator[str]:
        for name, inner in command.commands.items() if isinstance(command, typer.core.TyperGroup) else ():
            yield before + name
            yield from below(inner, f"{before}{name} ")

    whole = typer.main.get_command(build(group))
    assert isinstance(whole, typer.core.TyperGroup)
    return list(below(whole.commands[group], ""))


def untold(group: str, text: str) -> list[str]:
    """The group's commands that a guide's code does not name: as `desk NAME ...` anywhere, or as `NAME ...` in a
    sentence."""
    spans = [" ".join(span.split()) for span in _SPAN.findall(_FENCE.sub("", text))]
    code = [*(f"latchstring {line}" for line in commands(text)), *spans]

    def is_told(name: str) -> bool:
        wanted = re.compile(rf"(?:^|(?:^|latchstring ){group} ){name}(?: |$)")
        return any(wanted.search(one) for one in code)

    return [name for name in names(group) if not is_told(name)]


@pytest.mark.parametrize(("group", "page"), GUIDED, ids=["source", "desk"])
def test_every_command_is_in_its_guide(group: str, page: Path) -> None:
    assert untold(group, page.read_text("utf-8")) == []


def test_a_command_that_is_told_nowhere_is_seen() -> None:
    text = "```\nlatchstring source read --door LINK\n```\nto write, `change` or `latchstring source\ncheck`\n"
    assert untold("source", text) == ["write"]
    assert {"sync", "attachments save", "unlink"} <= set(untold("desk", "sync, `desk_sync` and `attachments`"))


def test_lines_are_found_where_they_stand() -> None:
    first = "latchstring outside\n```\n$ latchstring a b \\\n   --c d  # why\nother\n```\n"
    text = first + "```sh\n.venv/bin/latchstring e\n```\n"
    assert commands(text) == ["a b --c d  # why", "e"]
