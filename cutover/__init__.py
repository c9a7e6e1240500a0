"""cutover replaces a running Compose service by its successor on the same ports, and can always go back."""

__version__ = "0.1.0"
