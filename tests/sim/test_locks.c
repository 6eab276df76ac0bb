/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared file pointers and locks on a simulated cluster, through drops,
 * repeats, reorderings and killed servers: a step takes effect once; the lock
 * of a client that is gone ends; a lock whose server was killed is noticed.
 *
 *     test_locks [SEED [COUNT]]
 */
#include "sim/sim_cluster.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t seed;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "seed %llu: line %d: %s\n",                        \
                    (unsigned long long)seed, __LINE__, #condition);           \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static void begin(struct sim_cluster *sim, unsigned nclients, unsigned kill_ms)
{
    struct sim_config config = {
        .seed = seed,
        .ntargets = 3,
        .nclients = nclients,
        .stripe_size = 4096,
        .drop_percent = (unsigned)(seed % 10),
        .duplicate_percent = (unsigned)(seed / 10 % 10),
        .reorder_percent = (unsigned)(seed / 7 % 20),
        .kill_ms = kill_ms,
        .timeout_ms = 600000,
    };

    sim_init(sim, &config);
}

static struct capstan_file *open_file(struct sim_cluster *sim, unsigned client)
{
    struct capstan_file *file;

    CHECK(capstan_file_open(sim->clients[client], "/f",
                            CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                                CAPSTAN_OPEN_CREATE,
                            NULL, &file) == 0);
    return file;
}

/* Which server keeps the counters and locks of a file? */
static unsigned server_of(struct capstan_file *file)
{
    struct capstan_file_layout layout;

    capstan_file_layout(file, &layout);
    return layout.targets[0] - 1u;
}

/* Clients add in turns; each sees the sum of all steps before. */
static void play_pointers(void)
{
    struct capstan_pointer pointer = {.handle = seed, .start = 3};
    struct capstan_file *files[3];
    int64_t before, sum = 3;
    struct sim_cluster sim;
    struct rng rng;

    rng_init(&rng, seed);
    begin(&sim, 3, 700);
    for (unsigned i = 0; i < 3; i++)
        files[i] = open_file(&sim, i);
    for (int step = 0; step < 60; step++) {
        struct capstan_file *file = files[rng_below(&rng, 3)];
        int64_t add = (int64_t)rng_below(&rng, 1000);

        if (step == 40) {
            pointer.generation = 2;
            pointer.start = sum = 0;
        }
        if (rng_chance(&rng, 10)) {
            CHECK(capstan_file_pointer_set(file, &pointer, add, &before) == 0);
            CHECK(before == sum);
            sum = add;
        } else {
            CHECK(capstan_file_pointer_add(file, &pointer, add, &before) == 0);
            CHECK(before == sum);
            sum += add;
        }
        if (rng_chance(&rng, 10))
            sim_kill(&sim, server_of(file));
    }
    CHECK(capstan_file_pointer_drop(files[0], &pointer) == 0);
    CHECK(capstan_file_pointer_add(files[1], &pointer, 0, &before) == 0);
    CHECK(before == 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK(capstan_file_close(&files[i]) == 0);
    sim_fini(&sim);
}

static void wait_held(struct sim_cluster *sim, unsigned client,
                      struct capstan_lock *lock)
{
    bool is_held = false;

    while (!is_held) {
        CHECK(capstan_lock_test(lock, &is_held) == 0);
        if (!is_held)
            capstan_session_wait(sim->clients[client], 1000);
    }
}

/* A held lock lasts while its client is alive, however long; once the client
 * is gone it ends within a lease. */
static void play_dead_client(void)
{
    struct capstan_lock *dead, *waits, *third;
    struct capstan_file *file[3];
    struct sim_cluster sim;
    bool is_held = false;
    uint64_t then;

    begin(&sim, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        file[i] = open_file(&sim, i);
    CHECK(capstan_file_lock_start(file[0], 0, 100, false, &dead) == 0);
    wait_held(&sim, 0, dead);
    CHECK(capstan_file_lock_start(file[1], 50, 100, true, &waits) == 0);
    CHECK(capstan_file_lock_start(file[2], 60, 10, false, &third) == 0);
    then = sim.clock.now_ns;
    while (sim.clock.now_ns < then + 60 * NS_PER_SEC) {
        CHECK(capstan_lock_test(dead, &is_held) == 0 && is_held);
        CHECK(capstan_lock_test(waits, &is_held) == 0 && !is_held);
        CHECK(capstan_lock_test(third, &is_held) == 0 && !is_held);
        sim_run(&sim, 200 * NS_PER_MS);
    }
    capstan_session_close(&sim.clients[0]); /* without a word */
    then = sim.clock.now_ns;
    wait_held(&sim, 1, waits);
    CHECK(sim.clock.now_ns < then + 90 * NS_PER_SEC);
    CHECK(capstan_lock_test(third, &is_held) == 0 && !is_held);
    CHECK(capstan_lock_end(&waits) == 0);
    wait_held(&sim, 2, third);
    CHECK(capstan_lock_end(&third) == 0);
    CHECK(capstan_file_close(&file[1]) == 0);
    CHECK(capstan_file_close(&file[2]) == 0);
    sim_fini(&sim);
}

/* Its server is killed: the holder learns it, at the latest at the end. */
static void play_dead_server(void)
{
    struct capstan_lock *lock;
    struct capstan_file *file;
    struct sim_cluster sim;

    begin(&sim, 1, 0);
    file = open_file(&sim, 0);
    CHECK(capstan_file_lock_start(file, 0, 100, false, &lock) == 0);
    wait_held(&sim, 0, lock);
    sim_kill(&sim, server_of(file));
    CHECK(capstan_lock_end(&lock) == -ESTALE);
    CHECK(lock == NULL);
    CHECK(capstan_file_lock_start(file, 0, 100, false, &lock) == 0);
    sim_kill(&sim, server_of(file)); /* while it asks: it asks again */
    wait_held(&sim, 0, lock);
    CHECK(capstan_lock_end(&lock) == 0);
    CHECK(capstan_file_lock_start(file, 0, 0, false, &lock) == -EINVAL);
    CHECK(capstan_file_close(&file) == 0);
    sim_fini(&sim);
}

/* Three clients take turns in an order of their own: never two at a time. */
static void play_contention(void)
{
    struct capstan_lock *locks[3] = {NULL};
    struct capstan_file *files[3];
    unsigned held = 3, nheld = 0;
    struct sim_cluster sim;
    bool is_held;

    begin(&sim, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        files[i] = open_file(&sim, i);
    for (int step = 0; nheld < 30; step++) {
        CHECK(step < 100000);
        for (unsigned i = 0; i < 3; i++) {
            if (locks[i] == NULL)
                CHECK(capstan_file_lock_start(files[i], i * 10, 50, false,
                                              &locks[i]) == 0);
            CHECK(capstan_lock_test(locks[i], &is_held) == 0);
            CHECK(!is_held || held == 3 || held == i);
            if (is_held && held == i) {
                CHECK(capstan_lock_end(&locks[i]) == 0);
                held = 3;
                nheld++;
            } else if (is_held) {
                held = i;
            }
        }
        sim_run(&sim, NS_PER_MS);
    }
    for (unsigned i = 0; i < 3; i++)
        CHECK(capstan_file_close(&files[i]) == 0);
    sim_fini(&sim);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 40;

    printf("seeds %llu .. %llu\n", (unsigned long long)first,
           (unsigned long long)(first + count - 1));
    for (seed = first; seed < first + count; seed++) {
        play_pointers();
        play_dead_client();
        play_dead_server();
        play_contention();
    }
    return 0;
}
