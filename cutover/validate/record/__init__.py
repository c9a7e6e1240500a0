"""Recording live traffic through a passive proxy: what passes is unchanged, what is written has its secrets masked."""

from cutover.validate.record.reading import Exchange, read_recording
from cutover.validate.record.recorder import Recorder, Summary

__all__ = ["Exchange", "Recorder", "Summary", "read_recording"]
