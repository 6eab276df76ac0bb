/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server dies at every step of every change of names. One client makes one
 * change on a simulated cluster of four; at the n-th event one server is killed,
 * or loses its power, and comes back. The change must end well; afterwards it
 * must have happened, whole (after a loss of power: wholly or not at all), and
 * the stopped name stores must be whole.
 *
 *     test_crash_names [STRIDE [VARIANTS]]
 *
 * STRIDE 1 takes every event, the default every 17th from another beginning
 * each time. VARIANTS are other names, which lie on other targets.
 */
#include "client/dirs.h"
#include "sim/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS 4
#define EVENTS_MAX 100000

struct crash {
    struct sim_cluster sim;
    unsigned index;
    bool is_power;
    long left; /* events until it happens; negative: it has */
    unsigned variant;
    char paths[4][64];
    unsigned long runs, crashes;
    const char *what;
};

static struct capstan_session *client(struct crash *c)
{
    return c->sim.clients[0];
}

static void fail(const struct crash *c, const char *why, long long n)
{
    fprintf(stderr,
            "%s, variant %u, %s of target %u at event %ld: %s (%lld)\n",
            c->what, c->variant, c->is_power ? "power loss" : "kill",
            c->index + 1, c->left, why, n);
    exit(1);
}

static void must(struct crash *c, int rc, const char *why)
{
    if (rc != 0)
        fail(c, why, rc);
}

static void make_file(struct crash *c, const char *path)
{
    struct capstan_file *file;
    size_t done;

    must(c,
         capstan_file_open(client(c), path,
                           CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE, NULL,
                           &file),
         path);
    must(c, capstan_file_write(file, 0, "x", 1, &done), "write");
    must(c, capstan_file_close(&file), "close");
}

static uint64_t ino_of(struct crash *c, const char *path)
{
    uint64_t ino = 0;

    cli_dirs_drop(client(c)->dirs);
    capstan_resolve(client(c), path, CAPSTAN_NOFOLLOW, &ino);
    return ino;
}

/* What there is before, what is done, and is it done (or not at all)? */
typedef void prepare_fn(struct crash *c);
typedef int change_fn(struct crash *c);

#define P(i) c->paths[i]

static void prepare_file(struct crash *c)
{
    make_file(c, P(0));
}

/* A file that lies elsewhere than its name. */
static void prepare_moved(struct crash *c)
{
    make_file(c, P(2));
    must(c, capstan_rename(client(c), P(2), P(0), 0), "rename before");
}

static void prepare_two(struct crash *c)
{
    make_file(c, P(0));
    make_file(c, P(1));
}

static void prepare_dir(struct crash *c)
{
    must(c, capstan_mkdir(client(c), P(0), 0), "mkdir before");
}

static void prepare_two_dirs(struct crash *c)
{
    prepare_dir(c);
    must(c, capstan_mkdir(client(c), P(1), 0), "mkdir before");
}

static void prepare_nothing(struct crash *c)
{
    (void)c;
}

static int do_create(struct crash *c)
{
    struct capstan_file *file;
    int rc = capstan_file_open(client(c), P(0),
                               CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                                   CAPSTAN_OPEN_EXCL,
                               NULL, &file);

    return rc == 0 ? capstan_file_close(&file) : rc;
}

static int do_mkdir(struct crash *c)
{
    return capstan_mkdir(client(c), P(0), 0);
}

static int do_symlink(struct crash *c)
{
    return capstan_symlink(client(c), "text", P(0));
}

static int do_unlink(struct crash *c)
{
    return capstan_unlink(client(c), P(0));
}

static int do_rmdir(struct crash *c)
{
    return capstan_rmdir(client(c), P(0));
}

static int do_link(struct crash *c)
{
    return capstan_link(client(c), P(0), P(1));
}

static int do_rename(struct crash *c)
{
    return capstan_rename(client(c), P(0), P(1), 0);
}

static int do_exchange(struct crash *c)
{
    return capstan_rename(client(c), P(0), P(1), CAPSTAN_RENAME_EXCHANGE);
}

/* Which inode each of the two names stands for: 0 none, 1 that which was at
 * the first, 2 that at the second, 3 a new one. */
struct scenario {
    const char *what;
    prepare_fn *prepare;
    change_fn *change;
    unsigned first, second;
};

