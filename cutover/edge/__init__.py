"""The edge: the containers that own the legacy ports and forward to one colour. Pure values, renderers and clients.

Nothing here talks to Docker: `flow` starts the containers and hands this package their folders and addresses.
"""
