/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_EXPORT_H
#define REMOTEMEDIA_EXPORT_H

/* Marks a function as part of the public interface; everything else in the library is built hidden. */
#if defined(__GNUC__)
#define RM_API __attribute__((visibility("default")))
#define RM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RM_API
#define RM_PRINTF(fmt, args)
#endif

#endif
