#include "monitor.h"

void memory_look(struct monitor *m)
{
    uint64_t before = m->cgroup.oom_kills;
    cgroup_look(&m->cgroup);
    if (m->cgroup.oom_kills == before)
        return;
    m->record.oom_killed = true;
    event_now(&m->events, "oom");
}

bool memory_report(struct monitor *m)
{
    /* The packet before has to be through, and nothing comes after the last one. */
    if (m->clients.pending || m->clients.last)
        return false;
    size_t size = cgroup_report(&m->cgroup, (char *)m->clients.packet + 1, PAYLOAD_SIZE, m->input.terminal >= 0);
    if (!size)
        return false;
    output_say(&m->output, size);
    return true;
}
