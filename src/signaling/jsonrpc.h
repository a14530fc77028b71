/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_JSONRPC_H
#define RMI_SIGNALING_JSONRPC_H

#include <jansson.h>
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* JSON-RPC 2.0 messages over jansson. Every limit is checked by a scan of the raw bytes before jansson sees them, so
 * that a hostile message costs one pass over at most RMI_JSON_MAX_MESSAGE bytes and a bounded amount of memory. */

#define RMI_JSON_MAX_MESSAGE ((size_t)256 * 1024)
#define RMI_JSON_MAX_DEPTH 64
#define RMI_JSON_MAX_KEY 256     /* bytes between the quotes */
#define RMI_JSON_MAX_NUMBER 32   /* characters */
#define RMI_JSON_MAX_VALUES 8192 /* values in one message: a message of "[{},{},..." would cost 100 times its size */

/* The codes of the JSON-RPC specification 5.1 and of the RemoteMedia signaling protocol. */
enum rmi_rpc_code {
    RMI_RPC_PARSE = -32700,
    RMI_RPC_INVALID_REQUEST = -32600,
    RMI_RPC_METHOD_NOT_FOUND = -32601,
    RMI_RPC_INVALID_PARAMS = -32602,
    RMI_RPC_INTERNAL = -32603,
    RMI_RPC_PEER_NOT_FOUND = -32000,
    RMI_RPC_SESSION_LIMIT = -32001,
    RMI_RPC_OFFER_INVALID = -32002,
    RMI_RPC_ANSWER_INVALID = -32003,
    RMI_RPC_ICE_CANDIDATE_INVALID = -32004,
    RMI_RPC_NEGOTIATION_IN_PROGRESS = -32005,
    RMI_RPC_CONNECTION_TIMEOUT = -32006,
    RMI_RPC_CODEC_MISMATCH = -32007
};

/* RM_E_RPC_OTHER for a code that is not in the enumeration. */
rm_err rmi_rpc_err_of_code(int64_t code);
/* RMI_RPC_INTERNAL for an error that has no code of its own. */
int rmi_rpc_code_of_err(rm_err err);

/* Limits only. RM_E_TOO_BIG: a limit is exceeded; RM_E_PARSE: brackets or quotes do not match, or a NUL byte. */
rm_err rmi_json_scan(const char *text, size_t len);
/* Scan and parse; duplicate keys are refused. *out belongs to the caller. RM_E_TOO_BIG, RM_E_PARSE. */
rm_err rmi_json_parse(const char *text, size_t len, json_t **out);

enum rmi_rpc_kind { RMI_RPC_CALL, RMI_RPC_RESULT, RMI_RPC_ERROR };

/* A parsed message: all pointers go into `root`. */
struct rmi_rpc {
    enum rmi_rpc_kind kind;
    json_t *root;
    json_t *id;          /* NULL: absent or null (then a CALL is a notification) */
    const char *method;  /* CALL */
    json_t *params;      /* CALL: an object, or NULL when absent or null */
    json_t *result;      /* RESULT */
    int64_t code;        /* ERROR */
    const char *message; /* ERROR: never NULL */
    json_t *data;        /* ERROR: may be NULL */
};

/* Liberal: a missing "jsonrpc" member is accepted. RM_E_TOO_BIG, RM_E_PARSE: not JSON. RM_E_RPC_INVALID_REQUEST: JSON,
 * but no message (a batch too); then out->id is set when there was one and rmi_rpc_fini() is due.
 * RM_E_RPC_INVALID_PARAMS: params are neither object nor null; likewise. On RM_OK rmi_rpc_fini() is due. */
rm_err rmi_rpc_parse(const char *text, size_t len, struct rmi_rpc *out);
void rmi_rpc_fini(struct rmi_rpc *rpc);
/* Whether `id` is the integer `want`: as a number, or as digits in a string (some servers turn ids into text). */
bool rmi_rpc_id_is(const json_t *id, int64_t want);
/* The id as an integer by the same rule; -1 when it is none. */
int64_t rmi_rpc_id_int(const json_t *id);

/* Writers. `params`, `result`, `data` are consumed, also on failure; NULL stands for {} (params, result) or "absent"
 * (data). `id` is borrowed; NULL writes null. The text is the caller's, free(); NULL when memory is short. */
char *rmi_rpc_write_request(const char *method, int64_t id, json_t *params, size_t *len);
char *rmi_rpc_write_notification(const char *method, json_t *params, size_t *len);
char *rmi_rpc_write_result(json_t *id, json_t *result, size_t *len);
char *rmi_rpc_write_error(json_t *id, int code, const char *message, json_t *data, size_t *len);

#endif
