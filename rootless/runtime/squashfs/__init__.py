"""Image files (squashfs, SIF): found out what they are, mounted once by squashfuse_ll in a jail, shared by containers."""
