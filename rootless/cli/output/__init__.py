"""What a command prints: columns, formats, progress, errors."""
