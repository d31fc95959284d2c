/* code.c: bytes by liblzma, there and back. */
#include "xz.h"

enum { LEAST_DICTIONARY = 4096 };
static const uint64_t most_memory = (uint64_t)1 << 30;       /* a decoder takes as much as its stream says */

static int explain(lzma_ret result)
{
    static const char *const text[] = { [LZMA_MEM_ERROR] = "memory is short", [LZMA_MEMLIMIT_ERROR] = "too much memory",
                                        [LZMA_FORMAT_ERROR] = "no stream of xz", [LZMA_DATA_ERROR] = "it is damaged",
                                        [LZMA_OPTIONS_ERROR] = "options that it does not know" };
    const char *said = (unsigned)result < sizeof text / sizeof *text ? text[result] : NULL;
    return xz_host->fail("liblzma gives up with status %d%s%s", (int)result, said ? ": " : "", said ? said : "");
}

int xz_chain(lzma_filter chain[2], lzma_options_lzma *options, const double *values, size_t bytes)
{
    if (lzma_lzma_preset(options, (uint32_t)values[LEVEL]))
        return xz_host->fail("liblzma has no preset %g", values[LEVEL]);
    uint32_t enough = bytes < LEAST_DICTIONARY ? LEAST_DICTIONARY : bytes > UINT32_MAX / 2 ? UINT32_MAX / 2
                      : (uint32_t)bytes;
    options->dict_size = enough < options->dict_size ? enough : options->dict_size;
    chain[0] = (lzma_filter){ .id = LZMA_FILTER_LZMA2, .options = options };
    chain[1] = (lzma_filter){ .id = LZMA_VLI_UNKNOWN };
    return 0;
}

int xz_code(const double *values, const uint8_t *from, size_t n, uint8_t *to, size_t room, size_t *size)
{
    lzma_filter chain[2];
    lzma_options_lzma options;
    if (xz_chain(chain, &options, values, n))
        return -1;
    lzma_ret result = lzma_stream_buffer_encode(chain, LZMA_CHECK_CRC32, NULL, from, n, to, size, room);
    return result == LZMA_OK ? 0 : explain(result);
}

int xz_decode(const uint8_t *bytes, size_t count, uint8_t *to, size_t n)
{
    uint64_t memory = most_memory;
    size_t at = 0, got = 0;
    lzma_ret result = lzma_stream_buffer_decode(&memory, 0, NULL, bytes, &at, count, to, &got, n);
    if (result == LZMA_BUF_ERROR || (result == LZMA_OK && got != n))
        return xz_host->fail("the stream holds other than the %zu samples of its head", n);
    return result == LZMA_OK ? 0 : explain(result);
}
