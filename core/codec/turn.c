/* turn.c: images as EXIF's orientation says that they are to be seen. */
#include "hz/codec.h"
#include <string.h>

/* Where the pixel at row 0 and column 0 of the turned image stands in the stored one (0 or the last row, column), and
   whether the turned image's rows are the stored one's columns; by orientation. */
static const struct { int bottom, right, across; } turns[9] = {
    [1] = { 0, 0, 0 }, [2] = { 0, 1, 0 }, [3] = { 1, 1, 0 }, [4] = { 1, 0, 0 },
    [5] = { 0, 0, 1 }, [6] = { 1, 0, 1 }, [7] = { 1, 1, 1 }, [8] = { 0, 1, 1 },
};

hz_status hz_media_turn(const uint8_t *pixels, int64_t height, int64_t width, int channels, int orientation,
                        uint8_t *out)
{
    if (orientation < 1 || orientation > 8)
        return hz_fail(HZ_EARG, "turn: orientation is %d; needs 1..8", orientation);
    if (height < 1 || width < 1 || channels < 1)
        return hz_fail(HZ_ESHAPE, "turn: the image is [%lld,%lld,%d]; needs at least 1 of each", (long long)height,
                       (long long)width, channels);
    int64_t down = width * channels, along = channels;         /* steps in the stored image, in bytes */
    const uint8_t *corner = pixels + (turns[orientation].bottom ? (height - 1) * down : 0) +
                            (turns[orientation].right ? (width - 1) * along : 0);
    down = turns[orientation].bottom ? -down : down;
    along = turns[orientation].right ? -along : along;
    int across = turns[orientation].across;
    int64_t rows = across ? width : height, columns = across ? height : width;
    int64_t row_step = across ? along : down, column_step = across ? down : along;
    for (int64_t y = 0; y < rows; y++) {
        const uint8_t *from = corner + y * row_step;
        for (int64_t x = 0; x < columns; x++, from += column_step, out += channels)
            memcpy(out, from, (size_t)channels);
    }
    return HZ_OK;
}
