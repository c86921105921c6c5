"""``python -m verification``: the same checks against any Open WebUI on Docker, however it was deployed."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress as Display
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from docker_access.surroundings import print_in_any_encoding
from verification.ask.detect import Found, detect
from verification.ask.docker_view import CouldNotAsk, DockerView
from verification.ask.readiness import require
from verification.ask.view import Progress
from verification.checks import CHECKS
from verification.report.markdown import as_markdown
from verification.report.terminal import Report, as_text, print_report, report_unasked
from verification.run import verify
from verification.subject import DEFAULT_WAIT_SECONDS, Subject, subject_of

EXIT_CODES: Final = {"proved": 0, "failed": 1, "unknown": 2}

INTERRUPTED: Final = 130

VALKEY_URL: Final = "VERIFICATION_VALKEY_URL"
"""Variable that says ``--valkey-url`` without showing it to everybody on this host."""

EPILOG: Final = """\
`python -m verification` alone looks for an Open WebUI on this Docker and what belongs to it. Name what it is to ask
instead, or if there are several:
  python -m verification --app open-webui --valkey redis-valkey --url http://127.0.0.1:3000

exit codes: 0 proved; 1 failed; 2 unknown, as not all could be asked that the deployment calls for, or wrong usage
docs/troubleshooting.md has a section for each cause that the report names.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m verification",
        description="Prove that live events of an Open WebUI travel through its Valkey, or say why they do not.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        metavar="CONTAINER",
        help="a container of Open WebUI; give it once for each replica",
    )
    valkey = parser.add_mutually_exclusive_group()
    valkey.add_argument("--valkey", default="", metavar="CONTAINER", help="the container of Valkey")
    valkey.add_argument(
        "--valkey-elsewhere", action="store_true", help="Valkey is no container here: ask it through the apps"
    )
    valkey.add_argument(
        "--valkey-url",
        default="",
        metavar="URL",
        help=f"Valkey is no container here: ask it at this URL; in the variable {VALKEY_URL} nobody sees its password",
    )
    parser.add_argument("--postgres", default="", metavar="CONTAINER", help="the container of Postgres")
    parser.add_argument(
        "--gateway", default="", metavar="CONTAINER", help="the container of the gateway to which the URL leads"
    )
    parser.add_argument("--url", default="", help="the URL that people open")
    parser.add_argument(
        "--migration", default="", metavar="CONTAINER", help="the container that migrated the database, and exited"
    )
    parser.add_argument(
        "--subject",
        default="",
        metavar="FILE",
        help="all of these and more as JSON, in the form of a stack's output `subject`; - is standard input",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=DEFAULT_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long the containers may take to answer (default 60)",
    )
    parser.add_argument(
        "--idle",
        action=argparse.BooleanOptionalAction,
        help="keep a websocket through the URL silent for a ping interval, 25 s as a rule, or do not; by default where "
        "it leads through a gateway or another proxy",
    )
    parser.add_argument(
        "--only",
        action="append",
        type=check_id,
        default=[],
        metavar="ID",
        help="judge by this check alone; repeat it for more",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print the report as JSON")
    shape.add_argument("--markdown", action="store_true", help="print it as Markdown, for a pull request or a ticket")
    parser.add_argument("--list", action="store_true", help="list the checks instead; --json lists them as JSON")
    return parser


def check_id(text: str) -> str:
    """The id of a check."""
    ids = [check.id for check in CHECKS]
    if text not in ids:
        near = get_close_matches(text, ids, n=3, cutoff=0.4)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise argparse.ArgumentTypeError(f"there is no check {text!r}{meant} --list shows all")
    return text


def seconds(text: str) -> float:
    """A number of seconds, 0 or more."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def subject(options: argparse.Namespace) -> Subject:
    """The subject the options describe; what they do not name is empty.

    Raises:
        ValueError: ``--subject`` cannot be read or has another shape.
    """
    names = ("valkey", "postgres", "gateway", "migration", "url")
    named = {"apps": tuple(options.app), **{name: getattr(options, name) for name in names}}
    described = read_subject(options.subject) if options.subject else Subject(apps=())
    found = replace(described, **{name: value for name, value in named.items() if value})
    if options.valkey_elsewhere or options.valkey_url:
        found = replace(found, valkey="")
    return replace(
        found,
        valkey_url=options.valkey_url or ("" if found.valkey else os.environ.get(VALKEY_URL, "")),
        wait_seconds=options.timeout,
        idle="idle-socket" in options.only if options.only and options.idle is None else options.idle,
    )


def read_subject(source: str) -> Subject:
    """The subject from a file or standard input.

    Raises:
        ValueError: It cannot be read or has another shape.
    """
    try:
        return subject_of(json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ValueError(f"--subject {source}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        words = f"it has not the shape of a stack's output `subject` ({type(error).__name__}: {error})"
        raise ValueError(f"--subject {source}: {words}") from None


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit code."""
    print_in_any_encoding()
    options = parser().parse_args(arguments)
    if options.list:
        print(listing(as_json=options.json))
        return 0
    try:
        named = subject(options)
        asked = named if is_named(named, options) else detected_subject(named, options)
    except CouldNotAsk as reason:
        show(report_unasked(Subject(apps=tuple(options.app), valkey=options.valkey), reason, 0.0), options)
        return EXIT_CODES["unknown"]
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_CODES["unknown"]
    with progress_on(Console(stderr=True)) as tell:
        found = verify(asked, tell, only=options.only)
    show(found, options)
    return EXIT_CODES[found["verdict"]]


@contextmanager
def progress_on(console: Console) -> Iterator[Progress]:
    """What shows a line of progress: on a terminal one that moves, with the time, and that leaves nothing behind."""
    if not console.is_terminal:
        yield lambda line: print(line, file=console.file, flush=True)
        return
    columns = (SpinnerColumn("line"), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Display(*columns, console=console, transient=True) as display:
        task = display.add_task("asking the containers", total=None)

        def tell(line: str) -> None:
            display.update(task, description=line)

        yield tell


def show(found: Report, options: argparse.Namespace) -> None:
    """Print the report in the shape that was asked for."""
    if options.json:
        print(json.dumps(found, indent=2))
    elif options.markdown:
        print(as_markdown(found))
    else:
        out = Console(highlight=False)
        if out.is_terminal:
            print_report(found, out)
        else:
            print(as_text(found, out.encoding))


def is_named(named: Subject, options: argparse.Namespace) -> bool:
    """Whether both the apps and their Valkey are named: nothing else is then looked for."""
    said = named.valkey or named.valkey_url or options.valkey_elsewhere or options.subject
    return bool(named.apps and said)


def detected_subject(named: Subject, options: argparse.Namespace) -> Subject:
    """The one deployment among this Docker's containers that the options leave, with what they say of it.

    Raises:
        CouldNotAsk: There is none, or Docker does not answer.
        ValueError: There are several; names the command line for each.
    """
    with closing(DockerView()) as view:
        require(view, Subject(apps=named.apps, valkey=named.valkey))
        found = detect(view, named.apps)
    chosen = [item for item in found if named.valkey in {"", item.subject.valkey}] or found
    if len(chosen) > 1:
        lines = (f"  {command_line(item)}    # {item}" for item in chosen)
        raise ValueError("\n".join(["there are several deployments of Open WebUI here; ask for one of them:", *lines]))
    one = replace(chosen[0], subject=completed(named, chosen[0].subject, options))
    print(f"found {one}", file=sys.stderr, flush=True)
    return one.subject


def command_line(found: Found) -> str:
    """The command line that asks for one deployment."""
    return shlex.join(
        ["python", "-m", "verification", *(word for app in found.subject.apps for word in ("--app", app))]
    )


def completed(named: Subject, found: Subject, options: argparse.Namespace) -> Subject:
    """What the options name, and for what they do not, what was found."""
    nothing = Subject(apps=())
    values = {item.name: getattr(named, item.name) for item in fields(Subject)}
    subject = replace(found, **{name: value for name, value in values.items() if value != getattr(nothing, name)})
    return replace(subject, valkey="") if options.valkey_elsewhere or named.valkey_url else subject


def listing(*, as_json: bool) -> str:
    """The checks: id, class and question of each."""
    if as_json:
        rows = [{"id": check.id, "class": check.weight, "question": check.question} for check in CHECKS]
        return json.dumps(rows, indent=2)
    width = max(len(check.id) for check in CHECKS)
    return "\n".join(f"{check.id:{width}}  {check.weight:6}  {check.question}" for check in CHECKS)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
