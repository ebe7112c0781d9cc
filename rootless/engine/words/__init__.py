"""What users write, as values: sizes, mounts, ports, times, signals. Pure: looks at no file and no process."""
