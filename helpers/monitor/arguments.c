#include "monitor.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "process.h"
#include "lib/text.h"

static const char program[] = "rootless-monitor";

static uint64_t number_argument(const char *text, uint64_t limit)
{
    uint64_t number;
    if (!parse_number(text, limit, &number))
        usage_error(program, "not a number, or out of range");
    return number;
}

static int descriptor_argument(const char *text)
{
    int fd = (int)number_argument(text, INT_MAX);
    if (fd < 3 || fcntl(fd, F_GETFD) < 0)
        usage_error(program, "not an open descriptor above 2");
    return fd;
}

/* The text of a file, which is closed: what is not for everybody who looks at our arguments. One that is longer than a line of the log of
   events may be is none. */
static const char *hidden_argument(const char *text)
{
    static char hidden[EVENT_SIZE];
    int fd = descriptor_argument(text);
    ssize_t size = pread(fd, hidden, sizeof hidden, 0);
    close(fd);
    if (size < 0 || size == (ssize_t)sizeof hidden)
        return NULL;
    hidden[size] = 0;
    return hidden;
}

static int64_t milliseconds_argument(const char *text)
{
    return (int64_t)number_argument(text, INT64_MAX / 2);
}

/* The name of a file in --dir. */
static const char *file_argument(const char *text)
{
    if (!*text || strlen(text) > 64 || strchr(text, '/'))
        usage_error(program, "a file's name has at most 64 bytes and no slash");
    return text;
}

