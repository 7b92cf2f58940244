"""fastapi-websocket-rpc 0.1.29: an endpoint with one method, which clients call.

hangup explore fastapi_websocket_rpc_calc.py:app --script fastapi_websocket_rpc_calc.py
Who is gone before accept leaves two tracebacks; a handler that is cancelled returns as if nothing had happened.
"""

from fastapi import FastAPI
from fastapi_websocket_rpc import RpcMethodsBase, WebsocketRPCEndpoint

from hangup import Expect, Leave, Send


class Calc(RpcMethodsBase):
    async def double(self, n: int = 0) -> int:
        return 2 * n


app = FastAPI()
WebsocketRPCEndpoint(Calc()).register_route(app, "/ws")


def call(n, by="a"):
    asked = {"request": {"method": "double", "arguments": {"n": n}, "call_id": f"{by}{n}"}}
    return Send(json=asked, by=by), Expect(json={"response": {"result": 2 * n}}, by=by)


path = "/ws"
script = [*call(2), *call(3, "b"), Leave(), *call(4, "b")]
