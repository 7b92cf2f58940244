"""What lesson 07 plays with, under one name: the room as an app, its Redis, and a second process that serves it."""

from contextlib import AbstractAsyncContextManager

from broadcaster._backends.redis import RedisBackend

from helpers.props.elsewhere import serve_elsewhere
from helpers.props.redis_room import OUTAGE, Hearing, Lasting, chat, fate, heard, mounted
from helpers.props.redis_server import NotRedis, Redis, redis_or_memory, redis_or_recorded

__all__ = ["Hearing", "Lasting", "chat", "elsewhere", "fate", "heard", "mounted", "redis"]


def redis(backend: type[RedisBackend] | None = None) -> AbstractAsyncContextManager[Redis | NotRedis]:
    """Return a Redis for the length of a block; with a backend, one that goes away while the room uses that backend.

    Where there is no redis-server, the room stays in memory; with a backend, what the block printed elsewhere is shown.
    """
    return redis_or_memory() if backend is None else redis_or_recorded(OUTAGE[backend])


def elsewhere(url: str) -> AbstractAsyncContextManager[str]:
    """Serve the room over this Redis from a second process while a block runs; yield its URL."""
    return serve_elsewhere(f"{chat.__module__}:{chat.__name__}", url)
