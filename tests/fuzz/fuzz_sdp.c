/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep.h"
#include "sdp/sdp.h"
#include <stdlib.h>
#include <string.h>

/* One input goes three ways: parse and write and parse again; as an offer that is answered; as the answer to our own
 * offer. What we write ourselves must always be readable. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rmi_jsep_local local = {
    .ufrag = "abcd", .pwd = "0123456789012345678901", .fingerprint = "sha-256 AA:BB"};

static void must_read(const char *text) {
    struct rmi_sdp *sdp;
    if (rmi_sdp_parse(text, strlen(text), &sdp, NULL))
        abort();
    rmi_sdp_free(sdp);
}

static void parse_and_write(const char *text, size_t size) {
    struct rmi_sdp *sdp;
    struct rmi_sbuf out = {0};
    if (rmi_sdp_parse(text, size, &sdp, NULL))
        return;
    rmi_sdp_write(sdp, &out);
    rmi_sdp_free(sdp);
    /* Inherited lines are repeated in each section, so only the size may have become too much. */
    if (out.len && out.len <= RMI_SDP_TEXT_MAX)
        must_read(rmi_sbuf_text(&out));
    rmi_sbuf_fini(&out);
}

static void negotiate(const char *text, size_t size, bool answer) {
    struct rmi_prng prng;
    char detail[RMI_JSEP_DETAIL_MAX], *own = NULL;
    struct rmi_jsep *j;
    rmi_prng_seed(&prng, 1);
    struct rmi_jsep_config config = {
        .rng = rmi_prng_rng(&prng), .name = "fuzz", .polite = true, .data_channel = true, .cname = "cn"};
    if (rmi_jsep_create(&config, &j))
        return;
    rmi_jsep_add_media(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV, NULL, "a", NULL);
    rmi_jsep_add_media(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV, NULL, "v", NULL);
    if (answer && rmi_jsep_create_offer(j, &local, &own) == RM_OK)
        must_read(own);
    free(own);
    own = NULL;
    if (rmi_jsep_set_remote(j, answer ? RMI_SDP_ANSWER : RMI_SDP_OFFER, text, size, detail) == RM_OK) {
        rmi_jsep_result(j);
        if (!answer && rmi_jsep_create_answer(j, &local, &own) == RM_OK)
            must_read(own);
        free(own);
        own = NULL;
        if (rmi_jsep_create_offer(j, &local, &own) == RM_OK)
            must_read(own);
        free(own);
        /* The same words again, as a later offer that meets ours. */
        if (rmi_jsep_set_remote(j, RMI_SDP_OFFER, text, size, detail) == RM_OK)
            rmi_jsep_rollback(j);
        rmi_jsep_result(j);
    }
    rmi_jsep_destroy(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    parse_and_write(text, size);
    negotiate(text, size, false);
    negotiate(text, size, true);
    return 0;
}
