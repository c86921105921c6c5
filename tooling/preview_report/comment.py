"""``python -m tooling.preview_report.comment``: one comment a stack on a pull request, kept up to date through `gh`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Final

LONGEST: Final = 65_000
"""GitHub refuses a comment of more than 65536 characters."""

BOTS: Final = '.[] | select(.user.type == "Bot") | {id, body}'
"""Comments that a workflow may have written: what a person writes is never changed, whatever it begins with."""


def main(arguments: list[str] | None = None) -> int:
    """Write each comment, or rewrite the one that begins with the same line; the exit code, 1 if GitHub refused.

    Standard input is JSON: what ``python -m tooling.preview_report`` printed, by stack; what is empty is passed over.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tooling.preview_report.comment",
        description="Write one comment a stack on a pull request, or rewrite the one that is there, through `gh`.",
    )
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME")
    parser.add_argument("--pull-request", required=True, metavar="NUMBER", type=int)
    options = parser.parse_args(arguments)
    comments = f"repos/{options.repository}/issues/{options.pull_request}/comments"
    bodies = [shortened(body) for _, body in sorted(json.load(sys.stdin).items()) if body]
    try:
        listing = _gh("--paginate", f"{comments}?per_page=100", "--jq", BOTS) if bodies else ""
        for body in bodies:
            known = found(listing, body)
            if known is None:
                _gh("--method", "POST", comments, "--input", "-", body=body)
            else:
                where = f"repos/{options.repository}/issues/comments/{known}"
                _gh("--method", "PATCH", where, "--input", "-", body=body)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(
            f"error: GitHub did not take the comment: {error.stderr.strip()}\nThe job needs `pull-requests: write` and "
            "GH_TOKEN.\n"
        )
        return 1
    return 0


def shortened(body: str) -> str:
    """The text, cut where GitHub would refuse it: what comes first matters most."""
    end = "\n\n(The rest is too long for a comment; it is in the summary of the job.)\n"
    return body if len(body) <= LONGEST else body[: LONGEST - len(end)].rpartition("\n")[0] + end


def found(listing: str, body: str) -> int | None:
    """Id of the first comment whose first line is that of ``body``; in the listing, each is a line of JSON."""
    marker = body.partition("\n")[0]
    comments = (json.loads(line) for line in listing.splitlines() if line)
    return next((int(one["id"]) for one in comments if (one["body"] or "").partition("\n")[0].strip() == marker), None)


def _gh(*words: str, body: str | None = None) -> str:
    """Call GitHub's API; the text of a comment goes through standard input."""
    return subprocess.run(
        ["gh", "api", *words],
        input=json.dumps({"body": body}) if body is not None else None,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
