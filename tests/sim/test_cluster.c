/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations of several clients on a simulated cluster, compared with
 * the model after each: answers, bytes, sizes, listings. Messages are dropped,
 * repeated and reordered, connections break under RMA; servers are killed at
 * random and come back. Every operation must end as if nothing had happened.
 *
 *     test_cluster [SEED [COUNT [v]]]    seeds SEED .. SEED + COUNT - 1
 *
 * With a third argument every step is printed.
 */
#include "sim/model.h"
#include "sim/sim_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 150
#define RUNS_MAX 8

struct player {
    struct sim_cluster sim;
    struct model model;
    struct rng rng;
    uint64_t seed;
    unsigned long kills; /* all seeds */
    unsigned step;
    bool is_verbose;
    const char *what;
    char path[64];
    uint8_t buffer[MODEL_SIZE_MAX];
    uint8_t expect[MODEL_SIZE_MAX];
};

static void fail(struct player *p, const char *why, long long got,
                 long long wanted)
{
    fprintf(stderr,
            "seed %llu step %u: %s %s: %s: got %lld, expected %lld "
            "(%u kills so far)\n",
            (unsigned long long)p->seed, p->step, p->what, p->path, why, got,
            wanted, p->sim.kills);
    exit(1);
}

static void check(struct player *p, const char *why, long long got,
                  long long wanted)
{
    if (got != wanted)
        fail(p, why, got, wanted);
}

static struct capstan_session *any_client(struct player *p)
{
    return p->sim.clients[rng_below(&p->rng, p->sim.config.nclients)];
}

/* Clients may remember a directory for a second after another removed it. */
static void forget_caches(struct player *p)
{
    sim_run(&p->sim, 1100 * NS_PER_MS);
}

static void any_path(struct player *p)
{
    unsigned dir = (unsigned)rng_below(&p->rng, 5);
    unsigned sub = (unsigned)rng_below(&p->rng, 3);
    int used = 0;

    if (dir > 0)
        used += snprintf(p->path, sizeof(p->path), "/d%u", dir);
    if (dir > 0 && sub > 0)
        used += snprintf(p->path + used, sizeof(p->path) - used, "/e%u", sub);
    if (used == 0 || rng_chance(&p->rng, 70))
        snprintf(p->path + used, sizeof(p->path) - used, "/f%u",
                 (unsigned)rng_below(&p->rng, 6));
}

static void play_mkdir(struct player *p)
{
    p->what = "mkdir";
    check(p, "answer", capstan_mkdir(any_client(p), p->path, 0),
          model_make(&p->model, p->path, true));
}

static void play_create(struct player *p)
{
    struct capstan_layout layout = {0};
    struct capstan_file *file;
    bool is_exclusive = rng_chance(&p->rng, 50);
    struct model_node *node = model_find(&p->model, p->path);
    int wanted = model_make(&p->model, p->path, false);
    int rc;

    p->what = is_exclusive ? "create exclusively" : "create";
    layout.width = (uint16_t)rng_below(&p->rng, p->sim.config.ntargets + 1);
    if (wanted == -EEXIST && !is_exclusive)
        wanted = node->is_dir ? -EISDIR : 0;
    rc = capstan_file_open(any_client(p), p->path,
                           CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                               (is_exclusive ? CAPSTAN_OPEN_EXCL : 0),
                           &layout, &file);
    check(p, "answer", rc, wanted);
    if (rc == 0)
        check(p, "close", capstan_file_close(&file), 0);
}

static struct capstan_file *open_known(struct player *p, unsigned flags,
                                       struct model_node **node_out)
{
    struct capstan_file *file = NULL;
    int rc = capstan_file_open(any_client(p), p->path, flags, NULL, &file);

    *node_out = model_find(&p->model, p->path);
    if (*node_out == NULL || (*node_out)->is_dir) {
        if (rc == 0)
            fail(p, "open", rc, -ENOENT);
        return NULL;
    }
    check(p, "open", rc, 0);
    return file;
}

/* Vectors and extents that lie one behind the other in memory. */
static size_t any_runs(struct player *p, struct capstan_run *runs,
                       uint64_t *bytes_out)
{
    size_t n = 1 + rng_below(&p->rng, RUNS_MAX);
    uint64_t at = rng_below(&p->rng, MODEL_SIZE_MAX / 4);
    uint64_t mem = 0;

    for (size_t i = 0; i < n; i++) {
        struct capstan_run *run = &runs[i];

        run->offset = at;
        run->length = 1 + rng_below(&p->rng, rng_chance(&p->rng, 50) ? 100
                                                                     : 20000);
        run->count = rng_chance(&p->rng, 40) ? 1 + rng_below(&p->rng, 20) : 1;
        run->stride = run->length + rng_below(&p->rng, 3000);
        at += run->stride * run->count + rng_below(&p->rng, 5000);
        if (at > MODEL_SIZE_MAX) {
            n = i;
            break;
        }
        run->memory = p->buffer + mem;
        run->mem_stride = (int64_t)run->length;
        mem += run->length * run->count;
    }
    *bytes_out = mem;
    return n;
}

