"""Processes and bytes: who accepts a request, who answers it, and how HTTP/1.1 looks on the socket."""
