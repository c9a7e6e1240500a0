"""For Compose healthchecks: exits 0 if the URL answers 200 within a second and a half."""

import sys
from urllib.error import URLError
from urllib.request import urlopen

if __name__ == "__main__":
    try:
        with urlopen(sys.argv[1], timeout=1.5) as answer:
            sys.exit(answer.status != 200)
    except (URLError, OSError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
