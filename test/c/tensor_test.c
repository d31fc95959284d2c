/* tensor_test.c: making, views, counts of storage, conversions, arithmetic; and what is refused. */
#include "made.h"

static double at(const hz_tensor *t, int64_t a, int64_t b)
{
    int64_t i[] = { a, b };
    return hz_tensor_at(t, i);
}

/* (rows,columns) holding 10*row + column. */
static hz_tensor *grid(int64_t rows, int64_t columns)
{
    hz_tensor *t = hz_tensor_new(HZ_F32, SHAPE(rows, columns));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            hz_tensor_put(t, (int64_t[]){ i, j }, (double)(10 * i + j));
    return t;
}

START_TEST(storage_is_counted)
{
    int64_t before = hz_live_bytes();
    hz_tensor *t = grid(3, 4), *rows = hz_tensor_slice(t, 0, 1, 3, 1), *cell = hz_tensor_select(rows, 1, 2);
    ck_assert_int_eq(hz_tensor_uses(t), 3);
    ck_assert(hz_live_bytes() - before >= 48);
    hz_tensor_free(t);                                  /* the views live on */
    ck_assert(at(rows, 1, 3) == 23 && hz_tensor_at(cell, (int64_t[]){ 0 }) == 12);
    hz_tensor_free(rows);
    ck_assert_int_eq(hz_tensor_uses(cell), 1);
    hz_tensor_clear(cell);
    ck_assert(hz_tensor_count(cell) == 0 && hz_tensor_uses(cell) == 0);
    ck_assert(hz_live_bytes() == before);
    hz_tensor_free(cell);
    hz_tensor_free(NULL);
}
END_TEST

START_TEST(views_see_the_same_numbers)
{
    hz_tensor *t = grid(4, 6), *odd = hz_tensor_slice(t, 1, 1, 6, 2);
    hz_tensor *turned = hz_tensor_permute(odd, (int32_t[]){ 1, 0 });
    ck_assert(odd->shape[1] == 3 && at(odd, 2, 2) == 25);
    ck_assert(turned->shape[0] == 3 && at(turned, 2, 3) == 35 && !hz_tensor_contiguous(turned));
    hz_tensor_put(turned, (int64_t[]){ 0, 0 }, -7);
    ck_assert(at(t, 0, 1) == -7);
    hz_tensor *flat = hz_tensor_reshape(turned, 1, (int64_t[]){ -1 });       /* a copy: the view has gaps */
    ck_assert(flat->shape[0] == 12 && hz_tensor_uses(flat) == 1 && hz_tensor_at(flat, (int64_t[]){ 4 }) == 3);
    hz_tensor *same = hz_tensor_reshape(t, SHAPE(2, -1));                    /* a view: it has none */
    ck_assert(same->shape[1] == 12 && hz_tensor_uses(t) == 4 && at(same, 1, 11) == 35);
    hz_tensor *column = hz_tensor_select(t, 1, 2), *wide = hz_tensor_expand(column, SHAPE(2, 4));
    ck_assert(at(wide, 0, 3) == 32 && at(wide, 1, 3) == 32 && wide->stride[0] == 0);
    hz_tensor *none = hz_tensor_slice(t, 0, 2, 2, 1);
    ck_assert(hz_tensor_count(none) == 0);
    DROP(t, odd, turned, flat, same, column, wide, none);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    hz_tensor *t = grid(3, 4), *other = grid(4, 3), *gaps = hz_tensor_slice(t, 1, 0, 2, 1);
    ck_assert(!hz_tensor_new(HZ_F32, SHAPE(2, -1)));
    SAYS("extent 2 is -1");
    ck_assert(!hz_tensor_new(HZ_F32, SHAPE((int64_t)1 << 40, (int64_t)1 << 40)));
    SAYS("more elements than memory can address");
    ck_assert(!hz_tensor_new(HZ_F32, SHAPE((int64_t)1 << 31, (int64_t)1 << 31, 8, 8)));
    ck_assert(!hz_tensor_new(HZ_F32, SHAPE((int64_t)1 << 46)));
    SAYS("bytes were asked for");
    ck_assert(!hz_tensor_new(99, SHAPE(1)) && !hz_tensor_new(HZ_F32, 7, (int64_t[]){ 1, 1, 1, 1, 1, 1, 1 }));
    ck_assert(!hz_tensor_slice(t, 0, 2, 5, 1) && !hz_tensor_slice(t, 2, 0, 1, 1) && !hz_tensor_slice(t, 0, 0, 1, 0)
              && !hz_tensor_slice(t, 0, 2, 1, 1));
    ck_assert(!hz_tensor_select(t, 0, 3) && !hz_tensor_select(t, 0, -1));
    SAYS("index: 0 of dimension 1; needs 1..3");
    ck_assert(!hz_tensor_permute(t, (int32_t[]){ 0, 0 }) && !hz_tensor_permute(t, (int32_t[]){ 0, 2 }));
    ck_assert(!hz_tensor_reshape(t, SHAPE(5, -1)) && !hz_tensor_reshape(t, SHAPE(-1, -1))
              && !hz_tensor_reshape(t, SHAPE(13)));
    ck_assert(!hz_tensor_expand(t, SHAPE(3, 8)) && !hz_tensor_expand(t, SHAPE(4)));
    ck_assert(hz_tensor_copy(t, other) == HZ_ESHAPE);
    SAYS("copy: (4,3) was given; needs (3,4)");
    ck_assert(hz_tensor_binary("nosuch", t, t, t) == HZ_EARG && hz_tensor_unary("nosuch", t, t) == HZ_EARG);
    ck_assert(hz_tensor_reduce("sum", t, t, 0) == HZ_ESHAPE);
    ck_assert(hz_tensor_uniform(gaps, 0, 1, 0, 0) == HZ_ESHAPE);
    ck_assert_int_eq(hz_tensor_uses(t), 2);            /* t and gaps: the failures took no count */
    DROP(t, other, gaps);
}
END_TEST

