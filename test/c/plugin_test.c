/* plugin_test.c: the plugin door: what is refused and why, the grammar of declared parameters, values and
   their messages. */
#define _GNU_SOURCE
#include "plugins.h"
#include "suite.h"
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char scratch[] = "/tmp/hz_plugin_XXXXXX";

static const hz_plugin_row *row_named(const char *file)
{
    for (int i = 0; i < hz_plugin_count(); i++) {
        const char *path = hz_plugin_at(i)->path, *name = strrchr(path, '/') + 1;
        if (!strcmp(name, file))
            return hz_plugin_at(i);
    }
    return NULL;
}

static void need_part(const char *text, const char *part)
{
    ck_assert_msg(text && strstr(text, part), "got \"%s\"; needs \"%s\" in it", text ? text : "(nothing)", part);
}

/* ---- refusals ---- */

static const struct { const char *file, *reason; } refused[] = {
    { "odd_draft.so", "'odd_draft' offers hz.codec/0, a draft; this hz takes hz.codec/1" },
    { "odd_short.so", "'odd_short' offers a hz.codec/1 of" },
    { "odd_unnamed.so", "leaves a field empty; needs name" },
    { "odd_closed.so", "odd_closed: the licence server is down; needs rain" },
    { "odd_grammar.so", "codec 'odd_grammar': parameter 'x': no 'name:type'" },
    { "text.so", "is no shared object (ELF)" },
    { "empty.so", "is no shared object (ELF)" },
    { "cut.so", "is cut short" },
    { "folder.so", "is no shared object (ELF)" },
    { "symbol.so", "exports no hz_plugin_main" },
    { "missing", "this folder cannot be read: No such file or directory" },
};

START_TEST(refusals)
{
    const hz_plugin_row *row = row_named(refused[_i].file);
    ck_assert_msg(row != NULL, "%s is not listed", refused[_i].file);
    need_part(row->skipped, refused[_i].reason);
    ck_assert_ptr_null(row->name);
}
END_TEST

START_TEST(loaded_plugins)
{
    const hz_plugin_row *row = row_named("odd_vector.so");
    ck_assert_ptr_nonnull(row);
    ck_assert_ptr_null(row->skipped);
    ck_assert_str_eq(row->codec, "odd_vector");
    ck_assert_str_eq(row->library, "none");
    ck_assert_ptr_nonnull(hz_codec_find("odd_vector"));
    need_part(hz_plugin_log(), "odd_vector was opened by hz ");
    need_part(hz_plugin_log(), hz_version());
    ck_assert_ptr_null(hz_plugin_at(-1));
    ck_assert_ptr_null(hz_plugin_at(hz_plugin_count()));
    ck_assert_ptr_null(hz_codec_at(hz_codec_count()));
}
END_TEST

/* The codec of a name that is found first hides others: both are listed. */
START_TEST(hidden_plugins)
{
    const hz_plugin_row *row = row_named("odd_twice.so"), *nearer = row_named("odd_account.so");
    ck_assert(row && nearer);
    ck_assert_ptr_null(row->skipped);
    ck_assert_str_eq(row->name, "odd_twice");
    ck_assert_str_eq(row->codec, "odd_account");
    ck_assert_str_eq(row->kind, "image");
    ck_assert_ptr_nonnull(row->hidden);
    ck_assert_str_eq(row->hidden, nearer->path);
    ck_assert_ptr_null(nearer->hidden);
    ck_assert(!row->script && !nearer->script);
}
END_TEST

START_TEST(loading_again_adds_nothing)
{
    int rows = hz_plugin_count(), codecs = hz_codec_count();
    char folders[9000];
    snprintf(folders, sizeof folders, ":%s/test/plugins::%s/plugins:", build_folder(), build_folder());
    ck_assert_int_eq(hz_plugin_load(folders, 1), HZ_OK);
    ck_assert_int_eq(hz_plugin_load("", 1), HZ_OK);
    ck_assert_int_eq(hz_plugin_load(NULL, 0), HZ_OK);
    ck_assert_int_eq(hz_plugin_count(), rows);
    ck_assert_int_eq(hz_codec_count(), codecs);
}
END_TEST

START_TEST(unknown_codec_names_what_exists)
{
    ck_assert_ptr_null(hz_codec_find("tta"));
    need_part(hz_message(), "codec: 'tta' is not loaded; have ");
    need_part(hz_message(), "odd_vector");
    ck_assert_ptr_null(hz_codec_new("tta", ""));
    ck_assert_ptr_null(hz_codec_find(NULL));
}
END_TEST

/* ---- the grammar ---- */

static const hz_param *param_named(const hz_params *p, const char *name)
{
    for (int i = 0; i < p->count; i++)
        if (!strcmp(p->param[i].name, name))
            return &p->param[i];
    return NULL;
}

