/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <libavutil/error.h>
#include <libavutil/pixfmt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SHOWN 72 /* bytes of a path in a sentence: leaves room for reason and remedy */

rm_err rmf_fail(struct rmf_fault *fault, rm_err err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return err;
}

const char *rmf_short(const char *path) {
    size_t len = strlen(path);
    return len > PATH_SHOWN ? path + len - PATH_SHOWN : path;
}

rm_err rmf_fail_av(struct rmf_fault *fault, int av_error, const char *what, const char *path, const char *remedy) {
    char reason[AV_ERROR_MAX_STRING_SIZE] = "unknown error";
    if (av_error == AVERROR_EXIT)
        return rmf_fail(fault, RM_E_CLOSED, "%s %s: the session was closed", what, rmf_short(path));
    av_strerror(av_error, reason, sizeof reason);
    rm_err err = RM_E_IO;
    if (av_error == AVERROR(ENOMEM))
        err = RM_E_NO_MEMORY;
    else if (av_error == AVERROR_INVALIDDATA)
        err = RM_E_PARSE;
    return rmf_fail(fault, err, "%s %s: %s%s%s", what, rmf_short(path), reason, remedy ? "; " : "",
                    remedy ? remedy : "");
}

int rmf_pix_fmt(rm_pixel_format format) {
    switch (format) {
    case RM_PIXEL_YUV420P:
    case RM_PIXEL_I420:
        return AV_PIX_FMT_YUV420P;
    case RM_PIXEL_NV12:
        return AV_PIX_FMT_NV12;
    case RM_PIXEL_RGB24:
        return AV_PIX_FMT_RGB24;
    case RM_PIXEL_RGBA32:
        return AV_PIX_FMT_RGBA;
    default:
        return AV_PIX_FMT_NONE;
    }
}
