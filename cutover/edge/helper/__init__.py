"""What runs in cutover's helper containers while host ports change hands; it imports nothing but Python's own library.

`redirect` sends new connections elsewhere, `cut` ends old ones where nothing is under way, `ask` says what can be done.
"""
