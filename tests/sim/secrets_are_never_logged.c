/* SPDX-License-Identifier: Apache-2.0 */
/* A relayed call with everything logged at the finest level: passwords, tokens and keys never appear in a log record.
 */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <string.h>

#define SECRETS_MAX 8

struct ears {
    struct rmt_vnet *v;
    char secrets[SECRETS_MAX][64];
    size_t secret_count;
    uint64_t records;
};

static void on_record(const rm_log_record *record, void *user) {
    struct ears *e = user;
    e->records++;
    for (size_t i = 0; i < e->secret_count; i++)
        if (strstr(record->message, e->secrets[i]))
            rmt_vnet_fail(e->v, "%s logs a secret: %s", record->module, record->message);
}

static void keep_secret(struct ears *e, const char *secret) {
    RMT_CHECK(e->v, e->secret_count < SECRETS_MAX && strlen(secret) < sizeof e->secrets[0]);
    strcpy(e->secrets[e->secret_count++], secret);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct ears ears = {.v = v};
    struct rmi_log *log = NULL;
    RMT_CHECK_INT(
        v, rmi_log_create(&(struct rmi_log_config){.sink = on_record, .sink_user = &ears, .level = RM_LOG_TRACE}, &log),
        RM_OK);
    keep_secret(&ears, "turn-password-3b1f");
    keep_secret(&ears, "room-token-77aa");
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(5), .log = log});
    struct rmt_host *hs = rmt_host_add(v, &(struct rmt_host_config){.name = "server", .ips = {"203.0.113.1"}});
    struct rmt_stun_server *s = rmt_stun_server_create(
        hs, &(struct rmt_stun_config){.ip = "203.0.113.1", .turn = true, .password = "turn-password-3b1f"});
    struct rmt_host *ha = rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}});
    struct rmt_host *hb = rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}});
    struct rmt_peer_options o = {.turn = rmt_stun_server_addr(s),
                                 .turn_password = "turn-password-3b1f",
                                 .token = "room-token-77aa",
                                 .relay_only = true};
    struct rmt_peer *a = rmt_mesh_add(m, ha, &o);
    rmt_peer_start(a);
    rmt_vnet_run_for(v, RMI_SEC(1));
    struct rmt_peer *b = rmt_mesh_add(m, hb, &o);
    rmt_peer_start(b);
    /* The ICE passwords exist once the connections do: from the offer on. */
    for (int i = 0; i < 1000 && !rmi_endpoint_peer(rmt_peer_endpoint(b), "alice"); i++)
        rmt_vnet_run_for(v, RMI_MS(1));
    keep_secret(&ears, rmi_ice_local_pwd(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(b), "alice"))));
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(5)));
    keep_secret(&ears, rmi_ice_local_pwd(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(a), "bob"))));
    RMT_CHECK_INT(v, rmi_endpoint_restart_ice(rmt_peer_endpoint(a), rmt_peer_now(a), "bob"), RM_OK);
    keep_secret(&ears, rmi_ice_local_pwd(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(a), "bob"))));
    rmt_peer_pump(a);
    rmt_vnet_run_for(v, RMI_SEC(5));
    rmt_peer_close(b);
    rmt_vnet_run_for(v, RMI_SEC(1));
    RMT_CHECK(v, ears.records > 30);
    rmt_mesh_destroy(&m);
    rmt_stun_server_destroy(&s);
    rmi_log_destroy(&log);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 5, "secrets_are_never_logged");
}
