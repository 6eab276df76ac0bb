/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random changes of names by several clients on a simulated cluster, compared
 * with a tree in memory after each: answers, attributes, listings. Messages are
 * lost and servers are killed meanwhile. At the end of each seed the servers are
 * stopped and their name stores looked into: nothing lost, double or unsettled.
 *
 *     test_namespace [SEED [COUNT [v]]]    seeds SEED .. SEED + COUNT - 1
 */
#include "client/dirs.h"
#include "sim/audit.h"
#include "sim/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 120

struct player {
    struct sim_cluster sim;
    struct tree tree;
    struct rng rng;
    uint64_t seed;
    unsigned long kills;
    unsigned step;
    bool is_verbose;
    char what[160];
};

static void fail(struct player *p, const char *why, long long got,
                 long long wanted)
{
    fprintf(stderr, "seed %llu step %u: %s: %s: got %lld, expected %lld\n",
            (unsigned long long)p->seed, p->step, p->what, why, got, wanted);
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

/* Another client may remember a directory for a second. */
static void forget_caches(struct player *p)
{
    for (unsigned i = 0; i < p->sim.config.nclients; i++)
        cli_dirs_drop(p->sim.clients[i]->dirs);
}

/* A path of up to three names, of few letters. */
static void any_path(struct player *p, char path[64])
{
    unsigned depth = 1 + (unsigned)rng_below(&p->rng, 3);
    int used = 0;

    for (unsigned i = 0; i < depth; i++)
        used += snprintf(path + used, 64 - (size_t)used, "/%c%u",
                         i + 1 < depth ? 'd' : "df"[rng_below(&p->rng, 2)],
                         (unsigned)rng_below(&p->rng, 4));
}

/* Where the walk meets no directory the two may name either cause. */
static void check_answer(struct player *p, int got, int wanted)
{
    bool is_walk = wanted == -ENOENT || wanted == -ENOTDIR;

    if (is_walk && (got == -ENOENT || got == -ENOTDIR))
        return;
    check(p, "answer", got, wanted);
}

static void play_make(struct player *p)
{
    struct capstan_session *session = any_client(p);
    struct capstan_layout layout = {.mode = 0640};
    struct capstan_file *file;
    char path[64];
    int rc, kind = (int)rng_below(&p->rng, 4);

    any_path(p, path);
    snprintf(p->what, sizeof(p->what), "make %d %s", kind, path);
    if (kind == 0) {
        rc = capstan_file_open(session, path,
                               CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                                   CAPSTAN_OPEN_EXCL,
                               &layout, &file);
        if (rc == 0)
            check(p, "close", capstan_file_close(&file), 0);
        check_answer(p, rc, tree_make(&p->tree, path, TREE_FILE, 0640, ""));
    } else if (kind == 1) {
        check_answer(p, capstan_symlink(session, "/some/where", path),
                     tree_make(&p->tree, path, TREE_LINK, 0777,
                               "/some/where"));
    } else {
        check_answer(p, capstan_mkdir(session, path, 0750),
                     tree_make(&p->tree, path, TREE_DIR, 0750, ""));
    }
}

static void play_remove(struct player *p)
{
    struct capstan_session *session = any_client(p);
    char path[64];

    any_path(p, path);
    if (rng_chance(&p->rng, 50)) {
        snprintf(p->what, sizeof(p->what), "unlink %s", path);
        check_answer(p, capstan_unlink(session, path),
                     tree_unlink(&p->tree, path));
    } else {
        snprintf(p->what, sizeof(p->what), "rmdir %s", path);
        check_answer(p, capstan_rmdir(session, path),
                     tree_rmdir(&p->tree, path));
    }
}

static void play_rename(struct player *p)
{
    unsigned flags = (unsigned)rng_below(&p->rng, 6);
    char from[64], to[64];
    int rc, wanted;

    flags = flags < 3 ? flags : 0;
    any_path(p, from);
    any_path(p, to);
    snprintf(p->what, sizeof(p->what), "rename %s %s %u", from, to, flags);
    wanted = tree_rename(&p->tree, from, to, flags);
    rc = capstan_rename(any_client(p), from, to, flags);
    /* What is wrong in two ways may be refused for either. */
    if (wanted == -EINVAL && (rc == -ENOTEMPTY || rc == -EINVAL))
        return;
    check_answer(p, rc, wanted);
}

static void play_link(struct player *p)
{
    char from[64], to[64];
    int rc, wanted;

    any_path(p, from);
    any_path(p, to);
    snprintf(p->what, sizeof(p->what), "link %s %s", from, to);
    wanted = tree_link(&p->tree, from, to);
    rc = capstan_link(any_client(p), from, to);
    check_answer(p, rc, wanted);
}

static void play_change(struct player *p)
{
    struct capstan_change change = {.valid = CAPSTAN_SET_MODE};
    char path[64];
    int node;

    any_path(p, path);
    change.mode = (uint32_t)rng_below(&p->rng, 01000);
    snprintf(p->what, sizeof(p->what), "chmod %o %s", change.mode, path);
    node = tree_find(&p->tree, path);
    if (node >= 0)
        p->tree.nodes[node].mode = change.mode;
    check_answer(p,
                 capstan_setattr(any_client(p), path, CAPSTAN_NOFOLLOW,
                                 &change),
                 node < 0 ? node : 0);
}

static void check_stat(struct player *p, int node,
                       const struct capstan_stat *stat)
{
    const struct tree_node *wanted = &p->tree.nodes[node];

    check(p, "type", (long long)stat->type, (long long)wanted->type);
    check(p, "mode", stat->mode, wanted->mode);
    if (!stat->is_partial)
        check(p, "nlink", stat->nlink,
              wanted->type == TREE_DIR
                  ? 2 + tree_children(&p->tree, node, true)
                  : wanted->refs);
}

static void play_stat(struct player *p)
{
    struct capstan_session *session = any_client(p);
    struct capstan_stat stat;
    char path[64], text[64];
    size_t len;
    int rc, node;

    any_path(p, path);
    snprintf(p->what, sizeof(p->what), "stat %s", path);
    node = tree_find(&p->tree, path);
    rc = capstan_lstat(session, path, &stat);
    check_answer(p, rc, node < 0 ? node : 0);
    if (rc != 0)
        return;
    check_stat(p, node, &stat);
    if (stat.type != CAPSTAN_SYMLINK)
        return;
    check(p, "readlink",
          capstan_readlink(session, path, text, sizeof(text), &len), 0);
    check(p, "text", len == strlen(p->tree.nodes[node].text) &&
                         memcmp(text, p->tree.nodes[node].text, len) == 0,
          1);
}

static void play_list(struct player *p)
{
    struct capstan_session *session = any_client(p);
    struct capstan_dirent entry;
    struct capstan_dir *dir;
    char path[64], full[400];
    unsigned n = 0;
    int rc, node;

    any_path(p, path);
    snprintf(p->what, sizeof(p->what), "list %s", path);
    node = tree_find(&p->tree, path);
    if (node < 0 || p->tree.nodes[node].type != TREE_DIR)
        return;
    check(p, "open", capstan_dir_open(session, path, &dir), 0);
    while ((rc = capstan_dir_read(dir, &entry)) == 0) {
        snprintf(full, sizeof(full), "%s/%s", path, entry.name);
        if (tree_find(&p->tree, full) < 0)
            fail(p, full, 0, 0);
        if (!entry.stat.is_partial)
            check_stat(p, tree_find(&p->tree, full), &entry.stat);
        n++;
        if (rng_chance(&p->rng, 20)) /* where we are anyway */
            capstan_dir_seek(dir, entry.cookie);
    }
    check(p, "end", rc, -ENOENT);
    check(p, "entries", n, tree_children(&p->tree, node, false));
    capstan_dir_close(&dir);
}

typedef void play_fn(struct player *p);
static play_fn *const plays[] = {
    play_make,   play_make,   play_make, play_make,   play_remove, play_rename,
    play_rename, play_rename, play_link, play_change, play_stat,   play_list,
};

static void configure(struct player *p, struct sim_config *config)
{
    config->ntargets = 1 + (unsigned)rng_below(&p->rng, 6);
    config->nclients = 1 + (unsigned)rng_below(&p->rng, 3);
    config->timeout_ms = 600000;
    if (rng_chance(&p->rng, 60)) {
        config->drop_percent = (unsigned)rng_below(&p->rng, 10);
        config->duplicate_percent = (unsigned)rng_below(&p->rng, 10);
        config->reorder_percent = (unsigned)rng_below(&p->rng, 20);
    }
    if (rng_chance(&p->rng, 50))
        config->kill_ms = 100 + (unsigned)rng_below(&p->rng, 3000);
}

static void play(struct player *p, uint64_t seed)
{
    struct sim_config config = {.seed = seed, .stripe_size = 4096};
    char text[AUDIT_TEXT_MAX];

    p->seed = seed;
    rng_init(&p->rng, seed);
    configure(p, &config);
    sim_init(&p->sim, &config);
    tree_init(&p->tree);
    for (p->step = 0; p->step < STEPS; p->step++) {
        plays[rng_below(&p->rng, sizeof(plays) / sizeof(plays[0]))](p);
        if (p->is_verbose)
            printf("%u at %.6f s: %s\n", p->step,
                   (double)p->sim.clock.now_ns / NS_PER_SEC, p->what);
        forget_caches(p);
    }
    p->kills += p->sim.kills;
    p->sim.config.kill_ms = 0;
    sim_run(&p->sim, 60 * NS_PER_SEC);
    if (!audit_names(&p->sim, text)) {
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, text);
        exit(1);
    }
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
    printf("all as the tree says, through %lu kills\n", p->kills);
    free(p);
    return 0;
}