/* from, to, value, what arrives */
static const struct { int from, to; double value, arrives; } conversions[] = {
    { HZ_F32, HZ_U8, 3.5, 4 }, { HZ_F32, HZ_U8, 2.5, 2 }, { HZ_F32, HZ_U8, -3, 0 }, { HZ_F32, HZ_U8, 300, 255 },
    { HZ_F64, HZ_I32, 1e12, 2147483647 }, { HZ_F64, HZ_I32, -1e12, -2147483648.0 }, { HZ_F64, HZ_I32, -2.5, -2 },
    { HZ_F32, HZ_BF16, 1.00390625, 1 },            /* 1 + 2^-8 lies between 1 and 1 + 2^-7: to even */
    { HZ_F32, HZ_BF16, 1.01171875, 1.015625 },     /* 1 + 3*2^-8: to even, upwards */
    { HZ_F32, HZ_BF16, -65536, -65536 }, { HZ_I32, HZ_F32, 16777217, 16777216 }, { HZ_U8, HZ_F64, 200, 200 },
};

START_TEST(conversions_round_and_saturate)
{
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        hz_tensor *a = filled(conversions[i].from, conversions[i].value, SHAPE(3));
        hz_tensor *b = hz_tensor_new(conversions[i].to, SHAPE(3));
        OK(hz_tensor_copy(b, a));
        double got = hz_tensor_at(b, (int64_t[]){ 2 });
        ck_assert_msg(got == conversions[i].arrives, "row %d: %.10g, needs %.10g", (int)i, got, conversions[i].arrives);
        DROP(a, b);
    }
    hz_tensor *nan = filled(HZ_F32, NAN, SHAPE(1));
    hz_tensor *b = hz_tensor_new(HZ_BF16, SHAPE(1)), *u = filled(HZ_U8, 9, SHAPE(1));
    OK(hz_tensor_copy(b, nan));
    OK(hz_tensor_copy(u, nan));
    ck_assert(isnan(hz_tensor_at(b, (int64_t[]){ 0 })));
    ck_assert(hz_tensor_at(u, (int64_t[]){ 0 }) == 0);
    DROP(nan, b, u);
}
END_TEST

