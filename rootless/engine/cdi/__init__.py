"""Devices by name: the Container Device Interface (CDI), which says what a device brings into a container."""