static void play_write(struct player *p)
{
    struct capstan_run runs[RUNS_MAX];
    struct capstan_file *file;
    struct model_node *node;
    uint64_t bytes, done = 0, i;
    size_t n, r;

    p->what = "write";
    file = open_known(p, CAPSTAN_OPEN_WRITE, &node);
    if (file == NULL)
        return;
    n = any_runs(p, runs, &bytes);
    for (i = 0; i < bytes; i++)
        p->buffer[i] = (uint8_t)rng_next(&p->rng);
    check(p, capstan_session_error(any_client(p)),
          capstan_file_writev(file, runs, n, &done), 0);
    check(p, "bytes", (long long)done, (long long)bytes);
    for (r = 0; r < n; r++)
        for (i = 0; i < runs[r].count; i++)
            model_write(node, runs[r].offset + i * runs[r].stride,
                        (char *)runs[r].memory +
                            (int64_t)i * runs[r].mem_stride,
                        runs[r].length);
    check(p, "close", capstan_file_close(&file), 0);
}

/* What a read should bring: bytes to the first that is beyond the end. */
static uint64_t expected(struct player *p, const struct model_node *node,
                         const struct capstan_run *runs, size_t n)
{
    uint64_t done = 0, i, at, len;

    for (size_t r = 0; r < n; r++)
        for (i = 0; i < runs[r].count; i++) {
            at = runs[r].offset + i * runs[r].stride;
            len = at >= node->size ? 0 : node->size - at;
            if (len > runs[r].length)
                len = runs[r].length;
            memcpy(p->expect + done, node->data + at, len);
            done += len;
            if (len < runs[r].length)
                return done;
        }
    return done;
}

static void play_read(struct player *p)
{
    struct capstan_run runs[RUNS_MAX];
    struct capstan_file *file;
    struct model_node *node;
    uint64_t bytes, done = 0, wanted;
    size_t n;

    p->what = "read";
    file = open_known(p, CAPSTAN_OPEN_READ, &node);
    if (file == NULL)
        return;
    n = any_runs(p, runs, &bytes);
    memset(p->buffer, 0xa5, bytes);
    wanted = node->size == 0 ? 0 : expected(p, node, runs, n);
    check(p, "answer", capstan_file_readv(file, runs, n, &done), 0);
    check(p, "bytes", (long long)done, (long long)wanted);
    if (memcmp(p->buffer, p->expect, wanted) != 0)
        fail(p, "data differ", 0, 0);
    check(p, "close", capstan_file_close(&file), 0);
}

/* Two reads and a write of one file at once, from two clients. */
static void play_overlapped(struct player *p)
{
    struct capstan_run whole = {.length = 1, .count = 1};
    struct capstan_request *request[2];
    struct capstan_file *file[2];
    struct model_node *node;
    uint64_t bytes;
    int i;

    p->what = "overlapped read";
    file[0] = open_known(p, CAPSTAN_OPEN_READ, &node);
    if (file[0] == NULL)
        return;
    file[1] = open_known(p, CAPSTAN_OPEN_READ, &node);
    whole.length = node->size + 100;
    whole.memory = p->buffer;
    check(p, "start", capstan_file_readv_start(file[0], &whole, 1, &request[0]),
          0);
    whole.memory = p->expect;
    check(p, "start", capstan_file_readv_start(file[1], &whole, 1, &request[1]),
          0);
    for (i = 1; i >= 0; i--) {
        check(p, "answer", capstan_request_wait(&request[i], &bytes), 0);
        check(p, "bytes", (long long)bytes, (long long)node->size);
    }
    if (node->size > 0 && (memcmp(p->buffer, node->data, node->size) != 0 ||
                           memcmp(p->expect, node->data, node->size) != 0))
        fail(p, "data differ", 0, 0);
    check(p, "close", capstan_file_close(&file[0]), 0);
    check(p, "close", capstan_file_close(&file[1]), 0);
}

