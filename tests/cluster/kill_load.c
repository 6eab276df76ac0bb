/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Load under which servers are killed, and the proof afterwards that all that
 * was acknowledged is there. Two kinds, as the two benchmarks that sites run:
 * "ior" (and "wire", with a file of its own): transfers of any size and place
 * in one striped file; "mdtest": small files made, filled, renamed over by a
 * new content, removed.
 *
 *     kill_load ior|wire|mdtest DIRECTORY ROUNDS SEED
 *
 * Each round works until the file DIRECTORY/round.N appears (the server has
 * been killed and is back), then reads all and compares. Says "load N" and
 * "verified N ..." on stdout. What a call did not acknowledge is an error: a
 * client outlives a restarted server.
 */
#include "base/rng.h"

#include <capstan/file.h>
#include <capstan/namespace.h>
#include <capstan/session.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE ((uint64_t)16 << 20)
#define TRANSFER_MAX (1u << 20)
#define FILES 100
#define FILE_MAX 9000

struct small {
    bool is_there;
    size_t size;
    uint64_t seed; /* of its bytes */
};

struct load {
    struct capstan_session *session;
    struct capstan_file *file;
    struct rng rng;
    const char *directory;
    const char *kind;
    uint8_t *image;
    uint8_t *buffer;
    struct small files[FILES];
    uint64_t operations;
};

static void require(struct load *load, bool is_so, const char *what)
{
    if (is_so)
        return;
    printf("FAILED: %s: %s\n", what, capstan_session_error(load->session));
    exit(1);
}

static void fill(uint8_t *at, size_t n, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(rng_next(&rng) >> 32);
}

/*
 * One large file.
 */

static void ior_start(struct load *load)
{
    char path[32];
    size_t done;

    snprintf(path, sizeof(path), "/%s", load->kind);
    require(load,
            capstan_file_open(load->session, path,
                              CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                                  CAPSTAN_OPEN_CREATE,
                              NULL, &load->file) == 0,
            "open");
    fill(load->image, IMAGE, rng_next(&load->rng));
    require(load,
            capstan_file_write(load->file, 0, load->image, IMAGE, &done) == 0,
            "write all");
}

static void ior_step(struct load *load)
{
    uint64_t at = rng_below(&load->rng, IMAGE);
    size_t n = 1 + rng_below(&load->rng, TRANSFER_MAX), done;

    if (rng_chance(&load->rng, 30)) { /* as aligned programs do */
        at -= at % 65536;
        n = 65536;
    } else if (rng_chance(&load->rng, 30)) { /* in the message, over tcp */
        n = 1 + rng_below(&load->rng, 49152);
    }
    if (n > IMAGE - at)
        n = IMAGE - at;
    fill(load->image + at, n, rng_next(&load->rng));
    require(load,
            capstan_file_write(load->file, at, load->image + at, n, &done) ==
                    0 &&
                done == n,
            "write");
}

static uint64_t ior_verify(struct load *load)
{
    size_t done;

    require(load,
            capstan_file_read(load->file, 0, load->buffer, IMAGE, &done) == 0 &&
                done == IMAGE,
            "read all");
    require(load, memcmp(load->buffer, load->image, IMAGE) == 0,
            "an acknowledged byte is wrong");
    return IMAGE;
}

/*
 * Many small files.
 */

static void path_of(unsigned i, char path[32])
{
    snprintf(path, 32, "/md/f%u", i);
}

static void mdtest_start(struct load *load)
{
    require(load, capstan_mkdir(load->session, "/md", 0) == 0, "mkdir");
}

static void write_small(struct load *load, unsigned i)
{
    struct small *small = &load->files[i];
    struct capstan_file *file;
    size_t done = 0;
    char path[32];

    path_of(i, path);
    small->seed = rng_next(&load->rng);
    small->size = rng_below(&load->rng, FILE_MAX);
    fill(load->buffer, small->size, small->seed);
    require(load,
            capstan_file_open(load->session, path,
                              CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE, NULL,
                              &file) == 0,
            path);
    require(load, capstan_file_truncate(file, 0) == 0, "truncate");
    require(load,
            capstan_file_write(file, 0, load->buffer, small->size, &done) ==
                    0 &&
                done == small->size,
            "write");
    require(load, capstan_file_close(&file) == 0, "close");
    small->is_there = true;
}

static void mdtest_step(struct load *load)
{
    unsigned i = (unsigned)rng_below(&load->rng, FILES);
    char path[32];

    if (!load->files[i].is_there || rng_chance(&load->rng, 40)) {
        write_small(load, i);
        return;
    }
    path_of(i, path);
    require(load, capstan_unlink(load->session, path) == 0, path);
    load->files[i].is_there = false;
}

static uint64_t verify_small(struct load *load, unsigned i)
{
    const struct small *small = &load->files[i];
    uint8_t *expected = load->image;
    struct capstan_file *file;
    char path[32];
    size_t done;
    int rc;

    path_of(i, path);
    rc = capstan_file_open(load->session, path, CAPSTAN_OPEN_READ, NULL, &file);
    if (!small->is_there) {
        require(load, rc == -2, "a removed file is there");
        return 0;
    }
    require(load, rc == 0, path);
    require(load,
            capstan_file_read(file, 0, load->buffer, FILE_MAX + 1, &done) == 0,
            path);
    fill(expected, small->size, small->seed);
    require(load,
            done == small->size && memcmp(load->buffer, expected, done) == 0,
            "an acknowledged small file is wrong");
    require(load, capstan_file_close(&file) == 0, "close");
    return done;
}

static uint64_t mdtest_verify(struct load *load)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < FILES; i++)
        bytes += verify_small(load, i);
    return bytes;
}

struct kind {
    const char *name;
    void (*start)(struct load *load);
    void (*step)(struct load *load);
    uint64_t (*verify)(struct load *load);
};

static const struct kind kinds[] = {
    {"ior", ior_start, ior_step, ior_verify},
    {"wire", ior_start, ior_step, ior_verify},
    {"mdtest", mdtest_start, mdtest_step, mdtest_verify},
};

static void play(struct load *load, const struct kind *kind, unsigned rounds)
{
    char path[512];
    uint64_t bytes;

    kind->start(load);
    for (unsigned round = 1; round <= rounds; round++) {
        printf("load %u\n", round);
        fflush(stdout);
        snprintf(path, sizeof(path), "%s/round.%u", load->directory, round);
        do {
            kind->step(load);
            load->operations++;
        } while (access(path, F_OK) != 0);
        bytes = kind->verify(load);
        printf("verified %u: %llu bytes after %llu operations\n", round,
               (unsigned long long)bytes, (unsigned long long)load->operations);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    struct load load = {0};

    if (argc != 5)
        return 2;
    options.timeout_ms = 120000;
    load.kind = argv[1];
    load.directory = argv[2];
    load.image = malloc(IMAGE);
    load.buffer = malloc(IMAGE);
    rng_init(&load.rng, strtoull(argv[4], NULL, 0));
    if (load.image == NULL || load.buffer == NULL ||
        capstan_session_open(&options, &load.session) != 0) {
        printf("FAILED: %s\n", capstan_open_error());
        return 1;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, load.kind) == 0)
            play(&load, &kinds[i], (unsigned)strtoul(argv[3], NULL, 0));
    if (load.file != NULL)
        capstan_file_close(&load.file);
    capstan_session_close(&load.session);
    free(load.image);
    free(load.buffer);
    return 0;
}
