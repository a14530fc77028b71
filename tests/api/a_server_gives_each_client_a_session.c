/* SPDX-License-Identifier: Apache-2.0 */
/* Server mode in one process: clients connect to a transport that listens, each has a session of its own, a full
 * session holds its client's channel back, and everything ends cleanly in the middle of it. */
#include "support/api.h"

#include "frame/control_frame.h"
#include "frame/data_buffer.h"
#include <pthread.h>
#include <remotemedia/serve.h>
#include <remotemedia/webrtc_data.h>
#include <remotemedia/webrtc_media.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 20000
#define CLIENTS 3
#define BURST 300 /* far more than the node's queue */

/* ---- a node that numbers its inputs, and waits at a door before the first ---- */

static pthread_mutex_t door_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t door_moved = PTHREAD_COND_INITIALIZER;
static bool door_open;

static void set_door(bool open) {
    pthread_mutex_lock(&door_mutex);
    door_open = open;
    pthread_cond_broadcast(&door_moved);
    pthread_mutex_unlock(&door_mutex);
}

static rm_err make_counter(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context, (void)params;
    *state = calloc(1, sizeof(int));
    return *state ? RM_OK : RM_E_NO_MEMORY;
}

static rm_err count_input(void *state, rm_node_context *context, rm_runtime_data *input) {
    int *count = state;
    const rm_text *text = rm_runtime_data_text(input);
    char out[64];
    rm_runtime_data *data = NULL;
    pthread_mutex_lock(&door_mutex);
    while (!door_open && !rm_node_cancelled(context)) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec++; /* a session that is closed does not open the door */
        pthread_cond_timedwait(&door_moved, &door_mutex, &soon);
    }
    pthread_mutex_unlock(&door_mutex);
    const int n = snprintf(out, sizeof out, "%d:%.40s", (*count)++, text ? text->text : "?");
    rm_err err = rm_runtime_data_create_text(out, (size_t)n, NULL, &data);
    return err ? err : rm_node_emit(context, data);
}

static const rm_node_class counter = {.abi_version = RM_NODE_ABI_VERSION,
                                      .struct_size = sizeof(rm_node_class),
                                      .name = "Counter",
                                      .summary = "of this test",
                                      .accepts = "text",
                                      .flags = RM_NODE_OWN_THREAD,
                                      .create = make_counter,
                                      .process = count_input,
                                      .destroy = free};

static const char manifest_text[] = "version: v1\nmetadata: {name: count}\n"
                                    "nodes: [{id: count, node_type: Counter, params: {queue_size: 4}}]\n"
                                    "connections: []\n";

static void set_pipeline(rm_webrtc *t) {
    rm_node_registry *registry = NULL;
    rm_manifest_options options;
    rm_manifest *manifest = NULL;
    char detail[RM_DETAIL_MAX] = "";
    rm_manifest_options_init(&options);
    options.format = RM_MANIFEST_YAML;
    RMT_REQUIRE(rm_node_registry_create(&registry) == RM_OK);
    RMT_REQUIRE(rm_node_registry_add(registry, &counter, NULL, 0) == RM_OK);
    RMT_REQUIRE(rm_manifest_parse(manifest_text, strlen(manifest_text), &options, &manifest) == RM_OK);
    RMT_REQUIRE(rm_webrtc_set_pipeline(t, manifest, registry, detail, sizeof detail) == RM_OK);
    rm_manifest_unref(&manifest);
    rm_node_registry_destroy(&registry);
}

static atomic_int texts; /* that came to the server's application */

static void count_text(const char *peer_id, const char *label, rm_runtime_data *message, void *user) {
    (void)peer_id, (void)user;
    if (!strcmp(label, "chat") && rm_runtime_data_text(message))
        atomic_fetch_add(&texts, 1);
}

