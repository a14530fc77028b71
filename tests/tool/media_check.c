/* SPDX-License-Identifier: Apache-2.0 */
/* Draws test media for other programs to send, and tells how much of it has arrived. For tests/interop.
 *
 * - `draw DIR WIDTH HEIGHT STEP`: every STEPth test picture of the loop as DIR/000.png and so on, and DIR/sound.wav, a
 *   second of test sound that repeats without a seam.
 *
 * - `picture FILE.png WIDTH HEIGHT [canvas]`: compares with the test picture of that size, which may have been scaled
 * on its way. {"width", "height", "frame", "psnr_db", "mirrored_psnr_db"}. canvas: the picture was drawn in a browser's
 *   canvas, which Chromium sends as BT.709 in full range, and rmrtc took it for BT.601 in limited range.
 *
 * - `sound FILE.wav`: {"seconds", "markers", "regular", "similarity", "correlation", "gain_db"}, medians.
 *
 * Results are one line of JSON. Exit code 1, with a sentence on standard error: no such file, or no stamp in it. */
#include "base/time.h"
#include "marker.h"
#include "media/colour.h"
#include "media/image.h"
#include "png_write.h"
#include "quality.h"
#include "stamp.h"
#include "test_audio.h"
#include "test_video.h"
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE TEST_AUDIO_RATE_HZ
#define FEED (RATE / 100)         /* samples given to the detector at once */
#define COMPARED (RATE / 10)      /* a marker and the tone after it */
#define LAG_MAX (RATE / 1000)     /* the detector is right to half a millisecond */
#define MARKERS_MAX 4096          /* half an hour */
#define SPACING_ERROR_US 60000    /* players stretch and shrink sound where their delay changes */
#define WAV_SECONDS_MAX (30 * 60) /* as much as MARKERS_MAX */

static int fail(const char *what, const char *why) {
    fprintf(stderr, "media_check: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

/* ---- pictures ---- */

struct picture {
    struct rmi_image rgba, i420, flipped, reference;
};

static bool make_image(struct rmi_image *image, enum rmi_image_format format, uint32_t width, uint32_t height) {
    size_t size = rmi_image_bytes(format, (int)width, (int)height);
    void *data = size ? calloc(1, size) : NULL;
    return data && rmi_image_wrap(image, format, (int)width, (int)height, data, size) == RM_OK;
}

static void free_picture(struct picture *p) {
    free(p->rgba.plane[0]);
    free(p->i420.plane[0]);
    free(p->flipped.plane[0]);
    free(p->reference.plane[0]);
}

static const char *read_png(const char *path, struct picture *out) {
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&png, path))
        return "is no PNG file that can be read";
    png.format = PNG_FORMAT_RGBA;
    bool ok = png.width <= RMI_IMAGE_SIDE_MAX && png.height <= RMI_IMAGE_SIDE_MAX &&
              make_image(&out->rgba, RMI_IMAGE_RGBA, png.width, png.height) &&
              make_image(&out->i420, RMI_IMAGE_I420, png.width, png.height) &&
              make_image(&out->flipped, RMI_IMAGE_I420, png.width, png.height) &&
              make_image(&out->reference, RMI_IMAGE_I420, png.width, png.height) &&
              png_image_finish_read(&png, NULL, out->rgba.plane[0], out->rgba.stride[0], NULL);
    png_image_free(&png);
    if (!ok || rmi_image_convert(&out->rgba, &out->i420, NULL) ||
        rmi_image_flip(&out->i420, &out->flipped, true, false))
        return "is too large, damaged, or of an odd size";
    return NULL;
}

static rm_video video_of(const struct rmi_image *image) {
    rm_video v = {.width = (uint32_t)image->width,
                  .height = (uint32_t)image->height,
                  .format = image->format == RMI_IMAGE_RGBA ? RM_PIXEL_RGBA32 : RM_PIXEL_I420,
                  .plane_count = image->format == RMI_IMAGE_RGBA ? 1 : RM_PLANES_MAX};
    for (uint32_t p = 0; p < v.plane_count; p++) {
        v.planes[p] = image->plane[p];
        v.strides[p] = (size_t)image->stride[p];
    }
    return v;
}

