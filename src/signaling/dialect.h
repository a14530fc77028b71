/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_DIALECT_H
#define RMI_SIGNALING_DIALECT_H

#include <jansson.h>
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What client and server share about the wire: ids, names of methods and members in both dialects. */

#define RMI_SIG_MAX_ID 64                   /* peer ids and room names: ^[A-Za-z0-9_-]{1,64}$ */
#define RMI_SIG_MAX_SDP ((size_t)64 * 1024) /* protocol limit of RemoteMedia */
#define RMI_SIG_MAX_CANDIDATE 2048          /* a candidate line is about 100 bytes; unknown extensions follow */
#define RMI_SIG_MAX_MID 64
#define RMI_SIG_MAX_TOKEN 1024

enum rmi_sig_caps { RMI_SIG_CAP_AUDIO = 1, RMI_SIG_CAP_VIDEO = 2, RMI_SIG_CAP_DATA = 4 };

enum rmi_sig_method {
    RMI_SIG_M_UNKNOWN,
    RMI_SIG_M_ANNOUNCE, /* a request to a server; as a notification to a client it means JOINED */
    RMI_SIG_M_OFFER,
    RMI_SIG_M_ANSWER,
    RMI_SIG_M_CANDIDATE,
    RMI_SIG_M_DISCONNECT,
    RMI_SIG_M_LIST,
    RMI_SIG_M_JOINED,
    RMI_SIG_M_LEFT,
    RMI_SIG_M_DISCONNECTED,
    RMI_SIG_M_STATE_CHANGE, /* understood, not used */
    RMI_SIG_M_COUNT
};

struct rmi_sig_candidate {
    char text[RMI_SIG_MAX_CANDIDATE + 1]; /* "candidate:..."; "" = end of candidates */
    char mid[RMI_SIG_MAX_MID + 1];        /* "" = not given */
    int mline_index;                      /* -1 = not given */
};

/* A strategy seam: how one dialect names methods and members. */
struct rmi_sig_dialect {
    const char *name;
    const char *methods[RMI_SIG_M_COUNT]; /* NULL: the dialect has no such method */
    const char *from_key;                 /* of forwarded messages */
    const char *to_key;
    const char *mline_key;
    bool caps_as_object;        /* {"audio":true} instead of ["audio"] */
    bool one_server_error_code; /* "not announced" and "id is taken" are -32000, not -32600 and -32602 */
    bool has_offer_id;          /* offers are named "from_to_ms" */
    bool has_sdp_type;          /* descriptions carry "type" */
};

extern const struct rmi_sig_dialect rmi_sig_dialect_peer;       /* peer.announce, peer.offer ... */
extern const struct rmi_sig_dialect rmi_sig_dialect_unprefixed; /* announce, offer ... */

/* Which method a name stands for, in any known spelling; *dialect (may be NULL) gets the dialect it belongs to. */
enum rmi_sig_method rmi_sig_method_of(const char *name, const struct rmi_sig_dialect **dialect);

bool rmi_sig_id_valid(const char *id);
/* The first of the given members (the list ends with NULL) that is a string; NULL when there is none. */
const char *rmi_sig_member(const json_t *object, const char *const *keys);
/* Members "from"/"from_peer_id" and "to"/"to_peer_id". NULL: absent. */
const char *rmi_sig_from(const json_t *params);
const char *rmi_sig_to(const json_t *params);

/* Capabilities from an array of names or an object of booleans; unknown names are ignored. */
unsigned rmi_sig_caps_parse(const json_t *caps);
json_t *rmi_sig_caps_write(const struct rmi_sig_dialect *dialect, unsigned caps);

/* A description: starts with "v=0", has an "m=" line where one is needed. `reason` is static text. */
bool rmi_sig_sdp_plausible(const char *sdp, bool need_media, const char **reason);

/* A candidate in any of its forms: a raw string, {"candidate","sdpMid","sdpMLineIndex"} as an object or as JSON inside
 * the string, three spellings of the index. RM_E_RPC_INVALID_PARAMS: absent or not text; RM_E_ICE_CANDIDATE_INVALID:
 * neither empty nor "candidate:...". */
rm_err rmi_sig_candidate_parse(const json_t *params, struct rmi_sig_candidate *out);

/* Parameters of a message from peer `from` to peer `to`, with the members both sides of the dialect look for. NULL: no
 * memory or text that is not UTF-8. */
json_t *rmi_sig_addressed(const struct rmi_sig_dialect *dialect, const char *from, const char *to);
json_t *rmi_sig_sdp_params(const struct rmi_sig_dialect *dialect, const char *from, const char *to, const char *type,
                           const char *sdp);
json_t *rmi_sig_candidate_params(const struct rmi_sig_dialect *dialect, const char *from, const char *to,
                                 const char *text, const char *mid, int mline_index);

#endif
