/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_CLIENT_PRIVATE_H
#define RMI_SIGNALING_CLIENT_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "signaling/client.h"
#include "signaling/jsonrpc.h"

/* Bounds of what waits inside a client. */
#define MAX_OUTPUT 256
#define MAX_PENDING 512
#define MAX_EVENTS 1024 /* those a remote side causes; our own always fit */
#define MAX_OTHERS 256  /* ids taken from one announcement */
#define MAX_HELD 64     /* messages that overtake the reply to our announcement */
#define MAX_HELD_BYTES ((size_t)1024 * 1024)
#define MAX_TEXT 256 /* of an error text from the server */

struct text_node {
    struct rmi_list node;
    size_t len;
    char *text;
};

struct event_node {
    struct rmi_list node;
    bool spare; /* goes back to the spare ones */
    struct rmi_sig_event ev;
    const char *others[]; /* ev.others_count of them; then the strings */
};

/* Of the secret by which a server knows that a second connection under our id is ours (rmi_sig_server.h). */
#define INSTANCE_BYTES 16

struct pending {
    struct rmi_list node;
    int64_t id; /* -1: replied to, an offer that waits for its answer */
    enum rmi_sig_request kind;
    char to[RMI_SIG_MAX_ID + 1];
    int64_t deadline;
};

struct rmi_sig_client {
    char id[RMI_SIG_MAX_ID + 1];
    char room[RMI_SIG_MAX_ID + 1];
    char *token;
    char instance[2 * INSTANCE_BYTES + 1];
    struct rmi_sig_client_config config; /* its strings are not used after create */

    enum rmi_sig_state state;
    bool running; /* between start and leave */
    const struct rmi_sig_dialect *dialect;
    int64_t deadline; /* of the state we are in */
    int64_t next_id;
    int64_t announce_id;
    unsigned attempt;     /* failed connections in a row */
    unsigned ghost_tries; /* refusals of our own id after a reconnect */
    bool was_ready;       /* the id was ours once: whoever holds it now is our former connection */
    int64_t ready_since;

    struct rmi_list output, events, pending, held;
    struct rmi_list spares; /* for what the client itself has to say: it must not be lost without memory */
    size_t output_count, event_count, pending_count, held_count, held_bytes;
    struct text_node *current_output;
    struct event_node *current_event;
    struct rmi_sig_client_stats stats;
};

/* client.c */
void rmi_sig_client_announced(struct rmi_sig_client *c, int64_t now_us, const json_t *result);
void rmi_sig_client_announce_refused(struct rmi_sig_client *c, int64_t now_us, int64_t code, const char *text,
                                     bool taken);

/* client_queue.c */
/* False: it is lost, as there is no memory, or the peers say too much. */
bool rmi_sig_emit(struct rmi_sig_client *c, const struct rmi_sig_event *ev);
rm_err rmi_sig_make_spares(struct rmi_sig_client *c);
void rmi_sig_event_free(struct rmi_sig_client *c, struct event_node *node); /* accepts NULL */
void rmi_sig_emit_failed(struct rmi_sig_client *c, enum rmi_sig_request request, const char *peer, rm_err err,
                         int64_t code, const char *text);
/* Takes `text`. */
rm_err rmi_sig_put_out(struct rmi_sig_client *c, char *text, size_t len);
rm_err rmi_sig_list_add(struct rmi_list *list, char *text, size_t len);
void rmi_sig_list_clear(struct rmi_list *list);
/* Takes `params`. */
rm_err rmi_sig_send_request(struct rmi_sig_client *c, int64_t now_us, enum rmi_sig_request kind, const char *to,
                            json_t *params);
void rmi_sig_pending_drop(struct rmi_sig_client *c, struct pending *p);
struct pending *rmi_sig_pending_by_id(struct rmi_sig_client *c, int64_t id);
struct pending *rmi_sig_pending_offer(struct rmi_sig_client *c, const char *to);
/* Forget all; with an error each offer gives REQUEST_FAILED. */
void rmi_sig_pending_clear(struct rmi_sig_client *c, rm_err err);
void rmi_sig_pending_expire(struct rmi_sig_client *c, int64_t now_us);

/* client_input.c */
void rmi_sig_client_handle(struct rmi_sig_client *c, int64_t now_us, const char *text, size_t len);

#endif
