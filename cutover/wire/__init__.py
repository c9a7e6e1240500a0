"""What can be told of a TCP port from its first bytes, without becoming anybody's client."""
