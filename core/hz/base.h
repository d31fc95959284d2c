/* base.h: status codes, the message of the last failure, version, memory count, signals.
   Public headers are read by C11, C++17 and LuaJIT's FFI alike: comments, enums, typedefs, structs and prototypes;
   everything else stands on lines that begin with '#'. No function macros, no extern "C". */
#ifndef HZ_BASE_H
#define HZ_BASE_H
#include <stddef.h>
#include <stdint.h>
#pragma GCC visibility push(default)

typedef enum hz_status {
    HZ_OK = 0,
    HZ_EARG,       /* a value out of range, an unknown name */
    HZ_ESHAPE,     /* shapes that do not fit together */
    HZ_EDTYPE,     /* a storage type the operation does not take */
    HZ_EMEM,       /* an allocation failed */
    HZ_EIO,        /* the system refused to read or write */
    HZ_EFORMAT,    /* bytes that are not what they claim to be */
    HZ_EDEVICE,    /* a device is missing, lost or of another build */
    HZ_ESTATE,     /* a call at the wrong time */
    HZ_ENUMERIC    /* a number that is not finite */
} hz_status;

/* Sets the calling thread's message (printf-style: "who: what was given; what is needed") and returns `code`. [any] */
hz_status hz_fail(hz_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "<prefix>" before the calling thread's message and returns `code`. [any] */
hz_status hz_fail_in(hz_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The calling thread's last message; lent until its next failure. [any] */
const char *hz_message(void);

const char *hz_version(void);     /* "0.1.0"; lent for ever */
int hz_numerics(void);            /* raised whenever the same run may yield other bits */
const char *hz_cdef(void);        /* text of all public headers, as ffi.cdef reads it; lent for ever */
const char *hz_commit(void);      /* the git commit this was built from, with '+' if the tree was changed;
                                     lent for ever */
/* sizeof a public struct by its name, 0 if unknown: the FFI compares it with its own at load. */
size_t hz_sizeof(const char *type);

/* Bytes in live tensor storage and arenas now, and the highest value so far. [any] */
int64_t hz_live_bytes(void);
int64_t hz_peak_bytes(void);
void hz_peak_reset(void);

/* Huge-page aware memory, counted in hz_live_bytes; 64-byte aligned, contents undefined. NULL (message set) on failure.
   new: free with hz_free and the same byte count. [any] */
void *hz_alloc(size_t bytes);
void hz_free(void *p, size_t bytes);

/* SIGINT and SIGTERM set a flag instead of ending the process; a second SIGINT since this call ends it at once,
   cleared or not. Calling it again forgets the first. [main] */
void hz_signal_catch(void);
void hz_signal_release(void);
int hz_signal_pending(void);      /* the signal's number, 0 if none */
void hz_signal_set(int number);   /* as the signal would; for handlers of the caller's own */
void hz_signal_clear(void);

double hz_seconds(void);          /* monotonic clock, seconds */

#pragma GCC visibility pop
#endif
