"""Compose: a project of services from files, made so and kept so. The files: load/; what is to be done: plan/."""
