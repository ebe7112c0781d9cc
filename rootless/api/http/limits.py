"""How much of a request is held in memory. Everything larger is streamed, or refused."""

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's line and headers."""
READ_SIZE = 32 * 1024
"""Bytes read at once."""
DOCUMENT_LIMIT = 8 << 20
"""Bytes of a JSON body."""
