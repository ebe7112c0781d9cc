#include "text.h"

char *put_text(char *p, const char *text)
{
    while (*text)
        *p++ = *text++;
    *p = 0;
    return p;
}

char *put_number(char *p, uint64_t number)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (n)
        *p++ = digits[--n];
    *p = 0;
    return p;
}

static char *put_padded(char *p, uint64_t number, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + number % 10);
        number /= 10;
    }
    p[width] = 0;
    return p + width;
}

/* RFC 3339, UTC, nine decimals. The calendar is worked out here because gmtime_r brings the
   time zone code along. Years count from March, so that the leap day is the last of a year;
   an era is 400 years of 146097 days. Before 1970 (a broken clock) it is 1970. */
char *put_timestamp(char *p, const struct timespec *when)
{
    uint64_t seconds = when->tv_sec > 0 ? (uint64_t)when->tv_sec : 0;
    uint64_t days = seconds / 86400 + 719468; /* since 0000-03-01 */
    uint64_t era = days / 146097, day_of_era = days % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint64_t year = year_of_era + era * 400 + (month <= 2);

    p = put_padded(p, year, 4);
    *p++ = '-';
    p = put_padded(p, month, 2);
    *p++ = '-';
    p = put_padded(p, day, 2);
    *p++ = 'T';
    p = put_padded(p, seconds / 3600 % 24, 2);
    *p++ = ':';
    p = put_padded(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_padded(p, seconds % 60, 2);
    *p++ = '.';
    p = put_padded(p, (uint64_t)when->tv_nsec, 9);
    return put_text(p, "Z");
}

bool parse_number(const char *text, uint64_t limit, uint64_t *number)
{
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return value <= limit;
}
