"""YAML by go-yaml's rules, read with the line of each value, and written. Pure; compose and kube files are read by it."""
