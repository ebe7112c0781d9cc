#include "ranks/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/text.h"

struct merged {
    char **words;
    size_t count, room;
};

static size_t name_size(const char *word)
{
    return strcspn(word, "=");
}

static bool same_name(const char *one, const char *other)
{
    size_t size = name_size(one);
    return size == name_size(other) && memcmp(one, other, size) == 0;
}

/* Whether it is the name of a word of the list: NAME or NAME=VALUE. */
static bool is_among(const char *word, const struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_name(word, list->words[i]))
            return true;
    return false;
}

/* Whether a variable goes from each rank's own environment to its command. */
static bool is_ranks(const struct facts *facts, const char *word)
{
    for (size_t i = 0; i < facts->prefixes.count; i++)
        if (strncmp(word, facts->prefixes.words[i], strlen(facts->prefixes.words[i])) == 0)
            return true;
    return is_among(word, &facts->names);
}

bool is_same_environment(const struct facts *facts)
{
    size_t next = 0;
    for (char **word = environ; *word; word++) {
        size_t size = name_size(*word);
        if (size == 0 || (*word)[size] == 0)
            return false;
        for (char **other = environ; other < word; other++)
            if (same_name(*word, *other))
                return false;
        if (is_ranks(facts, *word) && !is_among(*word, &facts->strict))
            continue;
        if (next == facts->environment.count || strcmp(*word, facts->environment.words[next++]) != 0)
            return false;
    }
    return next == facts->environment.count;
}

/* Later ones win, the first one's place is kept. */
static void add(struct merged *merged, char *word)
{
    for (size_t i = 0; i < merged->count; i++)
        if (same_name(merged->words[i], word)) {
            merged->words[i] = word;
            return;
        }
    if (merged->count < merged->room)
        merged->words[merged->count++] = word;
}

static void add_all(struct merged *merged, const struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        add(merged, list->words[i]);
}

char **make_environment(const struct facts *facts)
{
    size_t ours = 0;
    while (environ[ours])
        ours++;
    struct merged merged = {
        .room = facts->image_environment.count + ours + facts->fixed_environment.count + facts->added_environment.count + 1};
    char *home = malloc(strlen(facts->home) + sizeof "HOME=");
    merged.words = calloc(merged.room + 1, sizeof *merged.words);
    if (!merged.words || !home)
        return NULL;
    add_all(&merged, &facts->image_environment);
    for (char **word = environ; *word; word++)
        if (is_ranks(facts, *word) || (facts->every && !is_among(*word, &facts->image_environment)))
            add(&merged, *word);
    add_all(&merged, &facts->fixed_environment);
    add_all(&merged, &facts->added_environment);
    put_text(put_text(home, "HOME="), facts->home);
    size_t i = 0;
    while (i < merged.count && (!same_name(merged.words[i], home) || strcmp(merged.words[i], "HOME=") == 0))
        i++;
    if (i == merged.count)
        add(&merged, home);
    return merged.words;
}