static rm_webrtc *open_server(struct rmi_signaling_thread *address, const char *token) {
    rm_webrtc_config c;
    rm_serve_config s;
    rm_webrtc *t = NULL;
    snprintf(address->url, sizeof address->url, "ws://127.0.0.1:1/ws"); /* not used by a server */
    rmt_config(&c, address, NULL);
    c.on_message = count_text;
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_OK);
    set_pipeline(t);
    rm_serve_config_init(&s);
    s.address = "localhost";
    RMT_REQUIRE(rm_webrtc_serve(t, &s) == RM_E_INVALID_ARG); /* a name */
    s.address = "127.0.0.1";
    s.port = 0;
    s.token = token;
    RMT_REQUIRE(rm_webrtc_served_port(t) == 0);
    RMT_REQUIRE(rm_webrtc_serve(t, &s) == RM_OK);
    RMT_REQUIRE(rm_webrtc_serve(t, &s) == RM_E_STATE);
    RMT_REQUIRE(!strcmp(rm_webrtc_local_peer_id(t), "remotemedia-server"));
    RMT_REQUIRE(rm_webrtc_start(t) == RM_OK);
    RMT_REQUIRE(rm_webrtc_served_port(t) != 0);
    snprintf(address->url, sizeof address->url, "ws://127.0.0.1:%u/ws", rm_webrtc_served_port(t));
    return t;
}

/* ---- a client ---- */

struct client {
    rm_webrtc *t;
    uint16_t channel;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int received;
    bool in_order;
    struct rmi_control_event event; /* the last of the control channel */
    int events;
};

