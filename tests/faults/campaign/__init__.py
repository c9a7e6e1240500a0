"""Fault injection as a campaign: every place at which cutover can be killed, each followed by `cutover recover`."""
