/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completions, receiving and waiting on libfabric.
 *
 * The happy path: net_poll() reads the completion queue. An entry's context is
 * a slot: an operation's slot is freed and its callback runs; a receive's slot
 * hands its buffer to the owner, and is posted again when that is released.
 *
 * net_wait() polls for a moment, while answers come as soon as that
 * (base/spin.h), then sleeps: on the queue's descriptor, or, where the provider
 * has none, in naps that grow to a millisecond. It yields between polls:
 * processors are shared with the very peers it waits for.
 *
 * Possible failure modes are: an operation that failed (its error is mapped
 * once, by ofi_error), a receive that failed (the buffer is posted again), a
 * provider that has no room for a receive (tried again at the next poll), a
 * completion of an operation that was given up (only its slot is freed).
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <poll.h>
#include <sched.h>
#include <time.h>

#define BATCH 32
#define BATCHES_MAX 8 /* a poll */
#define POSTED_MAX 32 /* receives; the rest wait for their turn */
#define SKIPS_MAX 8   /* polls that look at lanes only */
#define QUIET_LOOKS 64 /* in a row at a queue that was empty */
#define SPIN_NS (60 * NS_PER_US)
#define SPIN_FEW_NS (300 * NS_PER_US)
#define FEW_BYTES (128u << 10) /* are moved in less than a wake-up takes */
#define NAP_MIN_NS (20 * NS_PER_US)
#define NAP_MAX_NS (1 * NS_PER_MS)
#define SLEEP_MAX_NS (100 * NS_PER_MS)
#define CHECK_NS (100 * NS_PER_MS) /* between looks at shm peers */

int ofi_error(int code)
{
    switch (code) {
    case FI_EAGAIN:
    case FI_ENOMEM:
    case FI_EMSGSIZE:
    case FI_EINVAL:
    case FI_EACCES:
        return -code;
    case FI_EPERM:
    case FI_EKEYREJECTED:
    case FI_ENOKEY:
    case FI_EFAULT:
        return -EACCES;
    default:
        return -ERR_LINK;
    }
}

/* --- Receiving --- */

static struct ofi_slot *slot_of(struct ofi_net *net, const void *buffer)
{
    return &net->receives[pool_index(&net->pool, buffer)];
}

/* The provider takes the receive that it has had for longest. So it is given
 * few, and first those used last, which are still in the cache; the others may
 * never be touched. */
static void keep_idle(struct ofi_net *net, struct ofi_slot *slot)
{
    slot->next = net->idle;
    net->idle = slot;
    net->nidle++;
}

static void post_idle(struct ofi_net *net)
{
    struct ofi_slot *slot = net->idle;

    if (slot == NULL)
        return;
    net->idle = slot->next;
    net->nidle--;
    ofi_receive_post(net, slot);
}

void ofi_receive_post(struct ofi_net *net, struct ofi_slot *slot)
{
    void *desc = net->pool_mr == NULL ? NULL : fi_mr_desc(net->pool_mr->fid);
    ssize_t rc = -FI_EAGAIN;

    if (net->nposted >= POSTED_MAX) {
        keep_idle(net, slot);
        return;
    }
    if (net->ep != NULL)
        rc = fi_recv(net->ep, slot->buffer, net->pool.buffer_size, desc,
                     FI_ADDR_UNSPEC, &slot->context);
    if (rc == 0) {
        net->nposted++;
        return;
    }
    if (rc != -FI_EAGAIN)
        log_warn("post a receive buffer: %s", ofi_lib.strerror((int)-rc));
    slot->next = net->unposted;
    net->unposted = slot;
}

int ofi_receives_post(struct ofi_net *net)
{
    net->unposted = NULL;
    net->partial = NULL;
    net->nposted = net->nidle = 0;
    net->idle = NULL;
    for (size_t i = 0; i < net->pool.nbuffers; i++)
        if (!net->receives[i].is_held)
            ofi_receive_post(net, &net->receives[i]);
    return net->unposted == NULL ? 0 : -ENOMEM;
}

static void post_again(struct ofi_net *net)
{
    struct ofi_slot *slot = net->unposted, *next;

    net->unposted = NULL;
    for (; slot != NULL; slot = next) {
        next = slot->next;
        ofi_receive_post(net, slot);
    }
}

void ofi_release(struct net *base, void *buffer)
{
    struct ofi_net *net = ofi_of(base);
    struct ofi_slot *slot;

    if (ofi_lanes_release(net, buffer))
        return;
    slot = slot_of(net, buffer);
    slot->is_held = false;
    ofi_receive_post(net, slot);
}

