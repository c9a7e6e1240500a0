"""Which methods does green answer that blue does not? Asked, read from the source, and seen in recorded traffic."""
