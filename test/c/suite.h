/* suite.h: how a C test runs. Its main() hands over rows of cases; they run in order, each in a process of its own, and
   the last line of the output is the one that test/all.sh counts. */
#ifndef SUITE_H
#define SUITE_H
#include "hz/base.h"
#include <check.h>
#include <string.h>

enum { SUITE_SECONDS = 300 };         /* a case may take so long: sanitizers are slow */

/* One case, run for _i in [from, to). */
typedef struct suite_row {
    const TTest *test;
    int from, to;
} suite_row;
#define RANGE(test, from, to) { test, from, to }
#define EACH(test, rows) RANGE(test, 0, (int)(sizeof(rows) / sizeof *(rows)))
#define ONCE(test) RANGE(test, 0, 1)

#define OK(call) ck_assert_msg((call) == HZ_OK, "%s", hz_message())
#define SAYS(text) ck_assert_msg(strstr(hz_message(), text) != NULL, "message '%s', needs '%s'", hz_message(), text)

static inline int run_rows(const char *name, const suite_row *row, int n)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, SUITE_SECONDS);
    for (int i = 0; i < n; i++)
        tcase_add_loop_test(cases, row[i].test, row[i].from, row[i].to);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* The status of main(): 0 if all passed. */
#define RUN_SUITE(name, ...) \
    run_rows(name, (const suite_row[]){ __VA_ARGS__ }, \
             (int)(sizeof((const suite_row[]){ __VA_ARGS__ }) / sizeof(suite_row)))
#endif
