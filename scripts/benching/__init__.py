"""The bench: open-loop clients, the ways to hand a port over, what is made of their answers."""
