"""Recording live traffic through a passive proxy: what passes is unchanged, what is written has its secrets masked."""

from cutover.validate.record.reading import Exchange, Recording, read_recording

__all__ = ["Exchange", "Recording", "read_recording"]
