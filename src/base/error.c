/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/error.h>

const char *rm_err_name(rm_err err) {
    switch (err) {
#define RM_ERROR_NAME(name, value, text)                                                                               \
    case name:                                                                                                         \
        return #name;
        RM_ERROR_LIST(RM_ERROR_NAME)
#undef RM_ERROR_NAME
    }
    return "RM_E_UNKNOWN";
}

const char *rm_strerror(rm_err err) {
    switch (err) {
#define RM_ERROR_TEXT(name, value, text)                                                                               \
    case name:                                                                                                         \
        return text;
        RM_ERROR_LIST(RM_ERROR_TEXT)
#undef RM_ERROR_TEXT
    }
    return "unknown error code; the program and the library may be of different versions";
}
