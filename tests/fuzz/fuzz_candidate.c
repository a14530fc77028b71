/* SPDX-License-Identifier: Apache-2.0 */
#include "net/candidate.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses must write, and what is written must parse to the same line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_candidate c, again;
    char text[RMI_CAND_TEXT_MAX * 2], second[RMI_CAND_TEXT_MAX * 2];
    if (rmi_candidate_parse((const char *)data, size, &c) != RM_OK || !c.udp)
        return 0;
    size_t n = rmi_candidate_write(&c, text, sizeof text);
    if (n == 0)
        abort();
    if (n > RMI_CAND_TEXT_MAX)
        return 0; /* an undisclosed related address was added to a line of nearly full length */
    if (rmi_candidate_parse(text, n, &again) != RM_OK)
        abort();
    if (rmi_candidate_write(&again, second, sizeof second) != n || memcmp(text, second, n) != 0)
        abort();
    return 0;
}
