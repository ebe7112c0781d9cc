"""How much of a request is held in memory. Everything larger is streamed, or refused."""

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's line and headers."""
READ_SIZE = 32 * 1024
"""Bytes of a head read at once."""
BODY_READ_SIZE = 256 * 1024
"""Bytes of a body read at once: what a Unix socket holds. Each costs a call of the parser, for a gigabyte thousands."""
DOCUMENT_LIMIT = 8 << 20
"""Bytes of a JSON body."""
STALLED_S = 600
"""Seconds after which a client has gone that neither sends what it has promised nor takes what it is sent: what is being done
for it holds locks that others wait for (a layer that is pulled, or loaded), and one of the places of requests at work."""
