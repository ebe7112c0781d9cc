"""The Dockerfile language (frontend 1.26): text in, typed instructions and findings out.

Pure: no file, no network, no kernel; it imports only rootless.errors and rootless.record (a test says so).
`parse.parse()` is the way in; `rootless.build.plan` makes steps of what it returns.
"""
