/* main.c: the hz executable. Makes one Lua state, tells it where things are (the global _HZ) and hands over to
   lua/hz/cli/main.lua, whose return value is the exit status. The only file of the core that knows Lua. */
#define _GNU_SOURCE
#include "hz/base.h"
#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define MARK "lua/hz/cli/main.lua"      /* what makes a folder the root of hz */

/* ---- where things are ---- */

static int is_root(const char *folder)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/" MARK, folder) < (int)sizeof path && access(path, R_OK) == 0;
}

/* Cuts the last component off. */
static void up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
}

/* HZ_ROOT, the folder above the executable's (a source tree), or what `make install` made. 1 if found. */
static int find_root(char root[PATH_MAX])
{
    char above[PATH_MAX], share[PATH_MAX + 16];
    const char *named = getenv("HZ_ROOT");
    if (named && *named)
        return realpath(named, root) && is_root(root);
    ssize_t n = readlink("/proc/self/exe", above, sizeof above - 1);
    if (n > 0) {
        above[n] = 0;
        up(above);
        up(above);
        snprintf(share, sizeof share, "%s/share/hz", above);
        const char *found = is_root(above) ? above : is_root(share) ? share : NULL;
        if (found)
            return snprintf(root, PATH_MAX, "%s", found) < PATH_MAX;
    }
    return snprintf(root, PATH_MAX, "%s", HZ_PREFIX "/share/hz") < PATH_MAX && is_root(root);
}

/* The file of the core that this executable runs on, so that the FFI opens the very same one. */
static const char *library_path(void)
{
    Dl_info info;
    return dladdr((void *)(uintptr_t)hz_version, &info) && info.dli_fname ? info.dli_fname : "libhz.so";
}

/* ---- interrupting Lua ----
   A hook set from the signal handler stops Lua that is interpreted. Compiled traces ignore hooks, but look at a flag of
   LuaJIT's profiler once a turn and leave for the interpreter where it is set: so the profiler is on from the first
   guarded call, by lines (by functions would leave out loops) and with its clock stopped, and the handler has it take a
   sample. The core's flag is set as well, which stops loops over the core. */

enum { TICK = 20000, HINT = 75 };      /* microseconds between tries; tries after which the user is told */

static lua_State *running;             /* state of the guarded call, NULL outside one */
static int presses;                    /* of Ctrl-C that Lua has not noticed yet */
static int raised;                     /* interrupts raised in this guarded call: a pcall may have swallowed them */
static int ticks;                      /* tries since the first of them */
static int late;                       /* presses after the user was told */

/* Loops that must end tidily (c.defer) see the flag themselves; a second Ctrl-C stops them all the same. */
static int is_deferred(lua_State *L)
{
    lua_getglobal(L, "_HZ");
    lua_getfield(L, -1, "deferred");
    int deferred = lua_tointeger(L, -1) > 0 && presses < 2;
    lua_pop(L, 2);
    return deferred;
}

static void raise_interrupt(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (raised == 0)                   /* later ones stay until the call has ended, whatever catches them */
        lua_sethook(L, NULL, 0, 0);
    if (is_deferred(L))
        return;
    raised++;
    presses = 0;
    hz_signal_clear();
    lua_getfield(L, LUA_REGISTRYINDEX, "hz.interrupt");
    lua_error(L);
}

static int is_sampling(void)
{
    struct sigaction a;
    return !sigaction(SIGPROF, NULL, &a) && a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN;
}

