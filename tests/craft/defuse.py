"""Read and fix each bomb below a folder, as a program of its own: one line of JSON for each, in order."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from sourcescraft import look_through

from provision.audit.fix.mask import MaskError, mask_content
from provision.containers.blob import ReadLimits
from provision.detect.detector import Detector

LIMITS = ReadLimits(whole_bytes=1 << 20, memory_bytes=32 << 20, expanded_bytes=8 << 20, expanded_ratio=20, members=500)


def main() -> None:
    """Print what was not read, whether a fix was refused, and the seconds of processor time."""
    folder = Path(sys.argv[1])
    detector = Detector(())
    for path in sorted(folder.iterdir(), key=lambda path: int(path.name)):
        begun = time.process_time()
        reasons = look_through(path, limits=LIMITS).reasons(failed=True)
        (file,) = path.iterdir()
        data = file.read_bytes()
        try:
            fixed = "unchanged" if mask_content(file.name, data, detector, LIMITS) == data else "changed"
        except MaskError:
            fixed = "refused"
        print(json.dumps([list(reasons), fixed, time.process_time() - begun]), flush=True)


if __name__ == "__main__":
    main()
