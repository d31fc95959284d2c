/* backend_test.c: devices by name: those of every build, those in shared objects, and why one is refused. */
#define _GNU_SOURCE
#include "made.h"
#include <sys/stat.h>
#include <unistd.h>

static char devices[4096], scratch[] = "/tmp/hz_device_XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

static void set_path(void)
{
    char path[9000];
    snprintf(path, sizeof path, "/nowhere::%s:%s", scratch, devices);
    setenv("HZ_BACKEND_PATH", path, 1);
}

/* The i-th of those that are listed behind those of every build; cards lie beside libhz.so where they were built. */
static const char *listed(int i)
{
    const char *name = hz_backend_name(i);
    for (int k = 3; name && k <= i; k++) {
        const char *before = hz_backend_name(k);
        i += !strcmp(before, "cuda") || !strcmp(before, "emu");
        name = hz_backend_name(i);
    }
    return name;
}

START_TEST(devices_are_listed)
{
    static const char *const all[] = { "cpu", "null", "far" };
    int n = sizeof all / sizeof *all;
    unsetenv("HZ_BACKEND_PATH");
    for (int i = 0; i < n; i++)
        ck_assert_str_eq(hz_backend_name(i), all[i]);
    ck_assert(!listed(n) && !hz_backend_name(-1));
    set_path();
    write_file("libhz_cut.so", "no object at all");
    write_file("libhz_Loud.so", "");                    /* no name of a device */
    write_file("libhz_bare.so.old", "");
    static const char *const found[] = { "bare", "cut", "draft", "other", "refuses", "short", "tin" };
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(listed(n + i), found[i]);
    ck_assert(!listed(n + 7));
    ck_assert(!hz_backend_named("gpu"));
    SAYS("device: 'gpu' is not known; have cpu, null, far, ");
    SAYS("refuses, short, tin");
}
END_TEST

START_TEST(a_device_of_the_same_build_opens)
{
    set_path();
    const hz_backend *b = hz_backend_named("tin");
    ck_assert_msg(b != NULL, "%s", hz_message());
    ck_assert_str_eq(b->describe(), "tin: 0 in, 0 out");
    ck_assert(hz_backend_named("tin") == b);
    ck_assert(hz_backend_named("tin:1") != NULL);
    ck_assert_str_eq(b->describe(), "tin number 1: 0 in, 0 out");
    unsetenv("HZ_BACKEND_PATH");
    ck_assert(hz_backend_named("tin") == b);            /* what is open stays */
    ck_assert(!hz_backend_named("tin:2"));
    SAYS("device: 'tin:2' is not known");
    ck_assert(hz_backend_named("far:1") == hz_backend_named("far") && hz_backend_named("far"));
}
END_TEST

static const struct { const char *name, *reason; } refused[] = {
    { "other", "libhz_other.so' was built from 0123456789ab; this hz from " },
    { "draft", "libhz_draft.so' speaks draft " },
    { "bare", "libhz_bare.so' exports no hz_device_main; it is no device of hz" },
    { "short", "libhz_short.so' offers a backend of " },
    { "refuses", "refuses: there is no such card; needs one" },
    { "cut", "libhz_cut.so' is no shared object (ELF)" },
    { "cpu:1", "device: 'cpu:1' is not known; have cpu, null, far, " },
    { "", "device: '' is not known" },
    { "../tin", "device: '../tin' is not known" },
    { "aVeryLongNameOfADeviceThatIsNotThereAtAll", "is not known" },
};

START_TEST(others_are_refused_with_the_reason)
{
    set_path();
    write_file("libhz_cut.so", "no object at all");
    ck_assert_msg(!hz_backend_named(refused[_i].name), "'%s' was opened", refused[_i].name);
    SAYS(refused[_i].reason);
    ck_assert(!hz_backend_named(refused[_i].name));     /* and again */
}
END_TEST

int main(int argc, char **argv)
{
    ssize_t n = readlink("/proc/self/exe", devices, sizeof devices - 16);
    if (n < 0 || !mkdtemp(scratch))
        return 1;
    devices[n] = 0;
    strcpy(strrchr(devices, '/'), "/devices");
    int failed = RUN_SUITE("backend", ONCE(devices_are_listed), ONCE(a_device_of_the_same_build_opens),
                           EACH(others_are_refused_with_the_reason, refused));
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command) || failed;
}
