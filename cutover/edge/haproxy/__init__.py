"""HAProxy as the edge of HTTP and TCP ports: its files, its control socket, and both as one face."""
