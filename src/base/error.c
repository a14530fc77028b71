/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <string.h>

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

rm_err rmi_err_by_name(const char *name, rm_err otherwise) {
    static const struct {
        rm_err err;
        const char *name;
    } names[] = {
#define RM_ERROR_ROW(name, value, text) {name, #name},
        RM_ERROR_LIST(RM_ERROR_ROW)
#undef RM_ERROR_ROW
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].err != RM_OK && !strcmp(names[i].name, name))
            return names[i].err;
    return otherwise;
}
