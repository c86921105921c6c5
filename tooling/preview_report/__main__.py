"""The command line, ``python -m tooling.preview_report``: a preview as JSON in, Markdown out."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from docker_access.surroundings import print_in_any_encoding
from tooling.preview_report.hidden import without_secrets
from tooling.preview_report.markdown import markdown
from tooling.preview_report.steps import PreviewError, read

FAILED, OTHER_HOST = 1, 2

_EPILOG = """\
examples:
  pulumi preview --json --stack staging | python -m tooling.preview_report
  python -m tooling.engine preview --json --stack staging > preview.json; python -m tooling.preview_report preview.json

exit code: 0 a preview was read; 1 it failed, or is none; 2 it was made on a Docker host that is not the stack's
"""


def main(arguments: list[str] | None = None) -> int:
    """Print the report; the exit code: 0 done, 1 the preview failed or is none, 2 made on another Docker host."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(
        prog="python -m tooling.preview_report",
        description="What a preview of either engine comes to, as Markdown.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="the preview; standard input if left out")
    parser.add_argument("--stack", "-s", metavar="NAME", default="", help="the stack, where the preview names none")
    options = parser.parse_args(arguments)
    try:
        text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text(encoding="utf-8")
        preview = read(text, options.stack)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename}: {error.strerror}. Name a file with the output of a preview.\n")
        return FAILED
    except PreviewError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    if preview.errors:
        # One by the program alone was made without the stack's secrets.
        stack = "" if preview.declared else preview.stack
        preview = replace(preview, errors=without_secrets(preview.errors, stack))
    print(markdown(preview))
    if preview.on_another_host:
        return OTHER_HOST
    return FAILED if preview.errors else 0


if __name__ == "__main__":
    sys.exit(main())
