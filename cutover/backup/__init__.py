"""Nothing is changed before it is backed up; restoring gives the same SHA-256, mode and owner."""
