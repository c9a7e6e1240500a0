"""The only home of docker and python-on-whales: what runs (daemon) and what Compose makes of the files (stack)."""
