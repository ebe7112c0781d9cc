"""How much of a request is held in memory. Everything larger is streamed, or refused."""

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's line and headers."""
READ_SIZE = 32 * 1024
"""Bytes read at once."""
DOCUMENT_LIMIT = 8 << 20
"""Bytes of a JSON body."""
STALLED_S = 600
"""Seconds after which a client has gone that neither sends what it has promised nor takes what it is sent: what is being done
for it holds locks that others wait for (a layer that is pulled, or loaded), and one of the places of requests at work."""
