/* account.c: where the bytes of a JPEG XL stream went (ISO/IEC 18181-1 and -2): signature, headers of the picture and
   of its frames, tables of contents, and boxes are container; the sections of frames are payload. Quantisers, code
   tables and context maps share their bits with the samples: there are no tables. Where a header has what is not read
   here (profiles, previews, permuted sections), the rest counts as payload. Believes nothing of what it reads. */
#include "jxl.h"
#include "box.h"

static int part(hz_account *account, hz_part kind, size_t bytes)
{
    return account ? jxl_host->part(account, kind, bytes) : 0;
}

/* Adds up the sections of a table of contents; known = 0 where they are permuted, or more than can be there. */
static uint64_t read_contents(bits *b, frame *f)
{
    static const uint32_t offset[] = { 0, 1024, 17408, 4211712 };
    static const int wide[] = { 10, 14, 22, 30 };
    uint64_t sum = 0;
    if (take(b, 1))
        f->known = 0;
    align(b);
    for (uint64_t i = 0; i < f->sections && f->known; i++) {
        sum += take_choice(b, offset, wide);
        if (b->at > b->count)
            f->known = 0;
    }
    align(b);
    return sum;
}

static int check_size(uint64_t width, uint64_t height)
{
    if (width < 1 || height < 1 || width > JXL_MOST_PIXELS || height > JXL_MOST_PIXELS / width)
        return jxl_host->fail("the stream says %llu x %llu; needs at most %d pixels", (unsigned long long)height,
                              (unsigned long long)width, JXL_MOST_PIXELS);
    return 0;
}

/* Names a frame's headers and sections, and moves `at` behind them; f->known = 0, and nothing named, where they are not
   read. */
static int name_frame(const uint8_t *p, size_t *at, size_t bytes, const picture *of, frame *f, hz_account *account)
{
    bits b = { .p = p + *at, .count = (bytes - *at) * 8 };
    *f = read_frame(&b, of);
    if (f->known && check_size(f->width, f->height))
        return -1;
    uint64_t sections = f->known ? read_contents(&b, f) : 0;
    size_t head = b.at / 8, left = bytes - *at;
    if (!f->known || head > left)
        return f->known = 0;
    if (sections > left - head)
        return jxl_host->fail("a frame's sections have %llu bytes; the stream has %zu", (unsigned long long)sections,
                              left - head);
    *at += head + (size_t)sections;
    return part(account, HZ_CONTAINER, head) || part(account, HZ_PAYLOAD, (size_t)sections);
}

static int name_codestream(const uint8_t *p, size_t bytes, hz_account *account)
{
    bits b = { .p = p, .count = bytes * 8 };
    if (bytes < 2 || p[0] != 0xFF || p[1] != 0x0A)
        return jxl_host->fail("the stream does not begin as JPEG XL does");
    picture of = read_picture(&b);
    if (b.at >= b.count)
        return jxl_host->fail("the stream ends within its header, or has no picture");
    size_t at = b.at / 8;
    if (check_size(of.width, of.height) || part(account, HZ_CONTAINER, at))
        return -1;
    frame f = { .known = of.known };
    while (f.known && !f.last && at < bytes)
        if (name_frame(p, &at, bytes, &of, &f, account))
            return -1;
    if (f.known && !f.last)
        return jxl_host->fail("the stream ends before its last frame");
    return part(account, f.known ? HZ_CONTAINER : HZ_PAYLOAD, bytes - at);
}

/* In a file the codestream is one box, or several that begin with their number in 4 bytes. */
static int name_box(const box *b, hz_account *account)
{
    const size_t number = 4;
    if (part(account, HZ_CONTAINER, b->head))
        return -1;
    if (box_is(b, "jxlc"))
        return name_codestream(b->data, b->bytes, account);
    if (box_is(b, "jxlp") && b->bytes >= number)
        return part(account, HZ_CONTAINER, number) || part(account, HZ_PAYLOAD, b->bytes - number);
    return part(account, HZ_CONTAINER, b->bytes);
}

int jxl_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    box b;
    if (!box_at(p, bytes, &b) || !box_is(&b, "JXL "))
        return name_codestream(p, bytes, account);
    for (size_t at = 0; at < bytes; at += b.head + b.bytes) {
        if (!box_at(p + at, bytes - at, &b))
            return jxl_host->fail("byte %zu of %zu of the stream begins no whole box", at, bytes);
        if (name_box(&b, account))
            return -1;
    }
    return 0;
}
