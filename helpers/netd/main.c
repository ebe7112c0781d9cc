#include "hub.h"
#include "lib/descriptor.h"
#include "netd.h"

static const char program[] = "rootless-netd";

int main(int argc, char **argv)
{
    (void)argv;
    if (argc < 2)
        usage_error(program, "usage: rootless-netd --listen FD --socket PATH --hub FD [--repair-hub WORD]...");
    if (!loop_open() || !hub_open(3))
        return 1;
    loop_run();
}
