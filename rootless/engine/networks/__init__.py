"""Networks: what the user made, who has which address, and how a container comes onto one."""
