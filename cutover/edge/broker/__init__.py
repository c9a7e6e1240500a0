"""The ZeroMQ broker of the edge: `python3 -m cutover.edge.broker FOLDER`, inside the edge's container.

It stands alone: the standard library, pyzmq and (where it is there) msgpack, and nothing else of cutover.
"""