/* A hook that was set while LuaJIT changed its tables may be lost: it is set anew. */
static void ask_to_stop(void)
{
    lua_sethook(running, NULL, 0, 0);
    lua_sethook(running, raise_interrupt, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    if (is_sampling())                 /* a profiler of the user's own may have ended this one */
        raise(SIGPROF);
}

static void tick_every(long microseconds)
{
    struct itimerval t = { { 0, microseconds }, { 0, microseconds } };
    setitimer(ITIMER_REAL, &t, NULL);
}

/* LuaJIT takes no samples while it collects or compiles: the asking is repeated until it was heard. */
static void on_tick(int number)
{
    static const char hint[] = "not stopped yet; Ctrl-C twice more ends the session\n";
    int error = errno;
    (void)number;
    if (!running || !presses || !hz_signal_pending())
        tick_every(0);
    else if (ticks++ != HINT || write(STDERR_FILENO, hint, sizeof hint - 1) > 0)
        ask_to_stop();
    errno = error;
}

static void on_interrupt(int number)
{
    if (presses++ == 0)
        ticks = late = 0;
    if (ticks > HINT && ++late == 2)   /* a C call that does not return: leave it and the session */
        _exit(130);
    hz_signal_set(number);
    if (running) {
        ask_to_stop();
        tick_every(TICK);
    }
}

static void take_no_sample(void *data, lua_State *L, int samples, int state)
{
    (void)data, (void)L, (void)samples, (void)state;
}

static void make_stoppable(lua_State *L)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    if (is_sampling())
        return;
    luaJIT_profile_start(L, "li1000000", take_no_sample, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
}

/* guard(interrupt, handler, f, ...): xpcall(f, handler, ...) that Ctrl-C ends with the error value `interrupt`. Between
   guarded calls lines are read, and no number of presses ends that. */
static int guard(lua_State *L)
{
    struct sigaction own = { .sa_handler = on_interrupt }, tick = { .sa_handler = on_tick };
    struct sigaction idle = { .sa_handler = hz_signal_set };
    int nargs = lua_gettop(L) - 3;
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_pushvalue(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "hz.interrupt");
    make_stoppable(L);
    presses = raised = 0;
    running = L;
    sigaction(SIGINT, &own, NULL);
    sigaction(SIGALRM, &tick, NULL);
    if (hz_signal_pending() == SIGINT)         /* pressed since the line was read */
        on_interrupt(SIGINT);
    int status = lua_pcall(L, nargs, LUA_MULTRET, 2);
    running = NULL;
    tick_every(0);
    hz_signal_catch();                 /* forgets what was pressed */
    sigaction(SIGINT, &idle, NULL);
    lua_sethook(L, NULL, 0, 0);
    if (status == LUA_ERRERR && raised) {      /* the handler itself was interrupted */
        lua_pushvalue(L, 1);
        lua_replace(L, -2);
    }
    lua_pushboolean(L, !status);
    lua_replace(L, 2);                 /* the handler's slot: (ok, results...) */
    return lua_gettop(L) - 1;
}

/* libedit asks C functions for its prompt and for keys, so that C never calls back into Lua. lua/hz/ext/edit.lua sets
   the text and pushes the keys: there are none to wait for. */
int hz_no_key(void *editline, void *key);
char *hz_prompt(void *editline);
void hz_prompt_set(const char *text);
static char prompt_text[64];
__attribute__((visibility("default"))) char *hz_prompt(void *editline) { (void)editline; return prompt_text; }
__attribute__((visibility("default"))) int hz_no_key(void *editline, void *key)
{
    (void)editline, (void)key;
    return 0;
}
__attribute__((visibility("default"))) void hz_prompt_set(const char *text)
{
    snprintf(prompt_text, sizeof prompt_text, "%s", text);
}

/* ---- the state ---- */

static void defer(lua_State *L, int by)
{
    lua_getglobal(L, "_HZ");
    lua_getfield(L, -1, "deferred");
    lua_pushinteger(L, lua_tointeger(L, -1) + by);
    lua_setfield(L, -3, "deferred");
    lua_pop(L, 2);
}

/* A loader: runs a module's chunk (an upvalue) with interrupts deferred. `require` would never load again what an
   interrupt had cut short. */
static int load_whole(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    defer(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
    defer(L, -1);
    return status ? lua_error(L) : 1;
}

/* A searcher of `require`, asked before those that go by package.path: hz and hz.* are hz's own modules and come from
   its root (an upvalue) alone, whatever stands in the current folder. */
static int find_own(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *root = lua_tostring(L, lua_upvalueindex(1));
    if (strcmp(name, "hz") && strncmp(name, "hz.", 3))
        return 0;
    const char *below = luaL_gsub(L, name, ".", "/");
    lua_pushfstring(L, strcmp(name, "hz") ? "%s/lua/%s.lua" : "%s/lua/%s/init.lua", root, below);
    if (access(lua_tostring(L, -1), F_OK))
        return luaL_error(L, "module '%s' is none of hz's: %s is not there", name, lua_tostring(L, -1));
    if (luaL_loadfile(L, lua_tostring(L, -1)))
        return lua_error(L);
    lua_pushcclosure(L, load_whole, 1);
    return 1;
}

/* Second in package.loaders, behind what is preloaded. */
static void set_loaders(lua_State *L, const char *root)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    for (int i = (int)lua_objlen(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushstring(L, root);
    lua_pushcclosure(L, find_own, 1);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

/* What stdout has not taken ends in status 1, however the program ends: the last flush counts. */
static void check_stdout(int status, void *unused)
{
    (void)unused;
    int flushed = fflush(stdout), error = errno;
    if (!flushed && !ferror(stdout))
        return;
    fprintf(stderr, "hz: stdout: what was to be written is not all there%s%s\n", flushed ? ": " : "",
            flushed ? strerror(error) : "");
    fflush(stderr);
    _exit(status ? status : 1);
}

static void set_host(lua_State *L, const char *root)
{
    lua_newtable(L);
    lua_pushstring(L, root);
    lua_setfield(L, -2, "root");
    lua_pushstring(L, library_path());
    lua_setfield(L, -2, "library");
    lua_pushcfunction(L, guard);
    lua_setfield(L, -2, "guard");
    lua_pushinteger(L, 0);
    lua_setfield(L, -2, "deferred");
    lua_setglobal(L, "_HZ");
}

static void set_arguments(lua_State *L, int argc, char **argv)
{
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_setglobal(L, "arg");
}

static int run(lua_State *L, const char *root)
{
    set_loaders(L, root);
    set_host(L, root);
    lua_pushfstring(L, "%s/" MARK, root);
    if (luaL_loadfile(L, lua_tostring(L, -1)) || lua_pcall(L, 0, 1, 0)) {
        const char *text = lua_tostring(L, -1);
        fprintf(stderr, "hz: %s\n", text ? text : "an error that is no text");
        return 1;
    }
    return (int)lua_tointeger(L, -1);
}

int main(int argc, char **argv)
{
    static char root[PATH_MAX];
    const char *named = getenv("HZ_ROOT");
    hz_signal_catch();
    on_exit(check_stdout, NULL);
    if (!find_root(root)) {
        if (named && *named)
            fprintf(stderr, "hz: HZ_ROOT is '%s', which has no " MARK "; needs hz's folder, or nothing\n", named);
        else
            fprintf(stderr, "hz: " MARK " is neither above the executable nor in " HZ_PREFIX "/share/hz; "
                    "set HZ_ROOT to hz's folder\n");
        return 1;
    }
    lua_State *L = luaL_newstate();
    if (!L) {
        fprintf(stderr, "hz: no memory for a Lua state\n");
        return 1;
    }
    luaL_openlibs(L);
    set_arguments(L, argc, argv);
    int status = run(L, root);
    lua_close(L);
    return status;
}
