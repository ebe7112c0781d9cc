"""The rules by which a Dockerfile is checked, by BuildKit's names."""