/* What becomes of it when Chromium sends a canvas and we make a PNG of it. */
static bool as_canvas(struct rmi_image *i420) {
    static const struct rmi_colour colour = {RMI_COLOUR_BT709, true};
    struct rmi_image rgb = {0};
    bool ok = make_image(&rgb, RMI_IMAGE_RGBA, (uint32_t)i420->width, (uint32_t)i420->height) &&
              !rmi_image_convert(i420, &rgb, NULL) && !rmi_image_convert_colour(&rgb, i420, &colour, NULL) &&
              !rmi_image_convert(i420, &rgb, NULL) && !rmi_image_convert(&rgb, i420, NULL);
    free(rgb.plane[0]);
    return ok;
}

static bool scale(const struct rmi_image *from, struct rmi_image *to) {
    size_t size = rmi_image_scale_scratch(RMI_IMAGE_I420, from->width, from->height, to->width, to->height);
    void *scratch = malloc(size + 1);
    bool ok = scratch && rmi_image_scale(from, to, RMI_IMAGE_FILTER_BOX, scratch) == RM_OK;
    free(scratch);
    return ok;
}

/* The test picture of that number in the size `sent` has, scaled to the size `out` has. */
static bool draw_reference(struct rmi_image *sent, uint8_t frame, int64_t time_us, bool canvas, struct rmi_image *out) {
    struct test_video *tv = NULL;
    rm_runtime_data *data = NULL;
    bool ok = test_video_create((uint32_t)sent->width, (uint32_t)sent->height, 1, &tv) == RM_OK &&
              test_video_reference(tv, frame, time_us, &data) == RM_OK;
    if (ok) {
        const rm_video *v = rm_runtime_data_video(data);
        struct rmi_image drawn = {.format = RMI_IMAGE_I420, .width = sent->width, .height = sent->height};
        for (int p = 0; p < RMI_IMAGE_PLANES; p++) {
            drawn.plane[p] = rm_runtime_data_write_plane(data, (uint32_t)p);
            drawn.stride[p] = (int)v->strides[p];
        }
        ok = !rmi_image_flip(&drawn, sent, false, false) && (!canvas || as_canvas(sent)) && scale(sent, out);
    }
    rm_runtime_data_unref(&data);
    test_video_destroy(&tv);
    return ok;
}

static int check_picture(const char *path, uint32_t width, uint32_t height, bool canvas) {
    struct picture p = {0};
    struct rmi_image as_sent = {0};
    int64_t time_us;
    uint8_t frame;
    const char *why = read_png(path, &p);
    rm_video rgba = video_of(&p.rgba), upright = video_of(&p.i420), flipped = video_of(&p.flipped);
    rm_video sent = video_of(&p.reference);
    if (!why && !stamp_read(&rgba, &time_us, &frame))
        why = "has no stamp, or a damaged one";
    if (!why && (!make_image(&as_sent, RMI_IMAGE_I420, width, height) ||
                 !draw_reference(&as_sent, frame, time_us, canvas, &p.reference)))
        why = "cannot be compared with a picture of that size";
    if (!why)
        printf("{\"width\":%u,\"height\":%u,\"frame\":%u,\"psnr_db\":%.2f,\"mirrored_psnr_db\":%.2f}\n", rgba.width,
               rgba.height, frame, quality_psnr_db(&sent, &upright), quality_psnr_db(&sent, &flipped));
    free(as_sent.plane[0]);
    free_picture(&p);
    return why ? fail(path, why) : EXIT_SUCCESS;
}

/* ---- sound: WAV files of 16-bit integers or 32-bit floats ---- */

#define WAV_HEADER 44
#define WAV_PCM 1
#define WAV_FLOAT 3
#define WAV_EXTENSIBLE 0xfffe

