/* param_value.c: values of declared parameters: from the text a user gives, and back to one text for equal values. */
#define _GNU_SOURCE
#include "codec/param.h"
#include "text.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1..100", "a whole number of 1..100", "a number" */
static const char *needs(const hz_param *p, int whole_said, char *text, size_t room)
{
    const char *what = p->type == HZ_PARAM_INT ? "a whole number" : "a number";
    if (p->bounded)
        snprintf(text, room, "%s%s%.15g..%.15g", whole_said ? "" : what, whole_said ? "" : " of ", p->low, p->high);
    else
        snprintf(text, room, "%s", what);
    return text;
}

/* Is this the parameter's name, or what stands behind its stage's? */
static int is_called(const hz_param *p, const char *name, int by_stage)
{
    const char *own = by_stage ? strchr(p->name, '.') : NULL;
    return by_stage ? own && !strcmp(own + 1, name) : !strcmp(p->name, name);
}

/* How many are called so, and the first of them. */
static int count_called(const hz_params *p, const char *name, int by_stage, hz_param **first)
{
    int n = 0;
    for (int i = p->count - 1; i >= 0; i--)
        if (is_called(&p->param[i], name, by_stage)) {
            *first = &p->param[i];
            n++;
        }
    return n;
}

hz_param *param_named(const hz_params *p, const char *name)
{
    hz_param *found = NULL;
    if (count_called(p, name, 0, &found))
        return found;
    return count_called(p, name, 1, &found) == 1 ? found : NULL;
}

static hz_status unknown(const hz_params *p, const char *who, const char *name)
{
    char have[512] = "";
    hz_param *first;
    int several = count_called(p, name, 1, &first) > 1;
    for (int i = 0; i < p->count; i++) {
        size_t n = strlen(have);
        if (!several || is_called(&p->param[i], name, 1))
            snprintf(have + n, sizeof have - n, "%s%s", n ? several ? " or " : ", " : "", p->param[i].name);
    }
    if (several)
        return hz_fail(HZ_EARG, "%s: several stages have '%s'; needs %s", who, name, have);
    return hz_fail(HZ_EARG, "%s: '%s' is no parameter; has %s", who, name, *have ? have : "none");
}

static hz_status read_choice(const hz_param *p, const char *who, const char *text, double *value)
{
    char have[512] = "";
    for (int i = 0; i < p->choices; i++) {
        size_t n = strlen(have);
        if (!strcmp(p->choice[i], text)) {
            *value = i;
            return HZ_OK;
        }
        snprintf(have + n, sizeof have - n, "%s%s", i ? ", " : "", p->choice[i]);
    }
    return hz_fail(HZ_EARG, "%s: %s is '%s'; needs %s", who, p->name, text, have);
}

static hz_status read_bool(const hz_param *p, const char *who, const char *text, double *value)
{
    *value = !strcmp(text, "true") || !strcmp(text, "1");
    if (*value != 0 || !strcmp(text, "false") || !strcmp(text, "0"))
        return HZ_OK;
    return hz_fail(HZ_EARG, "%s: %s is '%s'; needs true or false", who, p->name, text);
}

static hz_status read_numbers(const hz_param *p, const char *who, const char *text, double *value)
{
    char need[80];
    int places = p->length ? p->length : 1, n = 0;
    const char *s = text;
    do {
        const char *start = text_skip(s);
        double v;
        int is_number = text_number(&s, &v);
        if (!is_number || !param_holds(p, v))
            return hz_fail(HZ_EARG, "%s: %s is %.*s; needs %s", who, p->name,
                           *start ? (int)strcspn(start, p->length ? "," : "") : 5, *start ? start : "empty",
                           needs(p, is_number && v == floor(v), need, sizeof need));
        if (n < places)
            value[n] = v + 0.0;      /* no negative zero: it would have a text of its own */
        n++;
    } while (p->length && text_take(&s, ','));
    if (*text_skip(s))
        return hz_fail(HZ_EARG, "%s: %s is '%s'; needs %s", who, p->name, text, needs(p, 0, need, sizeof need));
    if (n != places)
        return hz_fail(HZ_EARG, "%s: %s has %d numbers; needs %d", who, p->name, n, places);
    return HZ_OK;
}

