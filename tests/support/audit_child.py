"""A process that writes an audit log until it is killed: ``audit_child.py DIR [LARGEST_FILE_BYTES]``."""

import asyncio
import resource
import sys
from pathlib import Path

from audit_logs import call_record, open_writer


async def write_until_killed(directory: Path) -> None:
    writer = open_writer(directory)
    number = 0
    while True:
        for _ in range(50):
            number += 1
            writer.append(call_record(number))
        await asyncio.sleep(0.001)
        if writer.counters.last_error:
            sys.stdout.write("failed\n")
            sys.stdout.flush()
            await asyncio.sleep(60)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    asyncio.run(write_until_killed(Path(sys.argv[1])))
