"""Who listens where: on the host, inside containers, and which port is free."""