static uint32_t le(const uint8_t *p, int bytes) {
    uint32_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void put_le(uint8_t *p, uint32_t v, int bytes) {
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

struct sound {
    uint8_t *file;
    uint16_t format, channels, bits;
    uint32_t rate;
    const uint8_t *data;
    size_t count; /* per channel */
};

static bool load_file(const char *path, uint8_t **out, size_t *len) {
    FILE *f = fopen(path, "rb");
    long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    bool ok = size > 0 && fseek(f, 0, SEEK_SET) == 0 && (*out = malloc((size_t)size)) &&
              fread(*out, 1, (size_t)size, f) == (size_t)size;
    *len = ok ? (size_t)size : 0;
    if (f)
        fclose(f);
    return ok;
}

static const char *read_wav(const char *path, struct sound *s) {
    size_t len, at = 12;
    if (!load_file(path, &s->file, &len))
        return "cannot be read, or is empty";
    if (len < at || memcmp(s->file, "RIFF", 4) || memcmp(s->file + 8, "WAVE", 4))
        return "is no WAV file";
    while (len - at >= 8 && !s->data) {
        const uint8_t *chunk = s->file + at + 8;
        size_t size = le(s->file + at + 4, 4);
        at += 8;
        if (!memcmp(chunk - 8, "fmt ", 4) && size >= 16 && len - at >= 26) {
            s->format = (uint16_t)le(chunk, 2);
            s->channels = (uint16_t)le(chunk + 2, 2);
            s->rate = le(chunk + 4, 4);
            s->bits = (uint16_t)le(chunk + 14, 2);
            if (s->format == WAV_EXTENSIBLE) /* the format is the beginning of a GUID */
                s->format = (uint16_t)le(chunk + 24, 2);
        } else if (!memcmp(chunk - 8, "data", 4)) {
            s->data = chunk;
            s->count = size < len - at ? size : len - at;
        }
        at = size < len - at ? at + size + size % 2 : len;
        at = at < len ? at : len;
    }
    bool known = (s->format == WAV_PCM && s->bits == 16) || (s->format == WAV_FLOAT && s->bits == 32);
    if (!s->data || !known || s->channels < 1 || s->rate != RATE)
        return "is not 48 kHz in 16-bit integers or 32-bit floats";
    s->count /= (size_t)s->channels * s->bits / 8;
    return s->count <= (size_t)RATE * WAV_SECONDS_MAX ? NULL : "is too long";
}

/* The mean of all channels. */
static float *mono(const struct sound *s) {
    float *out = calloc(s->count + 1, sizeof *out);
    size_t bytes = s->bits / 8;
    for (size_t i = 0; out && i < s->count * s->channels; i++) {
        const uint8_t *p = s->data + i * bytes;
        float v;
        if (s->format == WAV_FLOAT) {
            uint32_t word = le(p, 4);
            memcpy(&v, &word, sizeof v);
        } else {
            v = (float)(int16_t)le(p, 2) / 32768.0f;
        }
        out[i / s->channels] += v / s->channels;
    }
    return out;
}

struct heard {
    size_t n, regular; /* regular: came half a second after one of the other kind */
    double similarity[MARKERS_MAX], correlation[MARKERS_MAX], gain_db[MARKERS_MAX];
    size_t compared; /* of correlation and gain_db: those that do not lie at an end */
    struct marker_heard last;
};

static double energy(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static void compare(struct heard *h, const struct test_audio *sent, const float *x, size_t count,
                    const struct marker_heard *m) {
    float reference[COMPARED];
    size_t at = (size_t)(m->heard_us * RATE / RMI_SEC(1));
    if (at + COMPARED > count || h->compared == MARKERS_MAX)
        return;
    /* Rising markers begin the second, falling ones its second half. */
    test_audio_reference(sent, m->kind == MARKER_RISING ? 0 : RATE / 2, reference, COMPARED);
    h->correlation[h->compared] = quality_similarity(reference, x + at, COMPARED, LAG_MAX, NULL);
    size_t n = marker_samples(RATE);
    h->gain_db[h->compared++] = 10 * log10(energy(x + at, n) / energy(reference, n));
}

static void hear(struct heard *h, struct marker_detector *detector, const struct test_audio *sent, const float *x,
                 size_t count) {
    for (size_t i = 0; i + FEED <= count; i += FEED) {
        rm_audio chunk = {
            .samples = x + i, .sample_count = FEED, .frame_count = FEED, .sample_rate = RATE, .channels = 1};
        struct marker_heard m;
        marker_detector_feed(detector, &chunk, (int64_t)(i * (uint64_t)RMI_SEC(1) / RATE));
        while (marker_detector_next(detector, &m) && h->n < MARKERS_MAX) {
            int64_t error_us = m.heard_us - h->last.heard_us - MARKER_SPACING_US;
            h->regular += h->n > 0 && m.kind != h->last.kind && llabs(error_us) <= SPACING_ERROR_US;
            h->similarity[h->n++] = m.similarity;
            h->last = m;
            compare(h, sent, x, count, &m);
        }
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n) {
    qsort(x, n, sizeof *x, ascending);
    return n ? x[n / 2] : 0;
}

static int check_sound(const char *path) {
    struct sound s = {0};
    struct test_audio *sent = NULL;
    struct marker_detector *detector = NULL;
    const char *why = read_wav(path, &s);
    float *x = why ? NULL : mono(&s);
    struct heard *h = calloc(1, sizeof *h);
    if (!why && (!x || !h || test_audio_create(1, 10, 0, &sent) || marker_detector_create(RATE, &detector)))
        why = "no memory";
    if (!why) {
        hear(h, detector, sent, x, s.count);
        printf("{\"seconds\":%.2f,\"markers\":%zu,\"regular\":%zu,\"similarity\":%.3f,\"correlation\":%.3f,"
               "\"gain_db\":%.2f}\n",
               (double)s.count / RATE, h->n, h->regular, median(h->similarity, h->n),
               median(h->correlation, h->compared), median(h->gain_db, h->compared));
    }
    marker_detector_destroy(&detector);
    test_audio_destroy(&sent);
    free(h);
    free(x);
    free(s.file);
    return why ? fail(path, why) : EXIT_SUCCESS;
}

/* ---- drawing ---- */

static bool write_sound(const char *path) {
    static const uint8_t pcm[] = {16, 0, 0, 0, WAV_PCM, 0, 1, 0};
    uint8_t header[WAV_HEADER] = "RIFF....WAVEfmt ", bytes[2 * RATE];
    float *second = malloc(RATE * sizeof *second);
    struct test_audio *ta = NULL;
    bool ok = second && test_audio_create(1, 10, 0, &ta) == RM_OK;
    if (ok)
        test_audio_reference(ta, 0, second, RATE);
    for (size_t i = 0; ok && i < RATE; i++)
        put_le(bytes + 2 * i, (uint32_t)lrintf(second[i] * 32767.0f), 2);
    test_audio_destroy(&ta);
    free(second);
    put_le(header + 4, WAV_HEADER - 8 + sizeof bytes, 4);
    memcpy(header + 16, pcm, sizeof pcm);
    put_le(header + 24, RATE, 4);
    put_le(header + 28, 2 * RATE, 4);
    put_le(header + 32, 2, 2);
    put_le(header + 34, 16, 2);
    memcpy(header + 36, "data", 4);
    put_le(header + 40, sizeof bytes, 4);
    FILE *f = ok ? fopen(path, "wb") : NULL;
    ok = f && fwrite(header, sizeof header, 1, f) == 1 && fwrite(bytes, sizeof bytes, 1, f) == 1;
    return f && fclose(f) == 0 && ok;
}

static int draw(const char *dir, uint32_t width, uint32_t height, unsigned step) {
    struct test_video *tv = NULL;
    char path[4096];
    rm_err err = step > 0 && step < TEST_VIDEO_LOOP ? test_video_create(width, height, 1, &tv) : RM_E_INVALID_ARG;
    for (unsigned i = 0; !err && i * step < TEST_VIDEO_LOOP; i++) {
        rm_runtime_data *picture = NULL;
        err = test_video_reference(tv, (uint8_t)(i * step), (int64_t)i, &picture);
        snprintf(path, sizeof path, "%s/%03u.png", dir, i);
        err = err ? err : png_write(path, rm_runtime_data_video(picture));
        rm_runtime_data_unref(&picture);
    }
    test_video_destroy(&tv);
    snprintf(path, sizeof path, "%s/sound.wav", dir);
    if (!err && !write_sound(path))
        err = RM_E_IO;
    return err ? fail(dir, rm_strerror(err)) : EXIT_SUCCESS;
}

static uint32_t number(const char *text) {
    return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv) {
    if (argc == 6 && !strcmp(argv[1], "draw"))
        return draw(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
    bool canvas = argc == 6 && !strcmp(argv[5], "canvas");
    if ((argc == 5 || canvas) && !strcmp(argv[1], "picture"))
        return check_picture(argv[2], number(argv[3]), number(argv[4]), canvas);
    if (argc == 3 && !strcmp(argv[1], "sound"))
        return check_sound(argv[2]);
    fprintf(
        stderr,
        "usage: media_check draw DIR WIDTH HEIGHT STEP | picture FILE.png WIDTH HEIGHT [canvas] | sound FILE.wav\n");
    return 2;
}