START_TEST(copies_between_any_strides)
{
    uint64_t state = 5;
    for (int i = 0; i < 200; i++) {
        int64_t rows = 1 + pick(&state, 5), columns = 1 + pick(&state, 5);
        int types[] = { HZ_F32, HZ_F64, HZ_I32, HZ_U8, HZ_BF16 };
        hz_tensor *a = grid(rows, columns), *b = hz_tensor_new(types[pick(&state, 5)], SHAPE(columns, rows));
        hz_tensor *to = pick(&state, 2) ? hz_tensor_permute(b, (int32_t[]){ 1, 0 })
                                        : hz_tensor_reshape(b, SHAPE(rows, columns));
        OK(hz_tensor_copy(to, a));
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                ck_assert(at(to, r, c) == at(a, r, c));
        DROP(a, b, to);
    }
}
END_TEST

START_TEST(arithmetic_broadcasts)
{
    hz_tensor *a = grid(3, 4), *row = hz_tensor_select(a, 0, 1), *out = hz_tensor_new(HZ_F64, SHAPE(3, 4));
    OK(hz_tensor_binary("mul", out, a, row));
    ck_assert(at(out, 2, 3) == 23 * 13);
    OK(hz_tensor_unary("sqrt", out, out));
    ck_assert(fabs(at(out, 2, 3) - sqrt(23 * 13)) < 1e-15 * 20);
    hz_tensor *sums = hz_tensor_new(HZ_F64, SHAPE(4)), *all = hz_tensor_new(HZ_F64, 0, NULL);
    hz_tensor *which = hz_tensor_new(HZ_I32, SHAPE(3));
    OK(hz_tensor_reduce("sum", sums, a, 0));
    ck_assert(hz_tensor_at(sums, (int64_t[]){ 3 }) == 3 + 13 + 23);
    OK(hz_tensor_reduce("var", all, row, -1));
    ck_assert(hz_tensor_at(all, NULL) == 1.25);
    OK(hz_tensor_reduce("argmax", which, a, 1));
    ck_assert(hz_tensor_at(which, (int64_t[]){ 2 }) == 3);
    DROP(a, row, out, sums, all, which);
}
END_TEST

/* Element e of a stream is the same whatever the shape; streams and seeds differ. */
START_TEST(random_contents_belong_to_seed_and_stream)
{
    hz_tensor *a = hz_tensor_new(HZ_F32, SHAPE(7, 11));
    hz_tensor *b = hz_tensor_new(HZ_F32, SHAPE(70)), *c = hz_tensor_new(HZ_F64, SHAPE(70));
    OK(hz_tensor_uniform(a, 0, 1, 3, 4));
    OK(hz_tensor_uniform(b, 0, 1, 3, 4));
    ck_assert(!memcmp(a->data, b->data, 70 * 4));
    OK(hz_tensor_uniform(b, 0, 1, 3, 5));
    ck_assert(memcmp(a->data, b->data, 70 * 4));
    OK(hz_tensor_normal(c, 2, 0.5, 3, 4));
    double sum = 0;
    for (int64_t i = 0; i < 70; i++)
        sum += hz_tensor_at(c, &i);
    ck_assert(fabs(sum / 70 - 2) < 5 * 0.5 / sqrt(70));
    DROP(a, b, c);
}
END_TEST

int main(void)
{
    return RUN_SUITE("tensor", ONCE(storage_is_counted), ONCE(views_see_the_same_numbers),
                     ONCE(what_does_not_fit_is_refused), ONCE(conversions_round_and_saturate),
                     ONCE(copies_between_any_strides), ONCE(arithmetic_broadcasts),
                     ONCE(random_contents_belong_to_seed_and_stream));
}
