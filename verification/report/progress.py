"""What is being waited for, while it is: a moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.progress import Progress as Display
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.console import Console

    from verification.ask.view import Progress

FIRST: Final = "asking the containers"


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Yields what shows a line of progress, with the time that has passed; on a terminal it leaves nothing behind."""
    if not console.is_terminal:
        yield lambda line: print(line, file=console.file, flush=True)
        return
    columns = (SpinnerColumn("line"), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Display(*columns, console=console, transient=True) as display:
        task = display.add_task(FIRST, total=None)

        def tell(line: str) -> None:
            display.update(task, description=line)

        yield tell
