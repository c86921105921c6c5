"""Runs the program in this process. The Pulumi CLI has a language host for Python, a process of its own.

Left out: an interpreter of the program's own (``runtime.options``), plugins, installing what the program needs.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/python/cmd/pulumi-language-python-exec
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pulumi
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config

from tooling.engine.deployment import Deployment
from tooling.engine.events import Observer
from tooling.engine.monitor import EngineLog, Monitor
from tooling.pulumi_files.config import Config
from tooling.pulumi_files.stack import Stack

_THREADS: Final = 64
"""A registration blocks one thread until its resource is done, and the SDK needs some besides."""


def run_program(
    stack: Stack,
    config: Config,
    deployment: Callable[[], Deployment],
    observer: Observer,
    *,
    dry_run: bool,
) -> bool:
    """Run the program to its end, resources included.

    Args:
        stack: The stack; its project's directory is the program.
        config: The stack's configuration.
        deployment: Waits for and gives the deployment.
        observer: Shows what the program says.
        dry_run: What ``pulumi.runtime.is_dry_run()`` answers.

    Returns:
        Whether the program ended without an error of its own; its errors have been shown.
    """
    project = stack.project
    engine_log = EngineLog(observer)
    set_all_config(config.values, config.secret_keys)
    configure(
        Settings(
            project=project.name,
            stack=stack.name,
            monitor=Monitor(deployment),
            engine=engine_log,
            parallel=_THREADS // 4,
            dry_run=dry_run,
            organization="organization",
            root_directory=str(project.directory),
        )
    )
    start, arguments = Path.cwd(), sys.argv
    os.chdir(project.directory)
    sys.argv = [str(project.directory)]
    # Where something fails, parts of the program's dataflow stay unevaluated; Python would complain of each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(_THREADS)
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)

    def program() -> None:
        runpy.run_path(str(project.directory), run_name="__main__")

    try:
        loop.run_until_complete(run_in_stack(program))
    except pulumi.RunError as error:
        observer.note("error", "", str(error))
        return False
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the program raises is the program's
        if isinstance(error, SystemExit) and not error.code:
            return engine_log.errors == 0
        observer.note("error", "", "The program failed:\n" + _user_traceback(error, project.directory))
        return False
    finally:
        executor.shutdown(wait=True)
        asyncio.set_event_loop(None)
        loop.close()
        os.chdir(start)
        sys.argv = arguments
    return engine_log.errors == 0


def _user_traceback(error: BaseException, directory: Path) -> str:
    """The traceback's frames in the project's own files, then the exception."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(directory)
        and not any(part in ("site-packages", "tooling") for part in Path(frame.filename).relative_to(directory).parts)
    ]
    return "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)]).rstrip()
