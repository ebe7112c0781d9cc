#ifndef ROOTLESS_FOOTPRINT_H
#define ROOTLESS_FOOTPRINT_H

/* Lets go of the pages of the program itself that are not in use; to be called once, when the
   start is over. The kernel maps a program's file 16 pages at a time around every one it runs:
   of a static program that is nearly all of the C library, for a loop that needs a dozen pages. */
void trim_footprint(void);

#endif