void parse_arguments(struct monitor *m, int argc, char **argv)
{
    enum { PID = 1, START_TIME, DIR_FD, FALLBACK, LOG, LOG_SIZE, LOG_FILES, SOCKET, CLIENT, TERMINAL, IN, OUT, ERR, KEEP, ATTACHER, ATTACHER_TO, HOLD, HOLD_TO, NO_SYNC,
           CLEANUP_IF, PASS, OPEN_FILES, WAIT, HEALTH, HEALTH_FIRST, HEALTH_INTERVAL, HEALTH_START_INTERVAL, HEALTH_TIMEOUT,
           CGROUP, EVENTS, EVENT, TIMEOUT, EXEC, LOG_BUFFER, JOURNAL, JOURNAL_FIELDS, NETD, REPAIR, IDS };
    static const struct option options[] = {
        {"pid", required_argument, NULL, PID},
        {"start-time", required_argument, NULL, START_TIME},
        {"dir", required_argument, NULL, DIR_FD},
        {"fallback-dir", required_argument, NULL, FALLBACK},
        {"log", required_argument, NULL, LOG},
        {"log-max-size", required_argument, NULL, LOG_SIZE},
        {"log-max-file", required_argument, NULL, LOG_FILES},
        {"socket", required_argument, NULL, SOCKET},
        {"client", required_argument, NULL, CLIENT},
        {"terminal", required_argument, NULL, TERMINAL},
        {"stdin", required_argument, NULL, IN},
        {"stdout", required_argument, NULL, OUT},
        {"stderr", required_argument, NULL, ERR},
        {"keep-stdin", no_argument, NULL, KEEP},
        {"attacher", required_argument, NULL, ATTACHER},
        {"attacher-to", required_argument, NULL, ATTACHER_TO},
        {"hold", required_argument, NULL, HOLD},
        {"hold-to", required_argument, NULL, HOLD_TO},
        {"no-sync", no_argument, NULL, NO_SYNC},
        {"cleanup-if", required_argument, NULL, CLEANUP_IF},
        {"pass", required_argument, NULL, PASS},
        {"open-files", required_argument, NULL, OPEN_FILES},
        {"wait", required_argument, NULL, WAIT},
        {"health", required_argument, NULL, HEALTH},
        {"health-first", required_argument, NULL, HEALTH_FIRST},
        {"health-interval", required_argument, NULL, HEALTH_INTERVAL},
        {"health-start-interval", required_argument, NULL, HEALTH_START_INTERVAL},
        {"health-timeout", required_argument, NULL, HEALTH_TIMEOUT},
        {"cgroup", required_argument, NULL, CGROUP},
        {"timeout-ms", required_argument, NULL, TIMEOUT},
        {"events", required_argument, NULL, EVENTS},
        {"event", required_argument, NULL, EVENT},
        {"log-buffer", required_argument, NULL, LOG_BUFFER},
        {"journal", required_argument, NULL, JOURNAL},
        {"journal-fields", required_argument, NULL, JOURNAL_FIELDS},
        {"netd", required_argument, NULL, NETD},
        {"repair", required_argument, NULL, REPAIR},
        {"ids", required_argument, NULL, IDS},
        {"exec", no_argument, NULL, EXEC},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case PID: m->record.pid = number_argument(optarg, INT_MAX); break;
        case START_TIME: m->record.start_time = number_argument(optarg, UINT64_MAX); break;
        case DIR_FD: m->dir = descriptor_argument(optarg); break;
        case FALLBACK: m->fallback_dir = descriptor_argument(optarg); break;
        case LOG: m->log.name = file_argument(optarg); break;
        case LOG_SIZE: m->log.max_size = number_argument(optarg, INT64_MAX); break;
        case LOG_FILES: m->log.max_files = number_argument(optarg, 100000); break;
        case SOCKET: m->clients.socket = descriptor_argument(optarg); break;
        case CLIENT: m->first_client = descriptor_argument(optarg); break;
        case TERMINAL: m->input.terminal = descriptor_argument(optarg); break;
        case IN: m->input.fd = descriptor_argument(optarg); break;
        case OUT: m->output.out.fd = descriptor_argument(optarg); break;
        case ERR: m->output.err.fd = descriptor_argument(optarg); break;
        case KEEP: m->input.keep = true; break;
        case ATTACHER:
            if (m->attacher_count == HOLDS_MAX)
                usage_error(program, "too many --attacher");
            m->attachers[m->attacher_count].first = m->attachers[m->attacher_count].last = descriptor_argument(optarg);
            m->attacher_count++;
            break;
        case ATTACHER_TO:
            if (!m->attacher_count)
                usage_error(program, "--attacher-to comes after --attacher");
            m->attachers[m->attacher_count - 1].last = (int)number_argument(optarg, INT_MAX);
            break;
        case HOLD:
            if (m->hold_count == HOLDS_MAX)
                usage_error(program, "too many --hold");
            m->holds[m->hold_count].first = m->holds[m->hold_count].last = descriptor_argument(optarg);
            m->hold_count++;
            break;
        case HOLD_TO:
            if (!m->hold_count)
                usage_error(program, "--hold-to comes after --hold");
            m->holds[m->hold_count - 1].last = (int)number_argument(optarg, INT_MAX);
            break;
        case NO_SYNC: m->no_sync = true; break;
        case CLEANUP_IF: m->cleanup_if = file_argument(optarg); break;
        case PASS: m->passed = number_argument(optarg, PASSED_MAX); break;
        case OPEN_FILES: m->open_files = m->health.open_files = number_argument(optarg, INT_MAX); break;
        case WAIT: m->wait_ms = milliseconds_argument(optarg); break;
        case HEALTH:
            if (m->health.words == HEALTH_WORDS_MAX)
                usage_error(program, "too many --health");
            m->health.argv[m->health.words++] = optarg;
            break;
        case HEALTH_FIRST: m->health.first_ms = milliseconds_argument(optarg); break;
        case HEALTH_INTERVAL: m->health.interval_ms = milliseconds_argument(optarg); break;
        case HEALTH_START_INTERVAL: m->health.start_interval_ms = milliseconds_argument(optarg); break;
        case HEALTH_TIMEOUT: m->health.timeout_ms = milliseconds_argument(optarg); break;
        case TIMEOUT: m->timeout_ms = milliseconds_argument(optarg); break;
        case CGROUP: m->cgroup.path = optarg; break;
        case EVENTS: m->events.dir = descriptor_argument(optarg); break;
        case EVENT: m->events.tail = hidden_argument(optarg); break;
        case LOG_BUFFER: m->log.buffer.limit = number_argument(optarg, INT_MAX); break;
        case JOURNAL: m->log.journal.fd = descriptor_argument(optarg); break;
        case JOURNAL_FIELDS: m->log.journal.fields = descriptor_argument(optarg); break;
        case NETD: m->repair.path = optarg; break;
        case REPAIR:
            if (m->repair.words == REPAIR_WORDS_MAX)
                usage_error(program, "too many --repair");
            m->repair.argv[m->repair.words++] = optarg;
            break;
        case IDS: m->ids = (pid_t)number_argument(optarg, INT_MAX); break;
        case EXEC: m->exec = true; break;
        default: exit(2); /* getopt_long has printed the error */
        }
    }
    if (optind < argc)
        m->cleanup = argv + optind;
    if (m->wait_ms >= 0 && m->cleanup)
        return;
    if (m->exec && m->dir < 0 && m->record.pid && m->events.dir >= 0)
        return;
    if (!m->record.pid || m->dir < 0)
        usage_error(program, "--pid and --dir are needed");
    if (m->input.terminal >= 0 && (m->input.fd >= 0 || m->output.out.fd >= 0 || m->output.err.fd >= 0))
        usage_error(program, "either --terminal or --stdin, --stdout and --stderr");
    if (m->health.words && (m->health.interval_ms <= 0 || m->health.start_interval_ms <= 0 || m->health.timeout_ms <= 0))
        usage_error(program, "--health needs its intervals and its timeout");
}
