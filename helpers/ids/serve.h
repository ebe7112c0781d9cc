/* Who answers: one thread, and more while calls wait. */
#ifndef ROOTLESS_IDS_SERVE_H
#define ROOTLESS_IDS_SERVE_H

#include "ids.h"

extern int listening_fd; /* where listeners are handed over */

/* Until the last process of the container has ended, and the program with it. */
_Noreturn void serve(void);

#endif
