/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss of power on a simulated cluster: devices forget a random part of what
 * was not synced, in part of a write too. What capstan_file_sync() promised
 * must be there: the file, its size, and every byte not touched since. So must
 * names older than a second. Of the rest anything may be left, but nobody may
 * hang or be told an error for it, except that it is not there.
 *
 *     test_power [SEED [COUNT]]    seeds SEED .. SEED + COUNT - 1
 */
#include "sim/sim_cluster.h"

#include "capstan/file.h"
#include "capstan/namespace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES 10
#define ROUNDS 6
#define OPS_MAX 25
#define SIZE_MAX_BYTES (160u << 10)
#define DURABLE_NS (1500 * NS_PER_MS) /* names are durable after a second */

struct entry {
    char path[16];
    struct capstan_file *file; /* NULL: there is none, we think */
    bool is_named;             /* its name is durable */
    bool is_gone;              /* that there is none is durable */
    bool is_synced;            /* what follows holds */
    uint64_t size;             /* at the last sync; grows only, unless cut */
    uint64_t low, high;        /* touched since */
    bool is_cut;               /* truncated since */
    uint64_t now_size;
    uint8_t data[SIZE_MAX_BYTES];
};

struct world {
    struct sim_cluster sim;
    struct rng rng;
    uint64_t seed;
    struct entry entries[FILES];
    uint8_t buffer[SIZE_MAX_BYTES];
};

static void check(const struct world *w, const struct entry *entry,
                  const char *what, long long got, long long wanted)
{
    if (got == wanted)
        return;
    fprintf(stderr, "seed %llu: %s: %s: got %lld, expected %lld\n",
            (unsigned long long)w->seed, entry->path, what, got, wanted);
    exit(1);
}

static struct capstan_session *any_client(struct world *w)
{
    return w->sim.clients[rng_below(&w->rng, w->sim.config.nclients)];
}

static int open_entry(struct world *w, const struct entry *entry,
                      unsigned flags, struct capstan_file **file_out)
{
    struct capstan_layout layout = {
        .width = (uint16_t)rng_below(&w->rng, w->sim.config.ntargets + 1)};

    return capstan_file_open(any_client(w), entry->path, flags, &layout,
                             file_out);
}

static void create(struct world *w, struct entry *entry)
{
    check(w, entry, "create",
          open_entry(w, entry,
                     CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                         CAPSTAN_OPEN_CREATE | CAPSTAN_OPEN_EXCL,
                     &entry->file),
          0);
    entry->is_named = entry->is_gone = entry->is_synced = entry->is_cut = false;
    entry->size = entry->now_size = 0;
    memset(entry->data, 0, sizeof(entry->data));
}

static void touch(struct entry *entry, uint64_t low, uint64_t high)
{
    entry->low = low < entry->low ? low : entry->low;
    entry->high = high > entry->high ? high : entry->high;
}

static void write_some(struct world *w, struct entry *entry)
{
    uint64_t at = rng_below(&w->rng, SIZE_MAX_BYTES - 1);
    struct capstan_run run = {.offset = at, .count = 1};
    uint64_t done;

    run.length = 1 + rng_below(&w->rng, rng_chance(&w->rng, 50) ? 600 : 60000);
    if (run.length > SIZE_MAX_BYTES - at)
        run.length = SIZE_MAX_BYTES - at;
    run.memory = entry->data + at;
    for (uint64_t i = 0; i < run.length; i++)
        entry->data[at + i] = (uint8_t)rng_next(&w->rng);
    check(w, entry, "write", capstan_file_writev(entry->file, &run, 1, &done),
          0);
    if (at + run.length > entry->now_size)
        entry->now_size = at + run.length;
    touch(entry, at, at + run.length);
}

static void truncate_some(struct world *w, struct entry *entry)
{
    uint64_t size = rng_below(&w->rng, SIZE_MAX_BYTES);
    uint64_t low = size < entry->now_size ? size : entry->now_size;

    check(w, entry, "truncate", capstan_file_truncate(entry->file, size), 0);
    memset(entry->data + low, 0, SIZE_MAX_BYTES - low);
    entry->now_size = size;
    entry->is_cut = true;
    touch(entry, low, SIZE_MAX_BYTES);
}

static void sync_one(struct world *w, struct entry *entry)
{
    check(w, entry, "sync", capstan_file_sync(entry->file), 0);
    entry->is_named = entry->is_synced = true;
    entry->is_cut = false;
    entry->size = entry->now_size;
    entry->low = SIZE_MAX_BYTES;
    entry->high = 0;
}

static void remove_one(struct world *w, struct entry *entry)
{
    check(w, entry, "unlink", capstan_unlink(any_client(w), entry->path), 0);
    check(w, entry, "close", capstan_file_close(&entry->file), 0);
    entry->is_named = entry->is_synced = entry->is_gone = false;
}

