"""One handler on one stored batch, in a process of its own: `python -m bench.batch_step <folder> <handler> <event>`
prints what it took as `RESULT {...}`.

`mib`: the peak of the process's memory with all imports and the real boto3 clients, whose calls go to files instead.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelloop.store import aws

from bench.file_store import EndedJobs, FileS3, FileTable, Notices

BUCKET = "bench-data"
MARK = "RESULT "


@dataclass(frozen=True)
class Context:
    function_name: str = "function"
    memory_limit_in_mb: int = 3008
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request"


def main(folder: str, name: str, event: str) -> None:
    counted: Counter[str] = Counter()
    _answer_from_files(Path(folder), counted)
    handler = importlib.import_module(name).handler
    started, used = time.perf_counter(), time.process_time()
    answer = handler(json.loads(event), Context())
    result = {
        "wall": round(time.perf_counter() - started, 2),
        "cpu": round(time.process_time() - used, 2),
        "mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "calls": dict(counted),
        "answer": answer,
    }
    print("\n" + MARK + json.dumps(result))


def _answer_from_files(folder: Path, counted: Counter[str]) -> None:
    real_client, real_table, table = aws.client, aws.table, FileTable(folder, counted)
    fakes = {"s3": FileS3(folder, counted), "sagemaker": EndedJobs(BUCKET), "sns": Notices()}

    def client(service: str) -> Any:
        real_client(service)  # kept by its cache: it takes its share of the memory
        return fakes[service]

    def any_table(name: str) -> Any:
        real_table(name)
        return table

    aws.client, aws.table = client, any_table  # type: ignore[assignment]


if __name__ == "__main__":
    main(*sys.argv[1:])