static const struct scenario scenarios[] = {
    {"create", prepare_nothing, do_create, 3, 0},
    {"mkdir", prepare_nothing, do_mkdir, 3, 0},
    {"symlink", prepare_nothing, do_symlink, 3, 0},
    {"unlink", prepare_file, do_unlink, 0, 0},
    {"unlink of a moved file", prepare_moved, do_unlink, 0, 0},
    {"rmdir", prepare_dir, do_rmdir, 0, 0},
    {"link", prepare_file, do_link, 1, 1},
    {"link of a moved file", prepare_moved, do_link, 1, 1},
    {"rename", prepare_file, do_rename, 0, 1},
    {"rename of a moved file", prepare_moved, do_rename, 0, 1},
    {"rename over a file", prepare_two, do_rename, 0, 1},
    {"rename of a directory", prepare_dir, do_rename, 0, 1},
    {"rename over a directory", prepare_two_dirs, do_rename, 0, 1},
    {"exchange of files", prepare_two, do_exchange, 2, 1},
    {"exchange of directories", prepare_two_dirs, do_exchange, 2, 1},
};

static int crash_turn(void *ctx)
{
    struct crash *c = ctx;

    if (c->left < 0 || c->left-- > 0)
        return 0;
    if (c->is_power)
        sim_power_loss(&c->sim, c->index);
    else
        sim_kill(&c->sim, c->index);
    return 0;
}

static uint64_t wanted(unsigned which, const uint64_t before[2], uint64_t now)
{
    if (which == 3)
        return now != 0 ? now : 1;
    return which == 0 ? 0 : before[which - 1];
}

static void judge(struct crash *c, const struct scenario *scenario,
                  const uint64_t before[2])
{
    uint64_t now[2] = {ino_of(c, P(0)), ino_of(c, P(1))};
    bool is_new = now[0] == wanted(scenario->first, before, now[0]) &&
                  now[1] == wanted(scenario->second, before, now[1]);
    bool is_old = now[0] == before[0] && now[1] == before[1];

    if (!is_new && !(c->is_power && is_old))
        fail(c, "neither as before nor as wanted", (long long)now[0]);
}

/* @return did the crash come before the change had ended? */
static bool run(struct crash *c, const struct scenario *scenario, long event)
{
    struct sim_config config = {.seed = 1 + c->variant,
                                .ntargets = TARGETS,
                                .nclients = 1,
                                .stripe_size = 4096,
                                .timeout_ms = 600000};
    char text[AUDIT_TEXT_MAX];
    uint64_t before[2];
    bool is_hit;

    c->what = scenario->what;
    c->left = -1;
    sim_init(&c->sim, &config);
    must(c, capstan_mkdir(client(c), "/a", 0), "mkdir");
    must(c, capstan_mkdir(client(c), "/b", 0), "mkdir");
    scenario->prepare(c);
    sim_run(&c->sim, 3 * NS_PER_SEC); /* all of that is durable */
    before[0] = ino_of(c, P(0));
    before[1] = ino_of(c, P(1));
    if (net_sim_actor_add(c->sim.fabric, crash_turn, c) != 0)
        abort();
    c->left = event;
    must(c, scenario->change(c), "the change failed");
    is_hit = c->left < 0;
    c->left = -1;
    net_sim_actor_remove(c->sim.fabric, c);
    sim_run(&c->sim, 20 * NS_PER_SEC);
    judge(c, scenario, before);
    sim_run(&c->sim, 5 * NS_PER_SEC);
    if (!audit_names(&c->sim, text)) {
        c->left = event;
        fail(c, text, 0);
    }
    sim_fini(&c->sim);
    c->runs++;
    c->crashes += is_hit;
    return is_hit;
}

static void set_paths(struct crash *c)
{
    snprintf(P(0), sizeof(P(0)), "/a/old%u", c->variant);
    snprintf(P(1), sizeof(P(1)), "/b/new%u", c->variant * 7);
    snprintf(P(2), sizeof(P(2)), "/b/first%u", c->variant * 3);
}

int main(int argc, char **argv)
{
    long stride = argc > 1 ? strtol(argv[1], NULL, 0) : 17;
    unsigned variants =
        argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 1;
    struct crash *c = calloc(1, sizeof(*c));
    long event, first = 0;

    if (c == NULL || stride < 1)
        return 1;
    for (c->variant = 0; c->variant < variants; c->variant++)
        for (size_t s = 0; s < sizeof(scenarios) / sizeof(scenarios[0]); s++)
            for (unsigned way = 0; way < 2 * TARGETS; way++) {
                set_paths(c);
                c->index = way / 2;
                c->is_power = way % 2 == 1;
                first = (first + 5) % stride;
                for (event = first; event < EVENTS_MAX; event += stride)
                    if (!run(c, &scenarios[s], event))
                        break;
            }
    printf("%lu runs, %lu crashes, every change whole\n", c->runs, c->crashes);
    free(c);
    return 0;
}
