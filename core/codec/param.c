/* param.c: the parameter grammar of hz/plugin.h: a declaration becomes a table. param_value.c reads values by it. */
#define _GNU_SOURCE
#include "codec/param.h"
#include "text.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LENGTH = 256, MAX_CHOICES = 16 };
static const double LARGEST_INT = 9007199254740992.0;      /* 2^53: every whole number up to it is a double */

static int is_choice(int c) { return isalnum(c) || c == '_' || c == '.'; }
static int is_name(int c) { return isalnum(c) || c == '_'; }

int param_holds(const hz_param *p, double v)
{
    if (p->type == HZ_PARAM_INT && (v != floor(v) || fabs(v) > LARGEST_INT))
        return 0;
    return !p->bounded || (v >= p->low && v <= p->high);
}

static hz_status bad(const hz_param *p, const char *what, const char *at)
{
    return hz_fail(HZ_EFORMAT, "parameter '%s': %s at '%.20s'; the grammar stands in hz/plugin.h", p->name, what, at);
}

static hz_status parse_type(hz_param *p, const char **s)
{
    static const char *const names[] = { "int", "float", "bool", "enum" };
    char type[16];
    const char *start = *s;
    double length;
    if (!text_word(s, is_name, type, sizeof type))
        return bad(p, "no type", start);
    for (p->type = 0; p->type < 4 && strcmp(type, names[p->type]); p->type++) {}
    if (p->type == 4)
        return bad(p, "no type (int, float, bool, enum)", start);
    if (!text_take(s, '*'))
        return HZ_OK;
    if (p->type > HZ_PARAM_FLOAT || !text_number(s, &length) || length != floor(length) || length < 1 ||
        length > MAX_LENGTH)
        return bad(p, "no vector of 1 to 256 int or float", start);
    p->length = (int)length;
    return HZ_OK;
}

static hz_status parse_choices(hz_param *p, const char **s)
{
    do {
        if (p->choices == MAX_CHOICES)
            return bad(p, "more than 16 choices", *s);
        if (!text_word(s, is_choice, p->choice[p->choices], sizeof p->choice[0]))
            return bad(p, "no choice of 1 to 23 letters", *s);
        for (int i = 0; i < p->choices; i++)
            if (!strcmp(p->choice[i], p->choice[p->choices]))
                return bad(p, "a choice given twice", *s);
        p->choices++;
    } while (text_take(s, '|'));
    return HZ_OK;
}

static hz_status parse_numbers(hz_param *p, const char **s, double *standard)
{
    int n = 0, places = p->length ? p->length : 1;
    do {
        if (n == places || !text_number(s, &standard[n]))
            return bad(p, "no number", *s);
        n++;
    } while (p->length && text_take(s, ','));
    if (n == 1)
        for (; n < places; n++)
            standard[n] = standard[0];
    return n == places ? HZ_OK : bad(p, "too few numbers", *s);
}

static hz_status parse_default(hz_param *p, const char **s, double *standard)
{
    char text[16];
    const char *start = *s;
    if (p->type == HZ_PARAM_ENUM)
        return parse_choices(p, s);
    if (p->type != HZ_PARAM_BOOL)
        return parse_numbers(p, s, standard);
    if (!text_word(s, is_name, text, sizeof text) || (strcmp(text, "true") && strcmp(text, "false")))
        return bad(p, "no true or false", start);
    *standard = !strcmp(text, "true");
    return HZ_OK;
}

static hz_status parse_range(hz_param *p, const char **s, const double *standard)
{
    const char *start = *s;
    int places = p->length ? p->length : 1;
    if (text_take(s, '[')) {
        if (p->type > HZ_PARAM_FLOAT || !text_number(s, &p->low) || !text_take(s, '.') || !text_take(s, '.') ||
            !text_number(s, &p->high) || !text_take(s, ']') || p->low > p->high)
            return bad(p, "no range [low..high]", start);
        p->bounded = 1;
    }
    if (p->type <= HZ_PARAM_FLOAT)
        for (int i = 0; i < places; i++)
            if (!param_holds(p, standard[i]))
                return bad(p, "a default outside its type or range", start);
    return HZ_OK;
}

static hz_status parse_notes(hz_param *p, const char **s)
{
    if (text_take(s, '(') && !text_quoted(s, ')', p->unit, sizeof p->unit))
        return bad(p, "no unit of at most 15 letters", *s);
    if (text_take(s, '+'))
        p->direction = 1;
    else if (text_take(s, '-'))
        p->direction = -1;
    if (text_take(s, '\'') && !text_quoted(s, '\'', p->help, sizeof p->help))
        return bad(p, "no help of at most 95 letters", *s);
    return HZ_OK;
}

static hz_status parse_one(hz_params *list, const char **s)
{
    hz_param *p = &list->param[list->count];
    double *standard = list->standard + list->places;
    const char *start = text_skip(*s);
    if (!isalpha((unsigned char)*start) || !text_word(s, is_name, p->name, PARAM_NAME) || !text_take(s, ':'))
        return bad(p, "no 'name:type' (at most 31 letters)", start);
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->param[i].name, p->name))
            return bad(p, "a name given twice", start);
    p->at = list->places;
    hz_status status = parse_type(p, s);
    if (!status && !text_take(s, '='))
        status = bad(p, "no '= default'", *s);
    if (!status) status = parse_default(p, s, standard);
    if (!status) status = parse_range(p, s, standard);
    if (!status) status = parse_notes(p, s);
    list->places += p->length ? p->length : 1;
    return status;
}

static hz_status parse_all(const char *s, hz_params *out)
{
    for (s = text_skip(s); *s; s = text_skip(s)) {
        if (out->count == PARAM_MAX)
            return hz_fail(HZ_EFORMAT, "parameters: more than %d are declared; needs fewer", PARAM_MAX);
        hz_status status = parse_one(out, &s);
        if (status)
            return status;
        if (!text_take(&s, ';') && *text_skip(s))
            return bad(&out->param[out->count], "no ';'", s);
        out->count++;
    }
    return HZ_OK;
}

hz_status param_parse(const char *text, hz_params *out)
{
    *out = (hz_params){ .count = 0 };
    out->param = calloc(PARAM_MAX, sizeof *out->param);
    out->standard = calloc((size_t)PARAM_MAX * MAX_LENGTH, sizeof(double));
    if (!out->param || !out->standard) {
        param_free(out);
        return hz_fail(HZ_EMEM, "parameters: no memory for their table");
    }
    locale_t before = text_locale_enter();
    hz_status status = parse_all(text, out);
    text_locale_leave(before);
    if (status)
        param_free(out);
    return status;
}

void param_free(hz_params *p)
{
    free(p->param);
    free(p->standard);
    *p = (hz_params){ .count = 0 };
}
