"""A TCP proxy between real clients and a real server that breaks connections at an exact moment, in toxiproxy's words.

A connection through the proxy has two streams: `upstream`, from client to server, and `downstream`. When the moment of
a toxic has come the toxic fires: from then on it shapes its stream, or it cuts the connection with a FIN or an RST.
The proxy works on sockets, not on asyncio's transports, which keep a buffer: what is forwarded is in the kernel, and
what a peer sent before its own reset still arrives. It cuts TCP; it loses no packets.
"""

from hangup.network.proxy.listener import ProxyError, proxy
from hangup.network.proxy.url import HOST, BrokenUrl

__all__ = ["HOST", "BrokenUrl", "ProxyError", "proxy"]
