from helpers.client import connect
from helpers.recorder import note
from helpers.servers import SERVERS, serve
from helpers.trace import Trace
