"""COPY and ADD."""
