"""Pods: made, and acted upon as one."""
