"""The command line, ``python -m tooling.engine COMMAND``.

Source: https://www.pulumi.com/docs/iac/cli/commands/
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

from docker_access.surroundings import print_in_any_encoding
from tooling.engine.command_line import UnknownCommandError, left_to_the_cli, parser
from tooling.errors import ToolError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 failed (or unexpected changes), 2 wrong usage, 130 interrupted."""
    print_in_any_encoding()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options, others = parser().parse_known_args(given)
        if others:
            raise left_to_the_cli(others[0].partition("=")[0], given)
        return int(options.run(options))
    except UnknownCommandError as unknown:
        sys.stderr.write(f"error: {left_to_the_cli(str(unknown), given)}\n")
        return 2
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except ToolError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:  # Before a run has begun. A run says more: tooling.engine.interrupts.
        sys.stderr.write("interrupted\n")
        return 130


if __name__ == "__main__":
    # A run is short and leaves little garbage; looking for it while modules are imported takes a tenth of the time.
    gc.set_threshold(100_000)
    code = main()
    with suppress(OSError):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # All is saved and closed; taking apart what was imported takes Python another 40 ms.
        os._exit(code)
    sys.exit(code)