static void play_one(struct world *w, struct entry *entry)
{
    uint64_t what = rng_below(&w->rng, 20);

    if (entry->file == NULL)
        create(w, entry);
    else if (what < 10)
        write_some(w, entry);
    else if (what < 12)
        truncate_some(w, entry);
    else if (what < 18)
        sync_one(w, entry);
    else
        remove_one(w, entry);
}

/* Let names become durable. */
static void wait_for_names(struct world *w)
{
    sim_run(&w->sim, DURABLE_NS);
    for (unsigned i = 0; i < FILES; i++) {
        w->entries[i].is_named = w->entries[i].file != NULL;
        w->entries[i].is_gone = w->entries[i].file == NULL;
    }
}

static void lose_power(struct world *w)
{
    bool is_whole_room = rng_chance(&w->rng, 50);
    unsigned i, one = (unsigned)rng_below(&w->rng, w->sim.config.ntargets);

    for (i = 0; i < w->sim.config.ntargets; i++)
        if (is_whole_room || i == one || rng_chance(&w->rng, 30))
            sim_power_loss(&w->sim, i);
}

static void check_bytes(struct world *w, struct entry *entry,
                        struct capstan_file *file)
{
    struct capstan_run run = {
        .length = SIZE_MAX_BYTES, .count = 1, .memory = w->buffer};
    uint64_t size, done = 0, i;

    check(w, entry, "size", capstan_file_size(file, &size), 0);
    check(w, entry, "read", capstan_file_readv(file, &run, 1, &done), 0);
    check(w, entry, "bytes to the end", (long long)done, (long long)size);
    if (!entry->is_synced)
        return;
    if (!entry->is_cut && size < entry->size)
        check(w, entry, "synced size", (long long)size, (long long)entry->size);
    if (entry->high == 0)
        check(w, entry, "untouched size", (long long)size,
              (long long)entry->size);
    for (i = 0; i < entry->size && i < size; i++)
        if ((i < entry->low || i >= entry->high) &&
            w->buffer[i] != entry->data[i])
            check(w, entry, "a synced byte", w->buffer[i], entry->data[i]);
}

/* What is left is looked at, and then removed, so that the next round begins
 * with what everybody knows. */
static void check_entry(struct world *w, struct entry *entry)
{
    struct capstan_file *file;
    int rc;

    if (entry->file != NULL)
        capstan_file_close(&entry->file); /* may be told of the loss */
    rc = open_entry(w, entry, CAPSTAN_OPEN_READ, &file);
    if (entry->is_named)
        check(w, entry, "a durable name", rc, 0);
    if (entry->is_gone)
        check(w, entry, "a durable removal", rc, -ENOENT);
    if (rc == 0) {
        check_bytes(w, entry, file);
        check(w, entry, "close", capstan_file_close(&file), 0);
        rc = capstan_unlink(any_client(w), entry->path);
        check(w, entry, "unlink", rc, 0);
    } else {
        check(w, entry, "open", rc, -ENOENT);
    }
    entry->file = NULL;
    entry->is_named = entry->is_synced = entry->is_gone = false;
}

static void init(struct world *w, uint64_t seed)
{
    struct sim_config config = {
        .seed = seed, .stripe_size = 4096, .timeout_ms = 600000};

    w->seed = seed;
    rng_init(&w->rng, seed);
    config.ntargets = 1 + (unsigned)rng_below(&w->rng, 6);
    config.nclients = 1 + (unsigned)rng_below(&w->rng, 3);
    sim_init(&w->sim, &config);
    if (capstan_mkdir(w->sim.clients[0], "/d", 0) != 0)
        abort();
    for (unsigned i = 0; i < FILES; i++) {
        w->entries[i] = (struct entry){.file = NULL};
        snprintf(w->entries[i].path, sizeof(w->entries[i].path), "%s/f%u",
                 i % 2 == 0 ? "" : "/d", i);
    }
    wait_for_names(w);
}

static void play(struct world *w, uint64_t seed)
{
    init(w, seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned nops = 1 + (unsigned)rng_below(&w->rng, OPS_MAX);

        for (unsigned i = 0; i < nops; i++)
            play_one(w, &w->entries[rng_below(&w->rng, FILES)]);
        if (rng_chance(&w->rng, 30))
            wait_for_names(w);
        lose_power(w);
        sim_run(&w->sim, rng_below(&w->rng, 2000) * NS_PER_MS);
        for (unsigned i = 0; i < FILES; i++)
            check_entry(w, &w->entries[i]);
        wait_for_names(w);
    }
    sim_fini(&w->sim);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 40;
    struct world *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return 1;
    printf("seeds %llu .. %llu\n", (unsigned long long)first,
           (unsigned long long)(first + count - 1));
    fflush(stdout);
    for (uint64_t seed = first; seed < first + count; seed++)
        play(w, seed);
    printf("what was synced survived\n");
    free(w);
    return 0;
}
