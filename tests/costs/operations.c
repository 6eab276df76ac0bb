/* SPDX-License-Identifier: BSD-3-Clause */
#include "costs/operations.h"

#include "capstan/namespace.h"

#include <stdio.h>
#include <stdlib.h>

#define TARGETS 4
#define STRIPE (64u << 10)
#define BIG_IO (1u << 20)
#define PIECE 4096u
#define TINY 1000u
#define ENTRIES 1000u
#define DELAY_NS (20 * NS_PER_US)

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "FAIL: %s\n", what);
    exit(1);
}

static struct capstan_file *open_file(struct world *w, const char *path,
                                      unsigned flags)
{
    struct capstan_file *file;

    must(capstan_file_open(w->session, path, flags, NULL, &file) == 0, path);
    return file;
}

static void close_file(struct capstan_file *file)
{
    must(capstan_file_close(&file) == 0, "close");
}

static struct capstan_file *make_file(struct world *w, const char *path)
{
    return open_file(
        w, path, CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE);
}

static void move(struct world *w, struct capstan_file *file, bool is_write,
                 size_t length)
{
    size_t done;
    int rc = is_write ? capstan_file_write(file, 0, w->memory, length, &done)
                      : capstan_file_read(file, 0, w->memory, length, &done);

    must(rc == 0 && done == length, is_write ? "write" : "read");
}

static void move_runs(struct world *w, bool is_write, size_t n)
{
    uint64_t done;
    int rc = is_write ? capstan_file_writev(w->big, w->runs, n, &done)
                      : capstan_file_readv(w->big, w->runs, n, &done);

    must(rc == 0, is_write ? "writev" : "readv");
}

/* Places in file and memory that have nothing to do with each other. */
static void scatter(struct world *w)
{
    for (unsigned i = 0; i < COSTS_PIECES; i++)
        w->runs[i] =
            (struct capstan_run){.offset = i * 389u % COSTS_PIECES * PIECE,
                                 .length = PIECE,
                                 .count = 1,
                                 .memory = w->memory + i * PIECE};
}

/* --- The operations --- */

static void do_create(struct world *w)
{
    close_file(make_file(w, "/new"));
}

static void do_open(struct world *w)
{
    close_file(open_file(w, "/small", CAPSTAN_OPEN_READ));
}

static void do_stat(struct world *w)
{
    struct capstan_stat stat;

    must(capstan_stat(w->session, "/small", &stat) == 0, "stat");
}

static void do_stat_big(struct world *w)
{
    struct capstan_stat stat;

    must(capstan_stat(w->session, "/big", &stat) == 0, "stat");
}

static void do_unlink(struct world *w)
{
    must(capstan_unlink(w->session, "/new") == 0, "unlink");
}

static void do_tiny(struct world *w)
{
    struct capstan_file *file = open_file(w, "/tiny", CAPSTAN_OPEN_READ);

    move(w, file, false, TINY);
    close_file(file);
}

static void do_tiny_ahead(struct world *w)
{
    struct capstan_file *file =
        open_file(w, "/tiny", CAPSTAN_OPEN_READ | CAPSTAN_OPEN_AHEAD);

    move(w, file, false, TINY);
    close_file(file);
}

static void do_list(struct world *w)
{
    struct capstan_dirent entry;
    struct capstan_dir *dir;
    unsigned n = 0;

    must(capstan_dir_open(w->session, "/many", &dir) == 0, "open a directory");
    while (capstan_dir_read(dir, &entry) == 0)
        n++;
    must(n == ENTRIES, "list");
    capstan_dir_close(&dir);
}

static void do_small_write(struct world *w)
{
    move(w, w->small, true, 4096);
}

static void do_small_read(struct world *w)
{
    move(w, w->small, false, 4096);
}

static void do_big_write(struct world *w)
{
    move(w, w->big, true, BIG_IO);
}

static void do_big_read(struct world *w)
{
    move(w, w->big, false, BIG_IO);
}

static void do_pieces_write(struct world *w)
{
    scatter(w);
    move_runs(w, true, COSTS_PIECES);
}

static void do_pieces_read(struct world *w)
{
    scatter(w);
    move_runs(w, false, COSTS_PIECES);
}

/* One run however many blocks it has. */
static void do_vector_read(struct world *w)
{
    w->runs[0] = (struct capstan_run){.length = 100,
                                      .count = BIG_IO / 1000,
                                      .stride = 1000,
                                      .memory = w->memory,
                                      .mem_stride = 100};
    move_runs(w, false, 1);
}

static void do_sync(struct world *w)
{
    must(capstan_file_sync(w->big) == 0, "sync");
}

const struct operation operations[] = {
    {"create an empty file", do_create},
    {"open and close a small file", do_open},
    {"stat a small file", do_stat},
    {"stat a striped file", do_stat_big},
    {"remove an empty file", do_unlink},
    {"open, read, close a tiny file", do_tiny},
    {"the same with its bytes ahead", do_tiny_ahead},
    {"list 1000 entries", do_list},
    {"write 4 KiB", do_small_write},
    {"read 4 KiB", do_small_read},
    {"write 1 MiB", do_big_write},
    {"read 1 MiB", do_big_read},
    {"write 4096 pieces of 4 KiB", do_pieces_write},
    {"read 4096 pieces of 4 KiB", do_pieces_read},
    {"read a vector of 1048 blocks", do_vector_read},
    {"sync a striped file", do_sync},
};

const size_t noperations = sizeof(operations) / sizeof(operations[0]);

/* --- The world --- */

static void make_many(struct world *w)
{
    char path[32];

    must(capstan_mkdir(w->session, "/many", 0) == 0, "mkdir");
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(path, sizeof(path), "/many/entry-%04u", i);
        close_file(make_file(w, path));
    }
}

static void make_files(struct world *w)
{
    struct capstan_file *tiny = make_file(w, "/tiny");

    move(w, tiny, true, TINY);
    close_file(tiny);
    w->small = make_file(w, "/small");
    w->big = make_file(w, "/big");
    move(w, w->small, true, PIECE);
    move(w, w->big, true, COSTS_BIG);
    make_many(w);
}

void world_init(struct world *w)
{
    struct sim_config config = {.seed = 1,
                                .ntargets = TARGETS,
                                .nclients = 1,
                                .stripe_size = STRIPE,
                                .timeout_ms = 30000,
                                .delay_ns = DELAY_NS};

    sim_init(&w->sim, &config);
    w->session = w->sim.clients[0];
    w->memory = calloc(1, COSTS_BIG);
    must(w->memory != NULL, "memory");
    make_files(w);
    for (unsigned i = 0; i < 2 * noperations; i++)
        operations[i % noperations].run(w);
}

void world_fini(struct world *w)
{
    close_file(w->small);
    close_file(w->big);
    sim_fini(&w->sim);
    free(w->memory);
}
