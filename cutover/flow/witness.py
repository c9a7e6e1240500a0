"""Whether a connection that we open on a host port arrives in a container: `ports.witness` with the Engine behind it."""
