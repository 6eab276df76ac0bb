/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pressure: very many sessions, each with several reads and writes under way,
 * more than a target takes at once; one client that stopped and gives nothing
 * of what it writes; a device that fails now and then. Everybody else is
 * served, with the right bytes or the device's error, and a target never holds
 * more than its bounds.
 *
 *     test_crowd [SESSIONS [REQUESTS]]    of each session; default 150, 10
 */
#include "sim/sim_cluster.h"

#include "capstan/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES 20000u /* of a request: by RMA */

struct member {
    struct capstan_session *session;
    struct capstan_file *file;
    struct capstan_request **requests;
    uint8_t *bytes;
};

static struct sim_cluster sim;
static unsigned nmembers = 150, nrequests = 10;
static struct member *members;
static uint64_t busiest;

static void require(bool is_so, const char *what, long long got)
{
    if (is_so)
        return;
    fprintf(stderr, "test_crowd: %s (%lld)\n", what, got);
    exit(1);
}

static void join(unsigned i)
{
    struct cli_config config = {
        .net_driver = &net_sim,
        .fabric = sim.fabric,
        .clock = &sim.clock.clock,
        .cluster = sim.cluster,
        .client = 5000 + i,
        .timeout_ms = 600000,
    };
    struct member *member = &members[i];
    char text[CLUSTER_TEXT_MAX], path[32];
    int rc;

    rc = cli_session_create(&config, &member->session, text);
    require(rc == 0, "session", rc);
    snprintf(path, sizeof(path), "/f%u", i);
    rc = capstan_file_open(member->session, path,
                           CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                               CAPSTAN_OPEN_CREATE,
                           NULL, &member->file);
    require(rc == 0, "open", rc);
    member->requests = calloc(nrequests, sizeof(struct capstan_request *));
    member->bytes = malloc((size_t)nrequests * BYTES);
    require(member->requests != NULL && member->bytes != NULL, "memory", 0);
}

static uint8_t byte_of(unsigned i, size_t at)
{
    return (uint8_t)(i * 31 + at * 7 + at / 4096);
}

static void start(unsigned i, bool is_write)
{
    struct member *member = &members[i];
    struct capstan_run run = {.length = BYTES, .count = 1};
    int rc;

    for (size_t at = 0; at < (size_t)nrequests * BYTES; at++)
        member->bytes[at] = is_write ? byte_of(i, at) : 0;
    for (unsigned k = 0; k < nrequests; k++) {
        run.offset = (uint64_t)k * BYTES;
        run.memory = member->bytes + run.offset;
        if (is_write)
            rc = capstan_file_writev_start(member->file, &run, 1,
                                           &member->requests[k]);
        else
            rc = capstan_file_readv_start(member->file, &run, 1,
                                          &member->requests[k]);
        require(rc == 0, "start", rc);
    }
}

static void look(void)
{
    struct counters counters;

    for (unsigned i = 0; i < sim.config.ntargets; i++) {
        srv_target_counters(sim.servers[i].target, &counters);
        if (counters.value[COUNTER_queued] > busiest)
            busiest = counters.value[COUNTER_queued];
    }
}

/* @return how many requests failed, with the device's error. */
static unsigned finish(unsigned i)
{
    struct member *member = &members[i];
    unsigned nfailed = 0;
    uint64_t bytes;
    int rc;

    for (unsigned k = 0; k < nrequests; k++) {
        look();
        rc = capstan_request_wait(&member->requests[k], &bytes);
        if (rc != 0 && rc != -EIO)
            fprintf(stderr, "%s\n", capstan_session_error(member->session));
        require(rc == 0 || rc == -EIO, "a request", rc);
        nfailed += rc != 0;
    }
    return nfailed;
}

static void check(unsigned i)
{
    for (size_t at = 0; at < (size_t)nrequests * BYTES; at++)
        require(members[i].bytes[at] == byte_of(i, at), "a byte",
                (long long)at);
}

static void all_write_and_read(unsigned first)
{
    unsigned i;

    for (i = first; i < nmembers; i++)
        start(i, true);
    for (i = first; i < nmembers; i++)
        require(finish(i) == 0, "a write failed", i);
    for (i = first; i < nmembers; i++)
        start(i, false);
    for (i = first; i < nmembers; i++) {
        require(finish(i) == 0, "a read failed", i);
        check(i);
    }
}

/* Member 0 says that it has much to write and then gives nothing of it: the
 * others do not wait for it. */
static void one_stops(void)
{
    start(0, true);
    net_sim_stall(members[0].session->net, true);
    all_write_and_read(1);
    net_sim_stall(members[0].session->net, false);
    require(finish(0) == 0, "the one that stopped", 0);
    start(0, false);
    require(finish(0) == 0, "reading it", 0);
    check(0);
}

static void the_device_fails(void)
{
    unsigned nfailed = 0;

    for (unsigned i = 1; i < nmembers && i < 30; i++) {
        obj_mem_disk_fault(sim.servers[0].disk, (int)(i * 3), EIO);
        start(i, i % 2 == 0);
        nfailed += finish(i);
        obj_mem_disk_fault(sim.servers[0].disk, -1, 0);
    }
    require(nfailed > 0, "no error was told", 0);
    all_write_and_read(1);
}

int main(int argc, char **argv)
{
    struct sim_config config = {
        .seed = 1, .stripe_size = 65536, .timeout_ms = 600000, .ntargets = 2};

    if (argc > 1)
        nmembers = (unsigned)strtoul(argv[1], NULL, 0);
    if (argc > 2)
        nrequests = (unsigned)strtoul(argv[2], NULL, 0);
    members = calloc(nmembers, sizeof(*members));
    require(members != NULL && nmembers > 1, "memory", 0);
    sim_init(&sim, &config);
    for (unsigned i = 0; i < nmembers; i++)
        join(i);
    all_write_and_read(0);
    one_stops();
    the_device_fails();
    printf("%u sessions, %u requests at once; a target held %llu at most, and "
           "said busy %llu times\n",
           nmembers, nmembers * nrequests, (unsigned long long)busiest,
           (unsigned long long)sim_counter(&sim, COUNTER_busy));
    for (unsigned i = 0; i < nmembers; i++) {
        capstan_file_close(&members[i].file);
        capstan_session_close(&members[i].session);
        free(members[i].requests);
        free(members[i].bytes);
    }
    sim_fini(&sim);
    free(members);
    return 0;
}
