/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop of a target's thread.
 *
 * The happy path: turns, as long as there is something to do; then a short
 * spin, while spins catch the next request often enough (base/spin.h); then
 * sleep until the net, the objects, the names or srv_target_wake() have
 * something, or a timer is due. Before it sleeps on the net's descriptor the
 * loop asks net_may_sleep(), since a provider may hold events that its
 * descriptor does not show.
 *
 * A provider without a descriptor is waited for by net_wait(), in naps: short
 * ones while objects or names are at work, since their descriptors are not
 * watched meanwhile.
 *
 * To stop: new requests are refused, those under way end, names are made
 * durable and the sums of objects written. A request that does not end in SRV_DRAIN_NS gets no answer; its
 * client asks again, here after a restart.
 */
#include "base/log.h"
#include "server/server.h"
#include "store/sums.h"

#include <poll.h>
#include <unistd.h>

#define SPIN_NS (20 * NS_PER_US)
#define SLEEP_MAX_NS (100 * NS_PER_MS) /* net_may_sleep() allows no more */
#define NAP_BUSY_NS (50 * NS_PER_US) /* something is at the device */
#define NAP_IDLE_NS (20 * NS_PER_MS) /* how late a stop may be noticed */
#define RETRY_NS (1 * NS_PER_MS)     /* the fabric's queue was full */
#define LATE_NS (1 * NS_PER_SEC) /* no turn takes so long of itself */

void srv_target_wake(struct srv_target *target)
{
    uint64_t one = 1;
    ssize_t written = write(target->wake_fd, &one, sizeof(one));

    (void)written; /* a full counter is readable too */
}

static void add_fd(struct pollfd *fds, nfds_t *nfds, int fd)
{
    if (fd < 0)
        return;
    fds[*nfds] = (struct pollfd){.fd = fd, .events = POLLIN};
    ++*nfds;
}

static void sleep_on_fds(struct srv_target *target, uint64_t for_ns)
{
    struct timespec timeout = {(time_t)(for_ns / NS_PER_SEC),
                               (long)(for_ns % NS_PER_SEC)};
    struct pollfd fds[4];
    nfds_t nfds = 0;
    uint64_t count;
    ssize_t got;

    if (net_may_sleep(target->net) != 0)
        return;
    add_fd(fds, &nfds, target->wake_fd);
    add_fd(fds, &nfds, net_wait_fd(target->net));
    add_fd(fds, &nfds, obj_wait_fd(target->objects));
    add_fd(fds, &nfds, names_exec_wait_fd(target->exec));
    if (ppoll(fds, nfds, &timeout, NULL) > 0 && fds[0].revents != 0) {
        got = read(target->wake_fd, &count, sizeof(count));
        (void)got;
    }
}

static void rest(struct srv_target *target, uint64_t now)
{
    uint64_t timer = srv_target_next_timer(target);
    uint64_t for_ns = timer > now ? timer - now : 0;
    bool is_working =
        obj_pending(target->objects) > 0 || target->exec->pending > 0;
    uint64_t most = SLEEP_MAX_NS;

    if (!net_caps(target->net)->has_wait_fd)
        most = is_working ? NAP_BUSY_NS : NAP_IDLE_NS;
    if (target->data.put_off != NULL && most > RETRY_NS)
        most = RETRY_NS;
    if (for_ns > most)
        for_ns = most;
    if (for_ns == 0 || target->exec->queued > 0)
        return;
    if (net_caps(target->net)->has_wait_fd)
        sleep_on_fds(target, for_ns);
    else
        net_wait(target->net, now + for_ns);
}

/* Clients see a silent server, and nothing else would tell why. */
static void tell_late(const struct srv_target *target, uint64_t for_ns)
{
    if (for_ns >= LATE_NS)
        log_warn("target %u stood still for %.1f s: it waited for a processor, "
                 "or its device held a system call",
                 target->config.target, (double)for_ns / NS_PER_SEC);
}

/* Turns and rests, until `is_over` says so or the time has come. */
typedef bool is_over_fn(const struct srv_target *target, const void *ctx);

/* Nothing is to be done: the wait for more. */
struct idle {
    bool has_begun;
    bool is_spinning;
    uint64_t spin_until_ns;
};

static void begin_idle(struct srv_target *target, struct idle *idle,
                       uint64_t now)
{
    idle->has_begun = true;
    idle->is_spinning =
        !net_caps(target->net)->has_wait_fd || spin_begin(&target->spin);
    idle->spin_until_ns = idle->is_spinning ? now + SPIN_NS : now;
}

/* The spin is over: it has caught something, or sleep comes. */
static void end_spin(struct srv_target *target, struct idle *idle,
                     bool is_caught)
{
    if (idle->is_spinning)
        spin_end(&target->spin, is_caught);
    idle->is_spinning = false;
}

static void turn_until(struct srv_target *target, is_over_fn *is_over,
                       const void *ctx, uint64_t until_ns)
{
    uint64_t now = clock_now(target->clock), before;
    struct idle idle = {0};
    bool has_moved;

    while (now < until_ns && !is_over(target, ctx)) {
        before = now;
        has_moved = srv_target_poll(target) > 0;
        now = clock_now(target->clock);
        tell_late(target, now - before);
        if (has_moved) {
            end_spin(target, &idle, true);
            idle.has_begun = false;
            continue;
        }
        if (!idle.has_begun)
            begin_idle(target, &idle, now);
        if (now < idle.spin_until_ns)
            continue;
        end_spin(target, &idle, false);
        rest(target, now);
    }
}

static bool is_told(const struct srv_target *target, const void *stop)
{
    (void)target;
    return atomic_load((const atomic_bool *)stop);
}

static bool is_quiet(const struct srv_target *target, const void *ctx)
{
    (void)ctx;
    return srv_target_is_idle(target);
}

static bool is_synced(const struct srv_target *target, const void *ctx)
{
    (void)ctx;
    return !target->is_syncing && obj_pending(target->objects) == 0;
}

void srv_target_run(struct srv_target *target, const atomic_bool *stop)
{
    turn_until(target, is_told, stop, UINT64_MAX);
    srv_target_drain(target);
    turn_until(target, is_quiet, NULL,
               clock_now(target->clock) + SRV_DRAIN_NS);
    if (!srv_target_is_idle(target))
        log_warn("target %u: %u requests did not end in time",
                 target->config.target, rpc_active(target->rpc));
    sums_flush(target->checked);
    target_sync(target);
    turn_until(target, is_synced, NULL,
               clock_now(target->clock) + SRV_DRAIN_NS);
}
