/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes names for some seconds, each change twice checked: the call succeeds,
 * and what it promised is found.
 *
 *     change_names SEED SECONDS
 */
#include "base/clock.h"
#include "base/rng.h"

#include <capstan/file.h>
#include <capstan/namespace.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES 40

static struct capstan_session *session;
static unsigned at[NAMES]; /* 0: nowhere; else in directory d<n - 1> */
static unsigned links[NAMES];
static unsigned long done;

static void must(int rc, const char *what, const char *path)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s %s: %d: %s\n", what, path, rc,
            capstan_session_error(session));
    exit(1);
}

static void path_of(char path[64], unsigned dir, unsigned name)
{
    snprintf(path, 64, "/d%u/n%u", dir - 1, name);
}

static void make(unsigned name, unsigned dir)
{
    struct capstan_file *file;
    char path[64];

    path_of(path, dir, name);
    must(capstan_file_open(session, path,
                           CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                               CAPSTAN_OPEN_EXCL,
                           NULL, &file),
         "create", path);
    must(capstan_file_close(&file), "close", path);
    at[name] = dir;
}

static void move(unsigned name, unsigned dir)
{
    char from[64], to[64];

    path_of(from, at[name], name);
    path_of(to, dir, name);
    must(capstan_rename(session, from, to, 0), "rename", from);
    at[name] = dir;
}

static void link_or_not(unsigned name)
{
    char path[64], other[64];

    path_of(path, at[name], name);
    snprintf(other, sizeof(other), "/l%u", name);
    if (links[name])
        must(capstan_unlink(session, other), "unlink", other);
    else
        must(capstan_link(session, path, other), "link", path);
    links[name] = !links[name];
}

static void drop(unsigned name)
{
    char path[64];

    path_of(path, at[name], name);
    must(capstan_unlink(session, path), "unlink", path);
    at[name] = 0;
}

static void step(struct rng *rng)
{
    unsigned name = (unsigned)rng_below(rng, NAMES);
    unsigned dir = 1 + (unsigned)rng_below(rng, 3);

    if (at[name] == 0 && links[name])
        return;
    if (at[name] == 0)
        make(name, dir);
    else if (rng_chance(rng, 50))
        move(name, dir);
    else if (rng_chance(rng, 50))
        link_or_not(name);
    else
        drop(name);
    done++;
}

static void check(void)
{
    struct capstan_stat stat;
    char path[64];
    int rc;

    for (unsigned n = 0; n < NAMES; n++)
        for (unsigned dir = 1; dir <= 3; dir++) {
            path_of(path, dir, n);
            rc = capstan_stat(session, path, &stat);
            must(rc == (at[n] == dir ? 0 : -ENOENT) ? 0 : -EIO, "found",
                 path);
            if (rc == 0)
                must(stat.nlink == 1 + links[n] ? 0 : -EIO, "links of", path);
        }
}

int main(int argc, char **argv)
{
    uint64_t end_ns = clock_now(clock_real());
    struct rng rng;

    if (argc != 3 || capstan_session_open(NULL, &session) != 0)
        return 1;
    rng_init(&rng, strtoull(argv[1], NULL, 0));
    end_ns += strtoull(argv[2], NULL, 0) * NS_PER_SEC;
    for (unsigned dir = 0; dir < 3; dir++) {
        char path[16];

        snprintf(path, sizeof(path), "/d%u", dir);
        must(capstan_mkdir(session, path, 0), "mkdir", path);
    }
    while (clock_now(clock_real()) < end_ns)
        step(&rng);
    check();
    printf("%lu changes\n", done);
    capstan_session_close(&session);
    return 0;
}
