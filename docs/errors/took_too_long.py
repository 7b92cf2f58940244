"""daphne cancels an app that runs on after its client has left: 10 seconds later by default, here at its next look."""

import asyncio

from hangup.servers.releases import isolated


def probe():
    import asyncio
    import logging
    import socket
    import threading

    from twisted.internet import asyncioreactor

    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)
    from daphne.server import Server
    from twisted.internet import reactor

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()  # the client has left
        await asyncio.Event().wait()

    class Shown(logging.Handler):
        def emit(self, record):
            print(record.getMessage())
            reactor.stop()

    def comes_and_goes():
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
        with socket.create_connection(("127.0.0.1", server.listening_addresses[0][1])) as client:
            request = f"GET / HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
            client.sendall(request.encode())
            client.recv(1000)

    logging.getLogger("daphne.server").addHandler(Shown())
    server = Server(
        app,
        endpoints=["tcp:port=0:interface=127.0.0.1"],
        application_close_timeout=0,
        signal_handlers=False,
        ready_callable=lambda: threading.Thread(target=comes_and_goes).start(),
    )
    server.run()


async def main():
    return str(await asyncio.to_thread(isolated, probe, under=["daphne==4.2.3"]))


if __name__ == "__main__":
    print(asyncio.run(main()))
