"""The verbs users know, composed from the mechanisms below."""
