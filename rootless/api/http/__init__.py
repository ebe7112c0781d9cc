"""HTTP/1.1 on a client's socket: heads, bodies, streams, and what becomes of a connection that leaves HTTP."""
