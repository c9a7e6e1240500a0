"""The demonstration stack: two model managers, what they need, and two agents that depend on them."""