static void take_event(struct client *c, const uint8_t *data, size_t size) {
    pthread_mutex_lock(&c->mutex);
    rmi_control_event_clear(&c->event);
    RMT_REQUIRE(rmi_control_event_read(data, size, &c->event) == RM_OK);
    c->events++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

static void on_channel_data(const char *peer_id, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                            size_t size, void *user) {
    struct client *c = user;
    rm_runtime_data *message = NULL;
    char wanted[64];
    (void)channel, (void)peer_id;
    if (!strcmp(label, "remotemedia-control")) {
        take_event(c, data, size);
        return;
    }
    RMT_REQUIRE(binary && !strcmp(label, "chat"));
    RMT_REQUIRE(rmi_data_buffer_read(data, size, &message, NULL) == RM_OK);
    pthread_mutex_lock(&c->mutex);
    snprintf(wanted, sizeof wanted, "%d:message %d", c->received, c->received);
    c->in_order = c->in_order && !strcmp(rm_runtime_data_text(message)->text, wanted);
    c->received++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    rm_runtime_data_unref(&message);
}

static void client_open(struct client *c, const struct rmi_signaling_thread *address, int number) {
    rm_webrtc_config config;
    rm_channel_options options;
    rm_event ev;
    char id[16];
    memset(c, 0, sizeof *c);
    c->in_order = true;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    snprintf(id, sizeof id, "client-%d", number);
    rmt_config(&config, address, id);
    config.token = "secret";
    config.auto_connect = false;      /* the other clients are in the room, too */
    config.enable_video = number % 2; /* and some with data and sound only */
    config.on_channel_data = on_channel_data;
    config.user = c;
    c->t = rmt_join(&config);
    RMT_REQUIRE(rmt_wait(c->t, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    RMT_REQUIRE(rm_webrtc_connect_peer(c->t, "remotemedia-server") == RM_OK);
    RMT_REQUIRE(rmt_wait(c->t, RM_EV_CHANNEL, 0, &ev, PATIENCE_MS)); /* "control", its own */
    rm_channel_options_init(&options);
    options.label = "chat";
    RMT_REQUIRE(rm_webrtc_open_channel(c->t, "remotemedia-server", &options, &c->channel) == RM_OK);
}

static void client_send(struct client *c, int number) {
    char text[32];
    rm_runtime_data *message = NULL;
    struct rmi_buf *buf = NULL;
    const int n = snprintf(text, sizeof text, "message %d", number);
    RMT_REQUIRE(rm_runtime_data_create_text(text, (size_t)n, NULL, &message) == RM_OK);
    RMT_REQUIRE(rmi_data_buffer_write(message, NULL, &buf) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_data_buf(c->t, "remotemedia-server", c->channel, true, buf, 0, rm_buf_size(buf)) ==
                RM_OK);
    rm_buf_unref(&buf);
    rm_runtime_data_unref(&message);
}

static bool client_await(struct client *c, int count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    int late = 0;
    pthread_mutex_lock(&c->mutex);
    while (c->received < count && !late)
        late = pthread_cond_timedwait(&c->changed, &c->mutex, &until);
    const bool there = c->received >= count && c->in_order;
    pthread_mutex_unlock(&c->mutex);
    return there;
}

static void client_close(struct client *c) {
    rm_webrtc_destroy(&c->t);
    rmi_control_event_clear(&c->event);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
}

/* Each client's numbers begin at 0: the node's state is that of its session. Nothing is lost although the node takes
 * nothing for a while and its queue holds four. */
static void sessions_are_their_own_and_push_back(void) {
    struct rmi_signaling_thread address;
    struct client clients[CLIENTS];
    rm_webrtc *server = open_server(&address, "secret");
    set_door(false);
    for (int i = 0; i < CLIENTS; i++)
        client_open(&clients[i], &address, i);
    for (int n = 0; n < BURST; n++)
        for (int i = 0; i < CLIENTS; i++)
            client_send(&clients[i], n);
    set_door(true);
    for (int i = 0; i < CLIENTS; i++)
        RMT_REQUIRE(client_await(&clients[i], BURST));
    rm_webrtc_destroy(&server);
    for (int i = 0; i < CLIENTS; i++) {
        rm_event ev;
        RMT_REQUIRE(rmt_wait(clients[i].t, RM_EV_PEER_STATE, RM_PEER_CLOSED, &ev, PATIENCE_MS));
        client_close(&clients[i]);
    }
}

/* ---- the control channel ---- */

static void control(struct client *c, uint16_t channel, const struct rmi_control_frame *frame) {
    struct rmi_buf *buf = NULL;
    RMT_REQUIRE(rmi_control_frame_write(frame, &buf) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_data_buf(c->t, "remotemedia-server", channel, true, buf, 0, rm_buf_size(buf)) == RM_OK);
    rm_buf_unref(&buf);
}

/* The nth event is of this kind. */
static void await_event(struct client *c, int n, enum rmi_control_event_kind kind) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    int late = 0;
    pthread_mutex_lock(&c->mutex);
    while (c->events < n && !late)
        late = pthread_cond_timedwait(&c->changed, &c->mutex, &until);
    RMT_REQUIRE(c->events == n && c->event.kind == kind);
    pthread_mutex_unlock(&c->mutex);
}

/* Another pipeline is another session: the client is told, and may attach to the new one. */
static void another_pipeline_ends_what_looked_at_the_old_one(void) {
    const struct rmi_control_frame hello = {.op = RMI_CONTROL_HELLO, .attach_id = "me"};
    const struct rmi_control_frame look = {.op = RMI_CONTROL_SUBSCRIBE,
                                           .addr = {.node_id = "count", .direction = RMI_CONTROL_OUT}};
    struct rmi_signaling_thread address;
    struct client client;
    rm_channel_options options;
    uint16_t channel;
    char first[RMI_CONTROL_ID_MAX];
    rm_webrtc *server = open_server(&address, NULL);
    set_door(true);
    client_open(&client, &address, 1);
    rm_channel_options_init(&options);
    options.label = "remotemedia-control";
    RMT_REQUIRE(rm_webrtc_open_channel(client.t, "remotemedia-server", &options, &channel) == RM_OK);
    control(&client, channel, &hello);
    await_event(&client, 1, RMI_CONTROL_EV_ATTACHED);
    memcpy(first, client.event.session_id, sizeof first);
    control(&client, channel, &look);
    control(&client, channel, &(struct rmi_control_frame){.op = RMI_CONTROL_UNSUBSCRIBE, .addr = {.node_id = "x"}});
    await_event(&client, 2, RMI_CONTROL_EV_ERROR); /* what was asked for before it has taken effect */
    client_send(&client, 0);
    RMT_REQUIRE(client_await(&client, 1));
    await_event(&client, 3, RMI_CONTROL_EV_TAP);
    RMT_REQUIRE(!strcmp(client.event.addr.node_id, "count"));
    RMT_REQUIRE(!strcmp(rm_runtime_data_text(client.event.data)->text, "0:message 0"));
    set_pipeline(server);
    await_event(&client, 4, RMI_CONTROL_EV_SESSION_CLOSED);
    control(&client, channel, &look);
    await_event(&client, 5, RMI_CONTROL_EV_ERROR); /* hello has to come first */
    control(&client, channel, &hello);
    await_event(&client, 6, RMI_CONTROL_EV_ATTACHED);
    RMT_REQUIRE(strcmp(first, client.event.session_id) != 0);
    client_close(&client);
    rm_webrtc_destroy(&server);
}

/* What waited for a session that does not come is dropped; the channel goes on, and texts are the application's. */
static void without_a_pipeline_nothing_waits(void) {
    const struct rmi_control_frame hello = {.op = RMI_CONTROL_HELLO};
    struct rmi_signaling_thread address;
    struct client client;
    rm_channel_options options;
    uint16_t channel;
    rm_webrtc *server = open_server(&address, NULL);
    set_door(false);
    client_open(&client, &address, 1);
    for (int n = 0; n < BURST; n++)
        client_send(&client, n);
    RMT_REQUIRE(rm_webrtc_set_pipeline(server, NULL, NULL, NULL, 0) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_data(client.t, "remotemedia-server", client.channel, false, "hi", 2) == RM_OK);
    for (int64_t end = rmi_now_us() + (int64_t)PATIENCE_MS * 1000; atomic_load(&texts) == 0;) {
        rm_event ev;
        RMT_REQUIRE(rmi_now_us() < end);
        (void)rm_webrtc_poll(server, &ev, 10);
    }
    rm_channel_options_init(&options);
    options.label = "remotemedia-control";
    RMT_REQUIRE(rm_webrtc_open_channel(client.t, "remotemedia-server", &options, &channel) == RM_OK);
    control(&client, channel, &hello);
    await_event(&client, 1, RMI_CONTROL_EV_ERROR);
    RMT_REQUIRE(client.event.error == RMI_CONTROL_ERROR_SESSION_NOT_FOUND);
    client_close(&client);
    rm_webrtc_destroy(&server);
}

/* Either side goes while messages are held back. */
static void ends_in_the_middle(bool server_first) {
    struct rmi_signaling_thread address;
    struct client client;
    rm_webrtc *server = open_server(&address, NULL);
    set_door(false);
    client_open(&client, &address, 1);
    for (int n = 0; n < BURST; n++)
        client_send(&client, n);
    if (server_first)
        rm_webrtc_destroy(&server);
    client_close(&client);
    rm_webrtc_destroy(&server);
}

static void a_taken_port_is_told(void) {
    struct rmi_signaling_thread address;
    rm_webrtc *first = open_server(&address, NULL), *second = NULL;
    rm_webrtc_config c;
    rm_serve_config s;
    rmt_config(&c, &address, NULL);
    rm_serve_config_init(&s);
    s.port = rm_webrtc_served_port(first);
    RMT_REQUIRE(rm_webrtc_create(&c, &second) == RM_OK);
    RMT_REQUIRE(rm_webrtc_serve(second, &s) == RM_OK);
    RMT_REQUIRE(rm_webrtc_start(second) == RM_E_IO);
    RMT_REQUIRE(rm_webrtc_serve(second, &s) == RM_E_STATE);
    rm_webrtc_destroy(&second);
    rm_webrtc_destroy(&first);
}

int main(void) {
    sessions_are_their_own_and_push_back();
    const long threads = rmt_threads(), descriptors = rmt_open_descriptors();
    another_pipeline_ends_what_looked_at_the_old_one();
    without_a_pipeline_nothing_waits();
    ends_in_the_middle(true);
    ends_in_the_middle(false);
    a_taken_port_is_told();
    RMT_REQUIRE(rmt_threads() == threads);
    RMT_REQUIRE(rmt_open_descriptors() == descriptors);
    printf("%d clients, %d messages each, through sessions that hold four\n", CLIENTS, BURST);
    return 0;
}
