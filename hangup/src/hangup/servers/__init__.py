"""ASGI servers: the real ones, served and scripted; as Models, played in memory; and in other releases."""
