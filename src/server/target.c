/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A target from create to destroy, and one turn of it.
 *
 * The happy path of create: the endpoint first, so that an address in use is
 * told as such; then the directory's identity, the buffers and their
 * registration, objects, names, and rpc, from which on requests are served;
 * last the removals and orphans that a former process left.
 *
 * One turn: rpc (which polls the net and calls handlers), names that have
 * ended, data that may go on, objects, timers. Nothing in it blocks.
 *
 * Possible failure modes are those of the parts at create; each is undone in
 * reverse by srv_target_destroy(), which takes a half-made target.
 */
#include "server/target.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/numa_pin.h"
#include "server/holds.h"
#include "server/identity.h"
#include "server/reaper.h"
#include "server/server.h"
#include "store/ahead.h"
#include "store/sums.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROOT_MODE 0755u   /* of a new root directory, which is ours */
#define RECEIVES_SPARE 32 /* for answers to our own calls, and HELLO */

static void set_default(unsigned *value, unsigned otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_defaults(struct srv_limits *limits)
{
    set_default(&limits->requests_max, 256);
    set_default(&limits->sessions_max, 4096);
    set_default(&limits->buffers, 64);
    set_default(&limits->queue_depth, 128);
    set_default(&limits->listings_max, 16);
    if (limits->buffer_size == 0)
        limits->buffer_size = 256u << 10;
}

static int open_net(struct srv_target *target,
                    const struct cluster_target *self)
{
    const struct srv_target_config *config = &target->config;
    struct net_config net_config = {
        .provider = target->cluster->provider,
        .node = self->server->node,
        .service = self->service,
        .message_max = PROTO_MESSAGE_MAX,
        .receives = config->limits.requests_max +
                    config->limits.requests_max / 4 + RECEIVES_SPARE,
        .recv = rpc_receive,
        .recv_ctx = &target->rpc,
        .clock = config->clock,
        .fabric = config->fabric,
    };

    return net_open(config->net, &net_config, &target->net);
}

static int claim_directory(struct srv_target *target,
                           const struct cluster_target *self)
{
    char text[IDENTITY_TEXT_MAX];
    int rc;

    if (target->config.is_simulated)
        return 0;
    target->node = numa_node_of_path(self->directory);
    rc = identity_claim(self->directory, target->cluster->id, self->id, text,
                        &target->identity_fd);
    if (rc != 0)
        log_error("target %u: %s", self->id, text);
    else
        room_init(&target->room, target->identity_fd);
    return rc;
}

static int open_checked(struct srv_target *target,
                        const struct obj_config *config)
{
    struct sums_config sums = {
        .clock = target->clock,
        .boot = target->config.boot,
        .machine = target->config.machine,
        .units_max = target->config.limits.sums_units,
        .objects_max = target->config.limits.sums_objects,
    };
    struct obj_store *below;
    int rc;

    rc = obj_open(target->config.objects, config, &below);
    if (rc != 0)
        return rc;
    rc = sums_create(below, &sums, &target->checked);
    if (rc != 0)
        obj_close(below);
    return rc;
}

/* Over the checked objects, if there is memory for it. */
static int open_ahead(struct srv_target *target, uint64_t memory_max)
{
    struct ahead_config config = {.clock = target->clock,
                                  .memory_max = memory_max};
    int rc;

    target->objects = target->checked;
    if (memory_max < AHEAD_UNIT)
        return 0;
    rc = ahead_create(target->checked, &config, &target->objects);
    target->has_ahead = rc == 0;
    return rc;
}

static int open_objects(struct srv_target *target,
                        const struct cluster_target *self)
{
    const struct srv_limits *limits = &target->config.limits;
    struct pool *pool = &target->data.pool;
    struct obj_config config = {
        .directory = self->directory,
        .queue_depth = limits->queue_depth,
        .is_direct = !self->is_buffered,
        .disk = target->config.disk,
    };
    int rc;

    rc = data_init(&target->data, limits->requests_max, limits->buffers,
                   limits->buffer_size);
    if (rc != 0)
        return rc;
    config.pool = pool->base;
    config.pool_size = pool->nbuffers * pool->buffer_size;
    rc = net_mr_reg(target->net, pool->base, config.pool_size, NET_MEM_HOST,
                    NET_LOCAL, &target->mr);
    if (rc != 0)
        return rc;
    rc = open_checked(target, &config);
    return rc == 0 ? open_ahead(target, self->plan_memory) : rc;
}

static int open_names(struct srv_target *target,
                      const struct cluster_target *self)
{
    struct names_exec_config config = {
        .kv = target->config.names,
        .kv_config = {.disk = target->config.kv_disk,
                      .machine = target->config.machine},
        .target = self->id,
    };
    struct inode root = {.mode = ROOT_MODE};
    char directory[PATH_MAX];
    int rc;

    root.atime_ns = root.mtime_ns = root.ctime_ns = clock_wall(target->clock);
    root.uid = geteuid();
    root.gid = getegid();
    if (self->id == target->cluster->target_ids[0])
        config.root = &root;

    if (!target->config.is_simulated) {
        if (snprintf(directory, sizeof(directory), "%s/names",
                     self->directory) >= (int)sizeof(directory))
            return -ENAMETOOLONG;
        config.kv_config.directory = directory;
    }
    rc = once_create(&target->once);
    if (rc != 0)
        return rc;
    return names_exec_create(target->config.is_simulated ? &names_inline
                                                         : &names_threaded,
                             &config, &target->exec);
}

static int make_tasks(struct srv_target *target)
{
    int rc = names_tasks_init(target);

    if (rc == 0)
        rc = object_tasks_init(target);
    if (rc == 0)
        rc = listings_init(target);
    if (rc == 0)
        rc = changes_init(target);
    if (rc == 0)
        rc = lock_table_init(target);
    if (rc == 0)
        rc = scrub_create(target);
    if (rc == 0)
        rc = reaper_create(target, &target->reaper);
    if (rc == 0)
        rc = check_page_init(target);
    if (rc == 0)
        rc = holds_create(clock_now(target->clock), &target->holds);
    return rc;
}

static int start_rpc(struct srv_target *target)
{
    struct rpc_config config = {
        .net = target->net,
        .clock = target->clock,
        .cluster = target->cluster,
        .client = target->config.client,
        .serve = op_dispatch,
        .serve_ctx = target,
        .target = target->config.target,
        .boot = target->config.boot,
        .requests_max = target->config.limits.requests_max,
        .sessions_max = target->config.limits.sessions_max,
        .counters = &target->counters,
    };

    return rpc_create(&config, &target->rpc);
}

static int open_all(struct srv_target *target,
                    const struct cluster_target *self)
{
    int rc;

    target->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (target->wake_fd < 0)
        return -errno;
    rc = open_net(target, self);
    if (rc == 0)
        rc = claim_directory(target, self);
    if (rc == 0)
        rc = open_objects(target, self);
    if (rc == 0)
        rc = open_names(target, self);
    if (rc == 0)
        rc = make_tasks(target);
    if (rc == 0)
        rc = start_rpc(target);
    return rc;
}

int srv_target_create(const struct srv_target_config *config,
                      struct srv_target **target_out)
{
    const struct cluster_target *self =
        cluster_target(config->cluster, config->target);
    struct srv_target *target;
    int rc;

    if (self == NULL || config->client == 0)
        return -EINVAL;
    target = mem_calloc(1, sizeof(*target));
    if (target == NULL)
        return -ENOMEM;
    target->config = *config;
    set_defaults(&target->config.limits);
    target->cluster = config->cluster;
    target->clock = config->clock;
    target->started_ns = clock_now(config->clock);
    target->sync_due_ns = UINT64_MAX;
    target->identity_fd = target->wake_fd = -1;
    room_init(&target->room, -1);
    rc = open_all(target, self);
    if (rc != 0) {
        if (rc == -ENOMEM) /* the rest was logged where it was decided */
            log_error("target %u: out of memory", self->id);
        srv_target_destroy(&target);
        return rc;
    }
    changes_recover(target);
    *target_out = target;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Names end first, for their operations submit to the objects; the objects
 * wait for the device; what the fabric still moves is cut off by the close. */
void srv_target_destroy(struct srv_target **target_p)
{
    struct srv_target *target = *target_p;

    if (target == NULL)
        return;
    target->is_closing = true;
    names_exec_destroy(&target->exec);
    if (target->objects != NULL)
        obj_close(target->objects);
    if (target->rpc != NULL)
        rpc_destroy(&target->rpc);
    if (target->mr != NULL)
        net_mr_dereg(target->net, target->mr);
    if (target->net != NULL)
        net_close(target->net);
    reaper_destroy(&target->reaper);
    scrub_destroy(target);
    holds_destroy(&target->holds);
    check_page_fini(target);
    locks_destroy(&target->locks);
    changes_fini(target);
    listings_fini(target);
    object_tasks_fini(target);
    names_tasks_fini(target);
    once_destroy(&target->once);
    data_fini(&target->data);
    close_fd(target->identity_fd);
    close_fd(target->wake_fd);
    free(target);
    *target_p = NULL;
}

/*
 * Names become durable within SYNC_EVERY_NS, asked for or not.
 */

static void run_nothing(struct names_op *op, struct names *names)
{
    (void)names;
    op->rc = 0;
}

static void synced(struct names_op *op)
{
    struct srv_target *target =
        (struct srv_target *)((char *)op - offsetof(struct srv_target,
                                                    sync_op));

    target->is_syncing = false;
}

void target_sync(struct srv_target *target)
{
    if (target->is_syncing)
        return;
    target->sync_due_ns = UINT64_MAX;
    target->is_syncing = true;
    target->sync_op = (struct names_op){
        .run = run_nothing, .done = synced, .wants_sync = true};
    names_exec_submit(target->exec, &target->sync_op);
}

static int poll_sync(struct srv_target *target, uint64_t now)
{
    if (target->is_syncing || target->exec->unsynced == 0) {
        target->sync_due_ns = UINT64_MAX;
        return 0;
    }
    if (target->sync_due_ns == UINT64_MAX)
        target->sync_due_ns = now + SYNC_EVERY_NS;
    if (now < target->sync_due_ns)
        return 0;
    target_sync(target);
    return 1;
}

static int poll_timers(struct srv_target *target)
{
    uint64_t now = clock_now(target->clock);
    int n = poll_sync(target, now);

    n += reaper_poll(target->reaper, now);
    n += changes_poll(target, now);
    n += locks_poll(target->locks, now);
    return n;
}

int srv_target_poll(struct srv_target *target)
{
    int n = rpc_poll(target->rpc);

    target->exec->is_moving =
        target->data.njobs > 0 || obj_pending(target->objects) > 0;
    n += names_exec_poll(target->exec);
    if (target->grows != NULL)
        n += object_tasks_poll(target);
    n += data_poll(target);
    n += obj_poll(target->objects);
    n += poll_timers(target);
    return n;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t srv_target_next_timer(const struct srv_target *target)
{
    uint64_t next = rpc_next_timer(target->rpc);

    next = least(next, target->sync_due_ns);
    next = least(next, reaper_next_timer(target->reaper));
    next = least(next, locks_next_timer(target->locks));
    return least(next, changes_next_timer(target));
}

void srv_target_drain(struct srv_target *target)
{
    rpc_drain(target->rpc);
    locks_dismiss(target->locks);
}

bool srv_target_is_idle(const struct srv_target *target)
{
    return rpc_active(target->rpc) == 0 && target->exec->pending == 0 &&
           target->data.njobs == 0 && obj_pending(target->objects) == 0;
}

struct net *srv_target_net(struct srv_target *target)
{
    return target->net;
}
