/* What netd can still do once it runs, if somebody made it do what they want. */
#ifndef ROOTLESS_NETD_SANDBOX_H
#define ROOTLESS_NETD_SANDBOX_H

/* Both threads, for good: files, system calls and capabilities. What the kernel does not know is left out: it is a second
   line. `resolv_conf` is read afterwards. */
void sandbox_enter(const char *resolv_conf);

#endif