/* --- Completions --- */

/*
 * What waits behind an operation that died with its connection must not travel
 * by the next one: a reply would tell of RMA writes that never arrived.
 */
static void end_op(struct ofi_net *net, struct ofi_slot *slot, int rc)
{
    struct ofi_peer *peer = slot->peer;
    struct net_op *op = ofi_slot_end(net, slot);

    if (rc == -ERR_LINK && peer != NULL && peer->is_waiting && !net->is_shm)
        ofi_peer_fail(net, peer);
    if (op == NULL)
        return;
    net->nops--;
    op->done(op, rc);
}

void ofi_deliver(struct ofi_net *net, struct ofi_slot *slot, size_t len)
{
    slot->is_held = true;
    net->recv(net->recv_ctx, &net->net, slot->buffer, len);
}

static void handle(struct ofi_net *net, const struct fi_cq_data_entry *entry)
{
    struct ofi_slot *slot = entry->op_context;

    if (slot == NULL)
        return;
    if (slot->buffer == NULL) {
        end_op(net, slot, 0);
        return;
    }
    net->nposted--;
    post_idle(net);
    if ((entry->flags & FI_REMOTE_CQ_DATA) != 0) {
        ofi_segment_take(net, slot, entry->len, entry->data);
    } else {
        ofi_segments_make_room(net); /* this one may be held for long */
        ofi_deliver(net, slot, entry->len);
    }
}

/* Errors of a link are the caller's to report: it knows what it was doing. */
static int handle_error(struct ofi_net *net)
{
    struct fi_cq_err_entry entry = {0};
    struct ofi_slot *slot;
    ssize_t rc;

    rc = fi_cq_readerr(net->cq, &entry, 0);
    if (rc != 1)
        return 0;
    log_debug(
        "completion error: %s (provider: %s)", ofi_lib.strerror(entry.err),
        fi_cq_strerror(net->cq, entry.prov_errno, entry.err_data, NULL, 0));
    slot = entry.op_context;
    if (slot == NULL)
        return 1;
    if (slot->buffer == NULL) {
        end_op(net, slot, ofi_error(entry.err));
        return 1;
    }
    net->nposted--;
    ofi_receive_post(net, slot);
    return 1;
}

static int read_queue(struct ofi_net *net)
{
    struct fi_cq_data_entry entries[BATCH];
    int nhandled = 0;
    ssize_t n;

    for (int i = 0; net->ep != NULL && i < BATCHES_MAX; i++) {
        n = fi_cq_read(net->cq, entries, BATCH);
        if (n == -FI_EAVAIL) {
            nhandled += handle_error(net);
            continue;
        }
        if (n <= 0) {
            if (n != -FI_EAGAIN && n != 0)
                log_error("read completion queue: %s",
                          ofi_lib.strerror((int)-n));
            break;
        }
        for (ssize_t k = 0; k < n; k++)
            handle(net, &entries[k]);
        nhandled += (int)n;
        if (n < BATCH)
            break;
    }
    return nhandled;
}

/* Call back what ended outside the queue. Callbacks may add more: not this
 * time. */
static int call_ended(struct ofi_net *net)
{
    struct ofi_line line;
    struct net_op *next;
    int nended = 0, rc;

    ofi_line_init(&line);
    ofi_line_move(&line, &net->ended);
    for (struct net_op *op = line.first; op != NULL; op = next) {
        next = ofi_start_of(op)->next;
        rc = ofi_start_of(op)->rc;
        net->nops--;
        op->done(op, rc);
        nended++;
    }
    return nended;
}

/*
 * A shm peer that died says nothing: look at its lock now and then. If it took
 * a large message with it, the whole endpoint is blocked and must be renewed.
 */
static void check_peers(struct ofi_net *net)
{
    uint64_t now_ns;

    if (!net->is_shm)
        return;
    now_ns = clock_now(net->clock);
    if (now_ns < net->next_check_ns)
        return;
    net->next_check_ns = now_ns + CHECK_NS;
    ofi_peers_check(net);
}

/* A look at the provider's queue costs a system call. It is put off while there
 * are messages in lanes, and while all that comes comes by lanes. */
