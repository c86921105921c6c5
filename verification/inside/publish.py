"""Publishes an event for each of some sockets, as the app would; runs inside the app's container, see ``runner.py``."""

from __future__ import annotations

from typing import Any

from verification.inside.connector import Connector
from verification.inside.environment import app_environment, has_room_channels
from verification.inside.errors import PUBLISHING, one_line
from verification.inside.live_events import CHANNEL, event_for
from verification.inside.program import print_answer


async def publish(config: dict[str, Any]) -> dict[str, Any]:
    """Publish over the app's own URL the ``nonces``: by the id of a socket that somebody else has opened.

    Returns:
        ``receivers``: how many subscribers the event with the fewest had, absent where none was published; ``rooms``:
        whether each was published on the socket's own channel; ``error``: why none was.
    """
    _, environment = app_environment()
    connector, rooms = Connector("WEBSOCKET_REDIS_URL", environment), has_room_channels(environment)
    await connector.connect()
    answer: dict[str, Any] = {"error": connector.answer["error"], "rooms": rooms}
    if connector.answer["problem"] in PUBLISHING:
        receivers = []
        try:
            for sid, nonce in config["nonces"].items():
                channel = f"{CHANNEL}#/#{sid}" if rooms else CHANNEL
                receivers.append(await connector.client.publish(channel, event_for(sid, nonce, nonce)))
            answer.update(receivers=min(receivers), error="")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            answer["error"] = one_line(error)
    return answer


if __name__ == "__main__":
    print_answer(publish, seconds=30)
