"""As much of curl as the tutorial uses, for machines that have none: ``-s -i -H -d URL``."""

import argparse
import sys
import urllib.error
import urllib.request


def main() -> None:
    """One request; its answer goes to standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body")
    parser.add_argument("url")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    request = urllib.request.Request(given.url, given.body and given.body.encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        if given.i:
            print(f"HTTP/1.1 {answer.status} {answer.reason}")
            print(answer.headers)
        sys.stdout.write(answer.read().decode())


if __name__ == "__main__":
    main()
