"""rtnetlink(7): links, addresses, routes, rules, neighbours and traffic control, as messages and a socket for them."""