static bool is_queue_due(struct ofi_net *net, int nhandled)
{
    bool is_quiet =
        net->nlanes > 0 && net->nops == 0 && net->nempty_looks >= QUIET_LOOKS;

    if ((nhandled > 0 || is_quiet) && ++net->nskipped < SKIPS_MAX)
        return false;
    net->nskipped = 0;
    return true;
}

void ofi_queue_is_due(struct ofi_net *net)
{
    net->nskipped = SKIPS_MAX;
}

static int look_at_queue(struct ofi_net *net)
{
    int nhandled = read_queue(net);

    if (nhandled > 0)
        net->nempty_looks = 0;
    else if (net->nempty_looks < QUIET_LOOKS)
        net->nempty_looks++;
    return nhandled;
}

int ofi_poll(struct net *base)
{
    struct ofi_net *net = ofi_of(base);
    int nhandled;

    if (net->unposted != NULL)
        post_again(net);
    nhandled = ofi_lanes_poll(net);
    if (is_queue_due(net, nhandled))
        nhandled += look_at_queue(net);
    if (net->waiting != NULL)
        nhandled += ofi_peers_retry(net);
    check_peers(net);
    if (net->is_wedged)
        ofi_renew(net);
    if (net->ended.first != NULL)
        nhandled += call_ended(net);
    return nhandled;
}

/* --- Waiting --- */

int ofi_wait_fd(struct net *base)
{
    return ofi_of(base)->wait_fd;
}

int ofi_may_sleep(struct net *base)
{
    struct ofi_net *net = ofi_of(base);
    struct fid *fids[] = {&net->cq->fid};

    if (net->ended.first != NULL || net->unposted != NULL)
        return -EAGAIN;
    if (net->waiting != NULL &&
        net->waiting->next_try_ns <= clock_now(net->clock))
        return -EAGAIN;
    if (net->bell_fd < 0)
        ofi_queue_is_due(net); /* it may be what ends the sleep */
    if (net->wait_fd < 0)
        return 0;
    if (fi_trywait(net->fabric, fids, 1) != 0) {
        ofi_queue_is_due(net);
        return -EAGAIN;
    }
    return ofi_lanes_may_sleep(net) ? 0 : -EAGAIN;
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SEC),
                             .tv_nsec = (long)(ns % NS_PER_SEC)};
}

/* Sleep up to limit_ns; *nap_ns is the nap of a provider without descriptor. */
static void doze(struct ofi_net *net, uint64_t limit_ns, uint64_t *nap_ns)
{
    struct pollfd fd = {.fd = net->wait_fd, .events = POLLIN};
    struct timespec time;

    if (net->wait_fd < 0 || net->waiting != NULL) {
        if (limit_ns > *nap_ns)
            limit_ns = *nap_ns;
        if (*nap_ns < NAP_MAX_NS)
            *nap_ns *= 2;
    }
    if (limit_ns > SLEEP_MAX_NS)
        limit_ns = SLEEP_MAX_NS;
    time = to_timespec(limit_ns);
    if (net->wait_fd < 0)
        nanosleep(&time, NULL);
    else
        ppoll(&fd, 1, &time, NULL);
}

/* Without a descriptor there is no sleep that an event ends. */
static bool begins_with_spin(struct ofi_net *net)
{
    return net->wait_fd < 0 || spin_begin(&net->spin);
}

/* Who spins while many bytes are copied takes the processor from the copy. */
static uint64_t spin_ns(const struct ofi_net *net)
{
    return net->net.expected <= FEW_BYTES ? SPIN_FEW_NS : SPIN_NS;
}

int ofi_wait(struct net *base, uint64_t until_ns)
{
    struct ofi_net *net = ofi_of(base);
    uint64_t now_ns = clock_now(net->clock), nap_ns = NAP_MIN_NS;
    bool is_spinning = begins_with_spin(net);
    uint64_t spin_until_ns = now_ns + (is_spinning ? spin_ns(net) : 0);
    int nhandled;

    for (;;) {
        nhandled = ofi_poll(base);
        if (nhandled > 0)
            break;
        now_ns = clock_now(net->clock);
        if (now_ns >= until_ns)
            return 0;
        if (now_ns < spin_until_ns) {
            sched_yield();
            continue;
        }
        if (is_spinning)
            spin_end(&net->spin, false);
        is_spinning = false;
        if (ofi_may_sleep(base) != 0)
            sched_yield();
        else
            doze(net, until_ns - now_ns, &nap_ns);
    }
    if (is_spinning)
        spin_end(&net->spin, true);
    return nhandled;
}
