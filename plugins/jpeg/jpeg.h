/* jpeg.h: what the files of the JPEG plugin share.
   libjpeg reports an error by calling a function that must not return. Here that function jumps back into the
   plugin's own call, which turns it into host->fail; no jump ever crosses the host. Warnings that cost pixels (data
   that are damaged or missing) count as errors, others are nothing. */
#ifndef HZ_PLUGIN_JPEG_H
#define HZ_PLUGIN_JPEG_H
#include "hz/plugin.h"
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>

extern const hz_host *jpeg_host;

/* Places of the values in the order of the declaration; a table of quantisers takes DCTSIZE2, row by row. */
enum { QUALITY, SUBSAMPLING, OPTIMIZE, PROGRESSIVE, DCT, RESTART, LUMA, CHROMA = LUMA + DCTSIZE2,
       ARITHMETIC = CHROMA + DCTSIZE2, OPTIONS };

/* An error manager with the place to go back to and what was said. */
typedef struct catcher {
    struct jpeg_error_mgr manager;   /* first: libjpeg knows only this */
    jmp_buf back;
    int said;                        /* the host's message is set already */
    char text[JMSG_LENGTH_MAX];
} catcher;

void catcher_init(catcher *c);
void catcher_throw(j_common_ptr cinfo, const char *text);    /* does not return */
int catcher_fail(const catcher *c);                          /* host->fail with what was caught; non-zero */

/* Sets everything the options decide; keeps the error and destination managers. */
void jpeg_configure(struct jpeg_compress_struct *enc, const double *options, int channels);
J_DCT_METHOD jpeg_dct(const double *options);

/* Names the parts of a complete stream; of a foreign one, bytes that belong to no segment are container. */
int jpeg_account(const uint8_t *p, size_t bytes, hz_account *account, int foreign);

extern const hz_codec_bench jpeg_bench;

#endif
