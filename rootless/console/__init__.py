"""The console: pages for a browser. A client of the API's socket and nothing else (docs/console.md)."""
