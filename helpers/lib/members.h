/* The commands that share a container: a connection each.

   A member connects to a listening socket (SOCK_SEQPACKET) that stood before the container did, and gets a packet "+": from then on
   the container stays until it has gone. It goes by shutdown(2), and gets "-" where it was the last, or by its end, however that
   came. Whoever connects too late for that gets neither, but the end of the connection: the socket closes with the container. So
   nobody is let into a container that ends, and no container waits for who is dead.

   A member that is to save the container at its end says so by a packet "s", and asks by "?" before it goes. It gets "-" where it is the last of
   those, and stays until it goes as any other does; else "+", and has gone. */
#ifndef ROOTLESS_MEMBERS_H
#define ROOTLESS_MEMBERS_H

#include <stdbool.h>

struct members;

/* `listener` and `signals` become the result's. NULL with errno. */
struct members *new_members(int listener, int signals);

/* Lets members come and go until `signals` can be read: true. False once nobody is left: at once, where nobody has come. */
bool wait_for_members(struct members *members);

#endif
