"""What reading one document may cost. More than a policy ever needs, less than what hurts."""

from __future__ import annotations

LARGEST_FILE = 20 * 1024 * 1024
"""Bytes of an upload."""
MOST_PAGES = 2_000
MOST_CHARACTERS = 4_000_000
"""Characters of a document's text: some 1,500 full pages."""
MOST_CHUNKS = 50_000
MOST_UNPACKED = 128 * 1024 * 1024
"""Bytes of all parts of a DOCX, unpacked."""
MOST_PARTS = 4_000
"""Files in a DOCX."""
MOST_CELLS = 500_000
MEMORY = 1024 * 1024 * 1024
"""Bytes of address space of the child."""
PROCESSOR_SECONDS = 30
WALL_SECONDS = 60.0
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes that the child may answer."""
OPEN_FILES = 32
AT_ONCE = 2
"""Children at the same time."""
IN_THE_HOUSE = 8
"""Uploads at the same time, each with its bytes in memory."""
