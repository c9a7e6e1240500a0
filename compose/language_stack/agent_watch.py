"""A dependant that asks for the manager's health over HTTP, on a new connection each time."""

from __future__ import annotations

import http.client
import json
import os

from language_stack.count import Count
from language_stack.pace import ticks


def main() -> None:
    count = Count("agent_watch")
    count.publish()
    timeout_s = float(os.environ.get("TIMEOUT_S", "0.5"))
    for _ in ticks(float(os.environ.get("RATE", "20"))):
        look(os.environ["MANAGER"], timeout_s, count)


def look(address: str, timeout_s: float, count: Count) -> None:
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status == 200 and body["status"] == "ok":
            count.answered(body["service"])
        else:
            count.failed(f"status {answer.status}")
    except TimeoutError:
        count.failed("timeout")
    except ConnectionRefusedError:
        count.failed("refused")
    except (ConnectionError, http.client.HTTPException):
        count.failed("cut off")
    except OSError as error:
        count.failed(type(error).__name__)
    except (ValueError, KeyError, TypeError):
        count.failed("junk")
    finally:
        connection.close()


if __name__ == "__main__":
    main()
