"""The physical limit beside the batch: the same requests by httpx's own client in a loop, nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import httpx


async def loop(url: str, requests: int, workers: int) -> dict[str, float]:
    left = iter(range(requests))
    cpu, began = time.process_time(), time.monotonic()
    limits = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)
    async with httpx.AsyncClient(limits=limits) as client:

        async def work() -> None:
            for i in left:
                answer = await client.get(url, headers={"authorization": f"Bearer sk-aisa-TEST-{i}"})
                answer.json()

        await asyncio.gather(*(work() for _ in range(workers)))
    return {"elapsed_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu, "requests": requests}


if __name__ == "__main__":
    json.dump(asyncio.run(loop(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))), sys.stdout)