static hz_status check_fixed(const hz_params *p, const hz_param *q, const char *who, const char *text,
                             const double *values)
{
    size_t bytes = (size_t)(q->length ? q->length : 1) * sizeof *values;
    if (!q->fixed || !memcmp(values + q->at, p->standard + q->at, bytes))
        return HZ_OK;
    return hz_fail(HZ_EARG, "%s: %s is '%s'; needs the value that stands in the codec's name", who, q->name, text);
}

/* One "name=value", already cut out and free of spaces around it. */
static hz_status read_one(const hz_params *p, const char *who, char *text, double *values, unsigned char *seen)
{
    char *equals = strchr(text, '=');
    if (!equals)
        return hz_fail(HZ_EARG, "%s: '%s' has no value; needs name=value", who, text);
    char *value = (char *)text_skip(equals + 1);
    for (*equals = 0; equals > text && isspace((unsigned char)equals[-1]); )
        *--equals = 0;
    const hz_param *q = param_named(p, text);
    if (!q)
        return unknown(p, who, text);
    if (seen[q - p->param]++)
        return hz_fail(HZ_EARG, "%s: %s is given twice; needs one value", who, q->name);
    hz_status status = q->type == HZ_PARAM_ENUM ? read_choice(q, who, value, values + q->at)
                     : q->type == HZ_PARAM_BOOL ? read_bool(q, who, value, values + q->at)
                                                : read_numbers(q, who, value, values + q->at);
    return status ? status : check_fixed(p, q, who, value, values);
}

static hz_status read_all(const hz_params *p, const char *who, char *text, double *values)
{
    unsigned char seen[PARAM_ALL] = { 0 };
    for (char *s = text, *next; s; s = next) {
        next = strchr(s, ';');
        if (next)
            *next++ = 0;
        s = (char *)text_skip(s);
        for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]); )
            s[--n] = 0;
        if (!*s)
            continue;
        hz_status status = read_one(p, who, s, values, seen);
        if (status)
            return status;
    }
    return HZ_OK;
}

hz_status param_read(const hz_params *p, const char *who, const char *text, double *values)
{
    char *copy = strdup(text ? text : "");
    if (!copy)
        return hz_fail(HZ_EMEM, "%s: no memory for its parameters", who);
    memcpy(values, p->standard, (size_t)p->places * sizeof *values);
    locale_t before = text_locale_enter();
    hz_status status = read_all(p, who, copy, values);
    text_locale_leave(before);
    free(copy);
    return status;
}

static void print_number(FILE *f, double v)
{
    char text[40];
    snprintf(text, sizeof text, "%.15g", v);
    if (strtod(text, NULL) != v)
        snprintf(text, sizeof text, "%.17g", v);
    fputs(text, f);
}

static void print_one(FILE *f, const hz_param *p, const double *v)
{
    fprintf(f, "%s=", p->name);
    if (p->type == HZ_PARAM_ENUM)
        fputs(p->choice[(int)*v], f);
    else if (p->type == HZ_PARAM_BOOL)
        fputs(*v != 0 ? "true" : "false", f);
    else
        for (int i = 0; i < (p->length ? p->length : 1); i++) {
            if (i)
                fputc(',', f);
            print_number(f, v[i]);
        }
}

/* A vector that is declared as zeros and still is goes without saying: nothing was given. A codec that gains such a
   parameter leaves the text of all other values as it was. */
static int is_silent(const hz_params *p, const hz_param *q, const double *values)
{
    int zeros = q->length > 0;
    for (int i = q->at; i < q->at + q->length; i++)
        zeros = zeros && p->standard[i] == 0 && values[i] == 0;
    return zeros;
}

char *param_print(const hz_params *p, const double *values)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) {
        hz_fail(HZ_EMEM, "parameters: no memory for their text");
        return NULL;
    }
    locale_t before = text_locale_enter();
    for (int i = 0, said = 0; i < p->count; i++) {
        const hz_param *q = &p->param[i];
        if (is_silent(p, q, values))
            continue;
        if (said++)
            fputc(';', f);
        print_one(f, q, values + q->at);
    }
    text_locale_leave(before);
    if (fclose(f)) {
        free(text);
        text = NULL;
        hz_fail(HZ_EMEM, "parameters: no memory for their text");
    }
    return text;
}