static void play_truncate(struct player *p)
{
    struct capstan_file *file;
    struct model_node *node;
    uint64_t size = rng_below(&p->rng, MODEL_SIZE_MAX / 2);

    p->what = "truncate";
    file = open_known(p, CAPSTAN_OPEN_WRITE, &node);
    if (file == NULL)
        return;
    check(p, "answer", capstan_file_truncate(file, size), 0);
    model_resize(node, size);
    check(p, "close", capstan_file_close(&file), 0);
}

static void play_stat(struct player *p)
{
    struct model_node *node = model_find(&p->model, p->path);
    struct capstan_stat stat;
    int rc = capstan_stat(any_client(p), p->path, &stat);

    p->what = "stat";
    if (node == NULL) {
        if (rc != -ENOENT && rc != -ENOTDIR)
            fail(p, "answer", rc, -ENOENT);
        return;
    }
    check(p, "answer", rc, 0);
    check(p, "type", stat.type == CAPSTAN_DIRECTORY, node->is_dir);
    if (!node->is_dir)
        check(p, "size", (long long)stat.size, (long long)node->size);
}

static void play_unlink(struct player *p)
{
    p->what = "unlink";
    check(p, "answer", capstan_unlink(any_client(p), p->path),
          model_unlink(&p->model, p->path));
}

static void play_rmdir(struct player *p)
{
    int wanted = model_rmdir(&p->model, p->path);

    p->what = "rmdir";
    check(p, "answer", capstan_rmdir(any_client(p), p->path), wanted);
    if (wanted == 0)
        forget_caches(p);
}

static void play_list(struct player *p)
{
    struct model_node *node = model_find(&p->model, p->path);
    struct capstan_dirent entry;
    struct capstan_dir *dir;
    char full[400];
    unsigned n = 0;
    int rc;

    p->what = "list";
    if (node == NULL || !node->is_dir)
        return;
    check(p, "open", capstan_dir_open(any_client(p), p->path, &dir), 0);
    while ((rc = capstan_dir_read(dir, &entry)) == 0) {
        snprintf(full, sizeof(full), "%s/%s", p->path, entry.name);
        if (model_find(&p->model, full) == NULL)
            fail(p, "an entry that should not be", 0, 0);
        n++;
    }
    check(p, "end", rc, -ENOENT);
    check(p, "entries", n, model_children(&p->model, p->path));
    capstan_dir_close(&dir);
}

typedef void play_fn(struct player *p);
static play_fn *const plays[] = {
    play_mkdir,  play_mkdir, play_create,     play_create, play_create,
    play_write,  play_write, play_write,      play_write,  play_read,
    play_read,   play_read,  play_overlapped, play_stat,   play_truncate,
    play_unlink, play_rmdir, play_list,       play_list,   play_stat,
};

static void play(struct player *p, uint64_t seed)
{
    struct sim_config config = {.seed = seed, .stripe_size = 4096};

    p->seed = seed;
    rng_init(&p->rng, seed);
    config.ntargets = 1 + (unsigned)rng_below(&p->rng, 9);
    config.nclients = 1 + (unsigned)rng_below(&p->rng, 3);
    config.timeout_ms = 600000;
    if (rng_chance(&p->rng, 60)) {
        config.drop_percent = (unsigned)rng_below(&p->rng, 10);
        config.duplicate_percent = (unsigned)rng_below(&p->rng, 10);
        config.reorder_percent = (unsigned)rng_below(&p->rng, 20);
    }
    if (rng_chance(&p->rng, 50))
        config.kill_ms = 100 + (unsigned)rng_below(&p->rng, 5000);
    if (seed % 2 == 0)
        config.break_percent = 1 + (unsigned)(seed / 2 % 10);
    sim_init(&p->sim, &config);
    model_init(&p->model);
    for (p->step = 0; p->step < STEPS; p->step++) {
        any_path(p);
        plays[rng_below(&p->rng, sizeof(plays) / sizeof(plays[0]))](p);
        if (p->is_verbose)
            printf("%u at %.6f s: %s %s\n", p->step,
                   (double)p->sim.clock.now_ns / NS_PER_SEC, p->what, p->path);
    }
    p->kills += p->sim.kills;
    model_fini(&p->model);
    sim_fini(&p->sim);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 60;
    struct player *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return 1;
    p->is_verbose = argc > 3;
    printf("seeds %llu .. %llu\n", (unsigned long long)first,
           (unsigned long long)(first + count - 1));
    for (uint64_t seed = first; seed < first + count; seed++)
        play(p, seed);
    printf("all as the model says, through %lu kills\n", p->kills);
    free(p);
    return 0;
}
