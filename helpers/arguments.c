#include "monitor.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "text.h"

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

void parse_arguments(struct monitor *m, int argc, char **argv)
{
    enum { PID = 1, START_TIME, DIR_FD, FALLBACK, LOG, LOG_SIZE, LOG_FILES, SOCKET, CLIENT, TERMINAL, IN, OUT, ERR, KEEP, HOLD, NO_SYNC };
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
        {"hold", required_argument, NULL, HOLD},
        {"no-sync", no_argument, NULL, NO_SYNC},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case PID: m->record.pid = number_argument(optarg, INT_MAX); break;
        case START_TIME: m->record.start_time = number_argument(optarg, UINT64_MAX); break;
        case DIR_FD: m->dir = descriptor_argument(optarg); break;
        case FALLBACK: m->fallback_dir = descriptor_argument(optarg); break;
        case LOG:
            if (!*optarg || strlen(optarg) > 64 || strchr(optarg, '/'))
                usage_error(program, "--log takes the name of a file, at most 64 bytes");
            m->log.name = optarg;
            break;
        case LOG_SIZE: m->log.max_size = number_argument(optarg, INT64_MAX); break;
        case LOG_FILES: m->log.max_files = number_argument(optarg, 100000); break;
        case SOCKET: m->socket = descriptor_argument(optarg); break;
        case CLIENT: m->first_client = descriptor_argument(optarg); break;
        case TERMINAL: m->terminal = descriptor_argument(optarg); break;
        case IN: m->stdin_fd = descriptor_argument(optarg); break;
        case OUT: m->output.fd = descriptor_argument(optarg); break;
        case ERR: m->error.fd = descriptor_argument(optarg); break;
        case KEEP: m->keep_stdin = true; break;
        case HOLD:
            if (m->hold_count == HOLDS_MAX)
                usage_error(program, "too many --hold");
            m->holds[m->hold_count++] = descriptor_argument(optarg);
            break;
        case NO_SYNC: m->no_sync = true; break;
        default: exit(2); /* getopt_long has told what */
        }
    }
    if (!m->record.pid || m->dir < 0)
        usage_error(program, "--pid and --dir are needed");
    if (m->terminal >= 0 && (m->stdin_fd >= 0 || m->output.fd >= 0 || m->error.fd >= 0))
        usage_error(program, "either --terminal or --stdin, --stdout and --stderr");
    if (optind < argc)
        m->cleanup = argv + optind;
}