START_TEST(declarations)
{
    const hz_params *p = hz_codec_params(hz_codec_find("odd_vector"));
    ck_assert_int_eq(p->count, 6);
    ck_assert_int_eq(p->places, 1 + 1 + 3 + 1 + 1 + 256);
    const hz_param *q = param_named(p, "level");
    ck_assert_int_eq(q->type, HZ_PARAM_INT);
    ck_assert_int_eq(q->direction, -1);
    ck_assert_str_eq(q->unit, " dB ");
    ck_assert_str_eq(q->help, "one");
    ck_assert(q->bounded && q->low == -3 && q->high == 9 && p->standard[q->at] == -1);
    q = param_named(p, "on");
    ck_assert(q->type == HZ_PARAM_BOOL && q->direction == 1 && p->standard[q->at] == 1 && !q->bounded);
    q = param_named(p, "weights");
    ck_assert(q->type == HZ_PARAM_FLOAT && q->length == 3 && q->at == 2);
    ck_assert(p->standard[2] == 0.25 && p->standard[3] == 0.5 && p->standard[4] == 1000);
    q = param_named(p, "kind");
    ck_assert(q->type == HZ_PARAM_ENUM && q->choices == 3 && q->direction == -1);
    ck_assert_str_eq(q->choice[2], "v1.2");
    q = param_named(p, "free");
    ck_assert(q->type == HZ_PARAM_FLOAT && p->standard[q->at] == -2.5e-3 && q->direction == 0);
    q = param_named(p, "many");
    ck_assert(q->length == 256 && p->standard[q->at] == 7 && p->standard[q->at + 255] == 7);
}
END_TEST

/* A declaration and what is said about it; NULL: it is fine. */
static const struct { const char *text, *reason; } grammar[] = {
    { "x", "no 'name:type'" },
    { "9x:int=1", "no 'name:type'" },
    { "x:", "no type" },
    { "x:string=1", "no type (int, float, bool, enum)" },
    { "x:int", "no '= default'" },
    { "x:int=", "no number" },
    { "x:int=one", "no number" },
    { "x:int=0x10", "no ';'" },
    { "x:int=1.5", "a default outside" },
    { "x:float=nan", "no number" },
    { "x:float=1e999", "no number" },
    { "x:int=5[1..4]", "a default outside" },
    { "x:int=5[9..1]", "no range" },
    { "x:int=5[1.9]", "no range" },
    { "x:int=5[1..9", "no range" },
    { "x:bool=yes", "no true or false" },
    { "x:bool=true[0..1]", "no range" },
    { "x:enum=", "no choice" },
    { "x:enum=a||b", "no choice" },
    { "x:enum=a|a", "a choice given twice" },
    { "x:enum=a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q", "more than 16 choices" },
    { "x:enum*2=a|b", "no vector" },
    { "x:int*0=1", "no vector" },
    { "x:int*257=1", "no vector" },
    { "x:int*3=1,2", "too few numbers" },
    { "x:int*3=1,2,3,4", "no number" },
    { "x:int=1(kbit/s and then more)", "no unit" },
    { "x:int=1(kbit", "no unit" },
    { "x:int=1'help", "no help" },
    { "x:int=1 y:int=2", "no ';'" },
    { "x:int=1; x:int=2", "a name given twice" },
    { "x:int=1[0..2](s)+'h'++", "no ';'" },
    { "a_name_that_is_longer_than_31_letters:int=1", "no 'name:type'" },
    { "x:int=1e2[1..100]+; ; ", "no 'name:type'" },
    { " x : float * 2 = 1 [ -1.5 .. +2e0 ] - 'a' ; y:enum=a;", NULL },
};

START_TEST(declarations_that_are_wrong)
{
    char folder[4200];
    const hz_plugin_row *row = row_named("odd_grammar.so");
    snprintf(folder, sizeof folder, "%s/test/plugins", build_folder());
    setenv("ODD_PARAMS", grammar[_i].text, 1);
    ck_assert_int_eq(hz_plugin_load(folder, 1), HZ_OK);
    if (grammar[_i].reason)
        need_part(row->skipped, grammar[_i].reason);
    else
        ck_assert_msg(row->skipped == NULL, "refused: %s", row->skipped);
}
END_TEST

/* ---- values ---- */

