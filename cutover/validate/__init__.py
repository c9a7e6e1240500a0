"""What proves a successor: suites (smoke), the same questions to both (parity), the methods that it lacks (surface)."""
