"""Who refuses by an HTTP response of his own is served in memory as on a real server (asgi extensions.rst)."""

import asyncio

import pytest
import websockets
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute

from hangup import SERVERS, Client, connect, explore, replay, serve
from hangup.servers.models import EXPLORED
from hangup.servers.models.more.older import GRANIAN_2_4, GRANIAN_2_7_1

EXTENSION = "websocket.http.response"
ASKS = [Client("a", "/")]


async def denies(websocket):
    """Refuse with a response of Starlette's."""
    await websocket.send_denial_response(PlainTextResponse("who are you?", 401))


async def raises(websocket):
    """Refuse with an exception that Starlette answers."""
    raise HTTPException(418)


def starlette(handler):
    return Starlette(routes=[WebSocketRoute("/", handler)])


@pytest.mark.parametrize("handler", [denies, raises])
def test_a_refusal_in_words_of_ones_own_breaks_no_rule_at_any_moment(handler):
    report = explore(starlette(handler), ASKS, models=(*EXPLORED, "installed:uvicorn", "installed:hypercorn"))
    assert report.ok, report


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("handler", "status"), [(denies, 401), (raises, 418)])
def test_a_model_shows_the_status_that_its_servers_client_sees(server, handler, status):
    async def ask():
        async with serve(starlette(handler), server=server) as url, connect(url):
            pass

    with pytest.raises(websockets.InvalidStatus) as refused:
        asyncio.run(ask())
    assert refused.value.response.status_code == status
    picture = str(replay(starlette(handler), f"{server}/close@end", ASKS).trace)
    assert f"{server} → client {status} " in " ".join(picture.split())


@pytest.mark.parametrize("server", SERVERS)
def test_a_model_offers_what_its_server_offers(server):
    offered = []

    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            offered.append(EXTENSION in scope["extensions"])
            await receive()
            await send({"type": "websocket.accept"})
            await receive()

    async def ask():
        async with serve(app, server=server) as url, connect(url):
            pass

    asyncio.run(ask())
    replay(app, f"{server}/close@end", ASKS)
    assert offered == [True, True]


@pytest.mark.parametrize("name", ["daphne", "gunicorn", "granian==2.7.0"])
def test_who_does_not_offer_it_is_asked_for_nothing(name):
    offered = []

    async def app(scope, receive, send):
        offered.append(scope["extensions"])

    replay(app, f"{name}/close@end", ASKS)
    assert offered == [{}]
    assert GRANIAN_2_7_1.denies
    assert not GRANIAN_2_4.denies


PARTS = [
    {"type": "websocket.http.response.start", "status": 499, "headers": []},
    {"type": "websocket.http.response.body", "body": b"n", "more_body": True},
    {"type": "websocket.http.response.body", "body": b"o"},
]


def refusing(raised, parts=PARTS, accepts=False):
    async def app(scope, receive, send):
        await receive()
        for part in [{"type": "websocket.accept"}] * accepts + parts:
            try:
                await send(part)
            except Exception as error:
                raised.append((part["type"].rpartition(".")[2], type(error).__name__))

    return app


def test_a_response_ends_with_its_last_part_and_a_status_needs_no_name():
    assert "client    499" in str(replay(refusing([]), "granian/close@end", ASKS).trace)
    session = replay(refusing([], PARTS[:2]), "granian/close@end", ASKS)
    assert "client    499" not in str(session.trace)
    assert "client    403 Forbidden" in str(session.trace)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("uvicorn/fin@send#1", [("start", "ClientDisconnected"), *[("body", "ClientDisconnected")] * 2]),
        ("uvicorn/reset@send#3", [("body", "ClientDisconnected")]),
        ("uvicorn-websockets/fin@send#2", []),
        ("uvicorn-websockets/shutdown@send#1", [("start", "RuntimeError")]),
        ("uvicorn-websockets/shutdown@send#2", []),
        ("granian/fin@send#1", []),
        ("hypercorn/reset@send#2", []),
    ],
)
def test_who_has_left_before_is_refused_in_vain(schedule, expected):
    raised: list[tuple[str, str]] = []
    replay(refusing(raised), schedule, ASKS)
    assert raised[: len(expected) or None] == expected


def test_who_has_been_accepted_is_not_refused():
    raised: list[tuple[str, str]] = []
    replay(refusing(raised, PARTS[:1], accepts=True), "uvicorn/close@end", ASKS)
    assert raised == [("start", "RuntimeError")]