static const struct { const char *codec, *values, *text; } messages[] = {
    { "odd_vector", "level=10", "odd_vector: level is 10; needs -3..9" },
    { "odd_vector", "level=1.5", "odd_vector: level is 1.5; needs a whole number of -3..9" },
    { "odd_vector", "level=high", "odd_vector: level is high; needs a whole number of -3..9" },
    { "odd_vector", "level=", "odd_vector: level is empty; needs a whole number of -3..9" },
    { "odd_vector", "level=1 2", "odd_vector: level is '1 2'; needs" },
    { "odd_vector", "level", "odd_vector: 'level' has no value; needs name=value" },
    { "odd_vector", "levle=1", "odd_vector: 'levle' is no parameter; has level, on, weights, kind, free, many" },
    { "odd_vector", "level=1;level=2", "odd_vector: level is given twice" },
    { "odd_vector", "on=maybe", "odd_vector: on is 'maybe'; needs true or false" },
    { "odd_vector", "kind=warm", "odd_vector: kind is 'warm'; needs soft, hard, v1.2" },
    { "odd_vector", "weights=1,2", "odd_vector: weights has 2 numbers; needs 3" },
    { "odd_vector", "weights=1,2,3,4", "odd_vector: weights has 4 numbers; needs 3" },
    { "odd_vector", "weights=1,2000,3", "odd_vector: weights is 2000; needs 0..1000" },
    { "odd_vector", "weights=3,2,1", "odd_vector: weights fall from 3 to 1; needs rising ones" },
    { "odd_vector", "free=inf", "odd_vector: free is inf; needs a number" },
    { "jpeg", "quality=150", "jpeg: quality is 150; needs 1..100" },
    { "jpeg", "quality=0", "jpeg: quality is 0; needs 1..100" },
    { "jpeg", "subsampling=411", "jpeg: subsampling is '411'; needs 420, 422, 444" },
};

START_TEST(values_that_are_wrong)
{
    if (!hz_codec_find(messages[_i].codec))
        return;                      /* a machine without libjpeg */
    ck_assert_ptr_null(hz_codec_new(messages[_i].codec, messages[_i].values));
    need_part(hz_message(), messages[_i].text);
}
END_TEST

START_TEST(values_print_one_way)
{
    setlocale(LC_ALL, "de_DE.UTF-8");            /* a decimal comma, where that locale exists */
    ck_assert_ptr_null(hz_codec_new("odd_vector", "many=1"));
    need_part(hz_message(), "many has 1 numbers; needs 256");
    hz_codec *c = hz_codec_new("odd_vector", " kind = v1.2 ;weights= 0.1 , 2e-1,3; ;free=1.25;on=0;");
    ck_assert_msg(c != NULL, "%s", hz_message());
    need_part(hz_codec_text(c), "level=-1;on=false;weights=0.1,0.2,3;kind=v1.2;free=1.25;many=7,7,");
    hz_codec *again = hz_codec_new("odd_vector", hz_codec_text(c));
    ck_assert_str_eq(hz_codec_text(again), hz_codec_text(c));
    need_part(hz_codec_fingerprint(c), "odd_vector 1 (hz.codec/0.1, none, file ");
    hz_codec_free(again);
    hz_codec_free(c);
    hz_codec_free(NULL);
}
END_TEST

/* The text that cells were kept by before jpeg had tables is still theirs. */
START_TEST(zeros_go_without_saying)
{
    if (!hz_codec_find("jpeg"))
        return;
    char luma[64 * 2 + 8] = "luma=-0";
    for (int i = 1; i < 64; i++)
        strcat(luma, ",0");
    hz_codec *plain = hz_codec_new("jpeg", "quality=10"), *given = hz_codec_new("jpeg", luma);
    ck_assert_ptr_null(strstr(hz_codec_text(plain), "luma"));
    ck_assert_ptr_null(strstr(hz_codec_text(given), "luma"));
    need_part(hz_codec_text(plain), "quality=10;subsampling=420;optimize=false;progressive=false;dct=islow;restart=0");
    hz_codec_free(given);
    luma[5] = luma[6] = '1';
    given = hz_codec_new("jpeg", luma);
    need_part(hz_codec_text(given), "restart=0;luma=11,0,0,");
    ck_assert_ptr_null(strstr(hz_codec_text(given), "chroma"));
    hz_codec_free(given);
    hz_codec_free(plain);
}
END_TEST

/* ---- files that are no plugins ---- */

static void write_file(const char *name, const void *data, size_t n)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f))
        perror(path);
}

static void make_bad_files(void)
{
    static char so[1 << 22];
    char path[4200], command[9000];
    snprintf(path, sizeof path, "%s/test/plugins/odd_vector.so", build_folder());
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(so, 1, sizeof so, f) : 0;
    if (f)
        fclose(f);
    write_file("text.so", "this is no shared object, but it is longer than the header of one would be", 75);
    write_file("empty.so", "", 0);
    write_file("cut.so", so, n / 2);
    snprintf(command, sizeof command, "mkdir %s/folder.so && cp %s/libhz.so %s/symbol.so", scratch,
             build_folder(), scratch);
    if (system(command))
        perror(command);
}

int main(void)
{
    char more[200], command[100];
    if (!mkdtemp(scratch))
        return 1;
    make_bad_files();
    snprintf(more, sizeof more, ":%s/missing:%s", scratch, scratch);
    if (load_plugins(more))
        return 1;
    int status = RUN_SUITE("plugin", EACH(refusals, refused), ONCE(loaded_plugins), ONCE(hidden_plugins),
                           ONCE(loading_again_adds_nothing),
                           ONCE(unknown_codec_names_what_exists), ONCE(declarations),
                           EACH(declarations_that_are_wrong, grammar), EACH(values_that_are_wrong, messages),
                           ONCE(values_print_one_way), ONCE(zeros_go_without_saying));
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command) || status;
}
