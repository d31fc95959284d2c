/* text.c: reading small languages from left to right (declared parameters and their values). */
#define _GNU_SOURCE
#include "text.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *text_skip(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

int text_take(const char **s, char c)
{
    const char *at = text_skip(*s);
    if (*at != c || !c)
        return 0;
    *s = at + 1;
    return 1;
}

int text_word(const char **s, int (*accept)(int), char *out, size_t room)
{
    const char *at = text_skip(*s);
    size_t n = 0;
    while (accept((unsigned char)at[n]))
        n++;
    if (n == 0 || n >= room)
        return 0;
    memcpy(out, at, n);
    out[n] = 0;
    *s = at + n;
    return 1;
}

int text_quoted(const char **s, char close, char *out, size_t room)
{
    const char *end = strchr(*s, close);
    if (!end || (size_t)(end - *s) >= room)
        return 0;
    memcpy(out, *s, (size_t)(end - *s));
    out[end - *s] = 0;
    *s = end + 1;
    return 1;
}

/* Length of a decimal number at s; "1..9" ends before the dots, hex, inf and nan are none. */
static size_t number_span(const char *s)
{
    size_t n = *s == '+' || *s == '-', digits = 0;
    while (isdigit((unsigned char)s[n]))
        n++, digits++;
    if (s[n] == '.' && s[n + 1] != '.')
        for (n++; isdigit((unsigned char)s[n]); n++)
            digits++;
    if (!digits)
        return 0;
    if (s[n] == 'e' || s[n] == 'E') {
        size_t e = n + 1 + (s[n + 1] == '+' || s[n + 1] == '-');
        if (isdigit((unsigned char)s[e]))
            for (n = e; isdigit((unsigned char)s[n]); n++) {}
    }
    return n;
}

int text_number(const char **s, double *out)
{
    char text[64];
    const char *at = text_skip(*s);
    size_t n = number_span(at);
    if (n == 0 || n >= sizeof text)
        return 0;
    memcpy(text, at, n);
    text[n] = 0;
    *out = strtod(text, NULL);
    if (!isfinite(*out))
        return 0;
    *s = at + n;
    return 1;
}

locale_t text_locale_enter(void)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c ? uselocale(c) : (locale_t)0;
}

void text_locale_leave(locale_t before)
{
    if (before)
        freelocale(uselocale(before));
}
