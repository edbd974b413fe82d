"""Verifies many files on a cluster of dask.distributed, here one of local processes.

python -m examples.dask_cluster CERTIFICATE FILE...

Needs the extra `dask`: pip install 'dcmsign[dask]'. Every worker needs dcmsign and sees the files under the same names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

import anyio
from dcmsign.stream import FileResult, Trust, verify_many
from distributed import Client, LocalCluster


async def verify_on(client: Client, files: Iterable[str], trust: Trust, *, workers: int) -> list[FileResult]:
    """The results of all files, in order of completion.

    Batches whose worker is lost are scheduled again by dask; where it gives up, `verify_many` tries each file once more.
    """
    executor = client.get_executor()
    return [result async for result in verify_many(files, trust=trust, executor=executor, workers=workers)]


def main(certificate: str, *files: str) -> int:
    """Print a line for each file; 1 if one is not good."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:

        async def run() -> list[FileResult]:
            return await verify_on(client, files, Trust.load(trusted=[certificate]), workers=2)

        results = anyio.run(run)
    for result in results:
        print(json.dumps(result.to_dict()))
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
