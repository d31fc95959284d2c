/* trial.c: a plugin from elsewhere is opened in a process of its own first, a fork that does nothing else, so that one
   whose code crashes, exits or hangs as it is loaded is skipped like any other that is no good. */
#define _GNU_SOURCE
#include "codec/door.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 5, LOOK = 50 };     /* what opening may take; ms between looks at signals */

/* Never comes back. One byte says that the plugin has. */
static void open_here(const char *path, int parent, int report)
{
    hz_plugin_row row = { .path = path };
    const struct rlimit none = { 0, 0 };
    static const int ends[] = { SIGTERM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    int nothing = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN);         /* Ctrl-C reaches both; the parent decides */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        signal(ends[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    for (int fd = 0; fd < 3; fd++)
        dup2(nothing, fd);
    plugin_open(path, &row);
    while (write(report, "", 1) < 0 && errno == EINTR) {}
    _exit(0);
}

/* 1: it has reported; 0: it has ended without; -1: it is still at it, or a signal to us is pending. */
static int await(int report)
{
    char byte;
    for (int passed = 0; passed < SECONDS * 1000 && !hz_signal_pending(); passed += LOOK) {
        struct pollfd p = { .fd = report, .events = POLLIN };
        if (poll(&p, 1, LOOK) > 0)
            return read(report, &byte, 1) == 1;
    }
    return -1;
}

static hz_status judge(int reported, int status)
{
    if (reported > 0)
        return HZ_OK;
    if (hz_signal_pending())
        return hz_fail(HZ_ESTATE, "it was not loaded: signal %d came", hz_signal_pending());
    if (reported < 0)
        return hz_fail(HZ_EFORMAT, "it hangs as it is loaded: nothing for %d s", SECONDS);
    if (!WIFSIGNALED(status))
        return hz_fail(HZ_EFORMAT, "it ends its process as it is loaded, with status %d", WEXITSTATUS(status));
    const char *name = sigabbrev_np(WTERMSIG(status));
    return hz_fail(HZ_EFORMAT, "it crashes as it is loaded: signal %d (SIG%s)", WTERMSIG(status), name ? name : "?");
}

hz_status plugin_try(const char *path)
{
#if defined __SANITIZE_THREAD__
    (void)path;                      /* the thread sanitizer bears no fork */
    return HZ_OK;
#else
    int ends[2], status = 0, reported, parent = getpid();
    if (pipe2(ends, O_CLOEXEC))
        return hz_fail(HZ_EIO, "it was not tried in a process of its own: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        open_here(path, parent, ends[1]);
    close(ends[1]);
    reported = pid > 0 ? await(ends[0]) : 0;
    close(ends[0]);
    if (pid < 0)
        return hz_fail(HZ_EIO, "it was not tried in a process of its own: %s", strerror(errno));
    kill(pid, SIGKILL);              /* it may be at it still, with the pipe closed; if it has ended, that stands */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return judge(reported, status);
#endif
}
