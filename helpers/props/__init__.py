"""What single lessons play with: a billing service, a storm of clients, a redis-server.

Only their exercises need these.
"""
