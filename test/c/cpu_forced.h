/* cpu_forced.h: a node of cpu_work.h by a kernel of one's choice; of pairs_test.c and blocked_test.c. */
#ifndef CPU_FORCED_H
#define CPU_FORCED_H
#include "cpu_cases.h"

/* Runs a node by the kernel of this name, which must take it. */
static inline hz_status run_by(work *k, const char *kernel, int64_t count)
{
    const hz_backend *b = hz_backend_named("cpu");
    hz_node_stat stat;
    setenv("HZ_KERNEL", kernel, 1);
    hz_program *p = b->program_new(&k->w, 1, 1);
    unsetenv("HZ_KERNEL");
    ck_assert_msg(p && b->stat(p, 0, &stat) == HZ_OK, "%s", hz_message());
    ck_assert_str_eq(stat.kernel, kernel);
    hz_status status = b->run(p, 0, 1, &(hz_step){ .seed = 1, .count = count, .rate = 0.1f, .version = 1 }, 0);
    b->program_free(p);
    return status;
}
#endif
