/* sndfile.c: files of sound over libsndfile, but MP3, which only some of its versions read. What it reads it reads from
   memory: a file is taken or refused as a whole.
   The library hides that a file ends early; structure.c and the number of frames tell. */
#include "files.h"
#include <stdio.h>
#include <string.h>

const hz_host *sndfile_host;
#define host sndfile_host

enum { PORTION = 1 << 16 };          /* samples that are read at once: heads are not believed */

/* ---- memory as a file ---- */

static sf_count_t length(void *user) { return ((memory_file *)user)->size; }
static sf_count_t tell(void *user) { return ((memory_file *)user)->at; }

static sf_count_t seek(sf_count_t offset, int whence, void *user)
{
    memory_file *f = user;
    sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? f->at : f->size, to;
    if (!__builtin_add_overflow(base, offset, &to) && to >= 0)
        f->at = to;
    return f->at;
}

static sf_count_t pull(void *to, sf_count_t count, void *user)
{
    memory_file *f = user;
    sf_count_t left = f->at < f->size ? f->size - f->at : 0;
    count = count < 0 ? 0 : count < left ? count : left;
    if (!count)
        return 0;
    memcpy(to, (f->bytes ? f->bytes : f->out->data) + f->at, (size_t)count);
    f->at += count;
    return count;
}

static sf_count_t push(const void *from, sf_count_t count, void *user)
{
    memory_file *f = user;
    sf_count_t end = f->at + count;
    if (!f->out || count <= 0 || (f->failed = f->failed || host->grow(f->out, (size_t)end)))
        return 0;
    if (f->at > f->size)
        memset(f->out->data + f->size, 0, (size_t)(f->at - f->size));
    memcpy(f->out->data + f->at, from, (size_t)count);
    f->at = end;
    f->size = end > f->size ? end : f->size;
    f->out->size = (size_t)f->size;
    return count;
}

SF_VIRTUAL_IO memory_calls = { length, seek, pull, push, tell };

/* ---- formats ---- */

static const struct { int format; const char *kind; } kinds[] = {
    { SF_FORMAT_WAV, "wav" }, { SF_FORMAT_WAVEX, "wav" }, { SF_FORMAT_RF64, "wav" }, { SF_FORMAT_AIFF, "aiff" },
    { SF_FORMAT_AU, "au" }, { SF_FORMAT_FLAC, "flac" }, { SF_FORMAT_OGG, "ogg" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* First bytes, and those at byte 8. */
static const struct { const char *first, *eighth; } marks[] = {
    { "RIFF", "WAVE" }, { "RIFX", "WAVE" }, { "RF64", "WAVE" }, { "FORM", "AIFF" },
    { "FORM", "AIFC" }, { ".snd", "" }, { "fLaC", "" }, { "OggS", "" },
};

static int begins(const uint8_t *bytes, size_t count, const char *mark)
{
    return count >= strlen(mark) && !memcmp(bytes, mark, strlen(mark));
}

static int takes(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (begins(bytes, count, marks[i].first) && count >= 8 && begins(bytes + 8, count - 8, marks[i].eighth))
            return 1;
    return 0;
}

static int kind_of(const SF_INFO *info, char kind[16])
{
    for (int i = 0; i < KINDS; i++)
        if ((info->format & SF_FORMAT_TYPEMASK) == kinds[i].format) {
            snprintf(kind, 16, "%s", kinds[i].kind);
            return 0;
        }
    return host->fail("it is of format 0x%x of libsndfile; needs wav, aiff, au, flac or ogg",
                      info->format);
}

/* ---- reading ---- */

static int check(const SF_INFO *info)
{
    if (info->frames < 1)
        return host->fail("it holds no samples");
    if (info->samplerate < 1 || info->channels < 1)
        return host->fail("its rate is %d Hz and its channels are %d; needs at least 1 of each", info->samplerate,
                          info->channels);
    return 0;
}

/* All frames, as many as there are; `frames` how many. */
static int pull_all(SNDFILE *f, int channels, hz_bytes *out, int64_t *frames)
{
    const size_t frame = (size_t)channels * sizeof(float);
    sf_count_t portion = PORTION / channels > 0 ? PORTION / channels : 1, got = portion;
    for (*frames = 0; got == portion; *frames += got) {
        if (host->grow(out, ((size_t)*frames + (size_t)portion) * frame))
            return -1;
        got = sf_readf_float(f, (float *)(void *)(out->data + (size_t)*frames * frame), portion);
    }
    out->size = (size_t)*frames * frame;
    return 0;
}

static int decode(SNDFILE *f, const SF_INFO *info, hz_media *format, hz_bytes *out)
{
    int64_t frames;
    if (pull_all(f, info->channels, out, &frames))
        return -1;
    if (sf_error(f))
        return host->fail("libsndfile says: %s", sf_strerror(f));
    if (frames != info->frames)
        return host->fail("it breaks off after %lld frames; its head says %lld", (long long)frames,
                          (long long)info->frames);
    format->frames = frames;
    return 0;
}

static int read_file(const uint8_t *bytes, size_t count, hz_media *format, char kind[16], hz_bytes *out)
{
    memory_file memory = { .bytes = bytes, .size = (sf_count_t)count };
    SF_INFO info = { .format = 0 };
    if (structure_check(bytes, count))
        return -1;
    SNDFILE *f = sf_open_virtual(&memory_calls, SFM_READ, &info, &memory);
    if (!f)
        return host->fail("libsndfile says: %s", sf_strerror(NULL));
    *format = (hz_media){ .kind = HZ_AUDIO, .channels = info.channels, .frames = info.frames, .rate = info.samplerate };
    int status = kind_of(&info, kind) || check(&info) || (out && decode(f, &info, format, out)) ? -1 : 0;
    sf_close(f);
    return status;
}

/* ---- the tables ---- */

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_sound_reader reader = {
    .size = sizeof reader, .library = library, .takes = takes, .read = read_file,
    .write = sndfile_write,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    snprintf(library_text, sizeof library_text, "%s", sf_version_string());
    return 0;
}

static const void *interface(const char *id)
{
    return strcmp(id, "hz.sound/1") ? NULL : &reader;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "sndfile",
    .version = "1",
    .about = "files of sound: WAV, AIFF, AU, FLAC, Ogg Vorbis and Opus",
    .open = open_plugin,
    .interface = interface,
};
