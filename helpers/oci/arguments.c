#include "oci/arguments.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "lib/text.h"

static const char *const verbs[] = {[START] = "start", [STATE] = "state", [KILL] = "kill", [DELETE] = "delete"};

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"TERM", SIGTERM}, {"KILL", SIGKILL}, {"INT", SIGINT},   {"HUP", SIGHUP},   {"QUIT", SIGQUIT},
    {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"WINCH", SIGWINCH},
};

/* -1 for those that are seldom sent, and for what is none. */
static int signal_number(const char *word)
{
    uint64_t number;
    if (strlen(word) < 3 && parse_number(word, 64, &number))
        return (int)number;
    if (strncasecmp(word, "SIG", 3) == 0)
        word += 3;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcasecmp(word, signals[i].name) == 0)
            return signals[i].number;
    return -1;
}

/* An id as check_id of rootless/oci/state.py has it: it is a file's name, and no path. */
static bool is_id(const char *word)
{
    size_t size = strlen(word);
    return size > 0 && size <= 255 && word[0] != '.' &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.") == size;
}

/* The value of the option at *place, which moves on where that is a word of its own; NULL: it is another option, or has
   none. */
static const char *value_of(const char *option, char ***place)
{
    size_t size = strlen(option);
    const char *word = **place;
    if (strncmp(word, option, size) != 0)
        return NULL;
    if (word[size] == '=')
        return word + size + 1;
    return word[size] == 0 && (*place)[1] != NULL ? *++*place : NULL;
}

bool parse_arguments(int argc, char **argv, struct arguments *found)
{
    const char *words[3], *value;
    int count = 0;
    *found = (struct arguments){.signal = SIGTERM};
    if (argc < 3)
        return false;
    for (char **place = argv + 1; *place; place++) {
        if (**place != '-') {
            if (count == 3)
                return false;
            words[count++] = *place;
        } else if ((value = value_of("--root", &place))) {
            found->root = value;
        } else if ((value = value_of("--log", &place))) {
            found->log = value;
        } else if ((value = value_of("--log-format", &place))) {
            if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
                return false;
        } else if (count > 0 && strcmp(words[0], "delete") == 0 && (!strcmp(*place, "--force") || !strcmp(*place, "-f"))) {
            found->force = true;
        } else if (count > 0 && strcmp(words[0], "kill") == 0 && (!strcmp(*place, "--all") || !strcmp(*place, "-a"))) {
            found->everyone = true;
        } else if (strcmp(*place, "--systemd-cgroup") != 0) {
            return false;
        }
    }
    size_t verb = 0;
    while (verb < sizeof verbs / sizeof *verbs && (count < 2 || strcmp(words[0], verbs[verb]) != 0))
        verb++;
    if (verb == sizeof verbs / sizeof *verbs || (count > 2 && verb != KILL) || !is_id(words[1]))
        return false;
    found->verb = (enum verb)verb;
    found->id = words[1];
    if (count > 2)
        found->signal = signal_number(words[2]);
    return found->signal >= 0;
}
