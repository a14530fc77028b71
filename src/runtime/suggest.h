/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_SUGGEST_H
#define RMI_RUNTIME_SUGGEST_H

#include <stddef.h>

/* Finds the name that was probably meant: offer each candidate, then read `best`. */
struct rmi_suggest {
    const char *written;
    const char *best; /* NULL: nothing near */
    size_t distance;
};

struct rmi_suggest rmi_suggest_init(const char *written);
void rmi_suggest_offer(struct rmi_suggest *s, const char *candidate);

/* Letters to insert, delete, replace or swap with a neighbour to make one from the other, without regard to case; names
 * of more than 64 characters are never near. */
size_t rmi_edit_distance(const char *a, const char *b);

#endif
