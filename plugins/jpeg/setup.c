/* setup.c: what the plugin tells libjpeg: where errors go, and what the options mean. */
#include "jpeg.h"
#include <jerror.h>

/* ---- errors ---- */

void catcher_throw(j_common_ptr cinfo, const char *text)
{
    catcher *c = (catcher *)cinfo->err;
    snprintf(c->text, sizeof c->text, "%s", text);
    longjmp(c->back, 1);
}

static void on_error(j_common_ptr cinfo)
{
    char text[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, text);
    catcher_throw(cinfo, text);
}

/* Warnings that lose no pixel: versions and codes that a decoder does not need, bytes that belong to nothing. */
static int is_harmless(int code)
{
    return code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM || code == JWRN_NOT_SEQUENTIAL ||
           code == JWRN_EXTRANEOUS_DATA;
}

static void on_message(j_common_ptr cinfo, int level)
{
    if (level < 0 && !is_harmless(cinfo->err->msg_code))
        on_error(cinfo);
}

static void on_output(j_common_ptr cinfo) {}

void catcher_init(catcher *c)
{
    jpeg_std_error(&c->manager);
    c->manager.error_exit = on_error;
    c->manager.emit_message = on_message;
    c->manager.output_message = on_output;
}

int catcher_fail(const catcher *c)
{
    return c->said ? -1 : jpeg_host->fail("libjpeg says: %s", c->text);
}

/* ---- options ---- */

J_DCT_METHOD jpeg_dct(const double *options)
{
    static const J_DCT_METHOD methods[] = { JDCT_ISLOW, JDCT_IFAST, JDCT_FLOAT };
    return methods[(int)options[DCT]];
}

/* Quantisers that are given, for those that the quality makes. */
static void set_quantisers(JQUANT_TBL *table, const double *given)
{
    for (int i = 0; i < DCTSIZE2; i++)
        if (given[i] != 0)
            table->quantval[i] = (UINT16)given[i];
}

void jpeg_configure(struct jpeg_compress_struct *enc, const double *options, int channels)
{
    static const int across[] = { 2, 2, 1 }, down[] = { 2, 1, 1 };       /* 420 422 444 */
    enc->input_components = channels;
    enc->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(enc);
    jpeg_set_quality(enc, (int)options[QUALITY], TRUE);      /* TRUE: quantisers fit 8 bits, as baseline demands */
    set_quantisers(enc->quant_tbl_ptrs[0], options + LUMA);
    set_quantisers(enc->quant_tbl_ptrs[1], options + CHROMA);
    if (channels == 3) {
        enc->comp_info[0].h_samp_factor = across[(int)options[SUBSAMPLING]];
        enc->comp_info[0].v_samp_factor = down[(int)options[SUBSAMPLING]];
    }
    enc->dct_method = jpeg_dct(options);
    enc->restart_interval = (unsigned)options[RESTART];
    enc->optimize_coding = options[OPTIMIZE] != 0;
    enc->arith_code = options[ARITHMETIC] != 0;
    enc->scan_info = NULL;                                               /* of an earlier configuration */
    if (options[PROGRESSIVE] != 0)
        jpeg_simple_progression(enc);
}
