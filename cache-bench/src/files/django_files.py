"""How many entries a second Django's file cache overwrites, among so many."""

import sys
import time

from django.conf import settings

settings.configure()

from django.core.cache.backends.filebased import FileBasedCache  # noqa: E402

directory, size = sys.argv[1], int(sys.argv[2])
# Nothing is culled: what is measured is a write.
cache = FileBasedCache(directory, {"TIMEOUT": None, "OPTIONS": {"MAX_ENTRIES": 10 * size}})
value = b"x" * 100
missing = [number for number in range(size) if not cache.has_key(f"key-{number}")]
if missing:
    # Its own way to write lists the directory each time.
    cache._cull = lambda: None
    for number in missing:
        cache.set(f"key-{number}", value)
    del cache._cull
began, done = time.perf_counter(), 0
while time.perf_counter() - began < 1:
    cache.set(f"key-{done * 7919 % size}", value)
    done += 1
print(done / (time.perf_counter() - began))
