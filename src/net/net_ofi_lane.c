/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages between two processes of one machine: lanes of shared memory.
 *
 * A lane is a ring of bytes in the receiver's table (net_ofi_local.c) with one
 * sender. Messages follow each other, each behind its length. Over TCP a
 * message costs two passes through the kernel's network and a wake-up of 40 us;
 * here it costs two copies and, if the receiver sleeps, one write to an
 * eventfd of the receiver, the bell.
 *
 * The happy path: the sender takes a free lane by locking its byte of the
 * table's file, has its pages made, and opens it; the owner sees the count of
 * opened lanes change and polls it from then on. Before it sleeps, the owner
 * says so in the table and looks at its lanes once more; a sender that finds it
 * asleep rings.
 *
 * Order: messages and RMA to a peer must not overtake each other, so the lane
 * is for a peer whose memory we copy ourselves, at once (net_ofi_cma.c). When a
 * provider has had to move bytes for it, it carries the messages too, for good.
 *
 * Possible failure modes are:
 *  - the sender dies: the kernel drops its lock, the owner reads what is there
 *    and frees the lane. What it was writing was never published;
 *  - the owner dies: its own lock goes (net_ofi_local.c), the sender detaches
 *    and the provider says that nobody is there;
 *  - the ring is full: the operation waits in its peer's line, as long as the
 *    owner lives (it computes, perhaps); nobody rings when there is room again,
 *    so a sender that sleeps meanwhile is woken by a timer;
 *  - /dev/shm is half full, no lane is free, or the kernel does not let us have
 *    the bell: no lane, the provider carries the messages;
 *  - a program that closes descriptors that are not its own (all from 3 on,
 *    say) and opens files in their place: nothing is written to those nor read
 *    from them. The bell is then silent, and who sleeps looks by itself, 100 ms
 *    late (an epoll descriptor in place of ours loses edges to us);
 *  - bytes that are no message: the lane is shut, and its sender goes back to
 *    the provider.
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define HEAD 8u                /* bytes in front of a message: its length */
#define SWITCH "CAPSTAN_LANES" /* 0 in the environment of either: none */
#define BELL_KIND "anon_inode:[eventfd]"
#define BELL_FDS 3 /* of the provider, the bell, the timer */
#define SWEEP_NS (1 * NS_PER_SEC)
#define RETRY_NS (1 * NS_PER_MS)
#define TURN_MAX 32 /* messages of one lane, in one poll */
#define POLLS 1024  /* of a busy endpoint, between looks at the clock */

static uint64_t footprint(size_t len)
{
    return HEAD + ((len + 7) & ~(uint64_t)7);
}

/* --- The bell --- */

/*
 * The provider's events are shown as long as there are any. A ring of the bell
 * and the end of the time are edges, shown once, so that nobody reads those
 * two: each write to an eventfd is an edge, whatever its count, and the count
 * has room for 2^64 rings. No ring is lost to a sleeper: the owner takes edges
 * away (has_provider_event) only before it says that it sleeps, and looks at
 * its lanes after that; a message that it does not find there then rings. A
 * ring that was meant for the sleep before ends this one at once, for nothing.
 */
static bool watch(const struct ofi_net *net, int fd)
{
    bool is_provider = fd == net->wait_fd;
    struct epoll_event event = {
        .events = is_provider ? EPOLLIN : EPOLLIN | EPOLLET,
        .data.u32 = is_provider,
    };

    return fd >= 0 && epoll_ctl(net->both_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A bell, a timer, and one descriptor that shows both and the provider's
 * events. */
static bool open_bell(struct ofi_net *net)
{
    net->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    net->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    net->both_fd = epoll_create1(EPOLL_CLOEXEC);
    return net->both_fd >= 0 && watch(net, net->wait_fd) &&
           watch(net, net->bell_fd) && watch(net, net->timer_fd);
}

static bool are_wanted(const struct ofi_net *net)
{
    const char *text = getenv(SWITCH);

    return (text == NULL || strcmp(text, "0") != 0) && net->table != NULL &&
           net->wait_fd >= 0 &&
           footprint(net->caps.message_max) <= OFI_LANE_BYTES;
}

void ofi_lanes_open(struct ofi_net *net)
{
    if (!are_wanted(net) ||
        pool_init(&net->lane_pool, net->pool.nbuffers, net->pool.buffer_size) !=
            0)
        return;
    if (!open_bell(net)) {
        log_info("no lanes between processes: %m");
        ofi_lanes_close(net);
        return;
    }
    net->wait_fd = net->both_fd;
    atomic_store(&net->table->bell_fd, net->bell_fd);
}

void ofi_lanes_close(struct ofi_net *net)
{
    close_fd(&net->bell_fd);
    close_fd(&net->timer_fd);
    close_fd(&net->both_fd);
    pool_fini(&net->lane_pool);
}

/* An owner that ends just now may have given the number to another file, and
 * nothing must ever be written to that. */
static bool is_bell(int fd)
{
    char link[64], kind[64];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, kind, sizeof(kind));
    return len >= (ssize_t)strlen(BELL_KIND) &&
           memcmp(kind, BELL_KIND, strlen(BELL_KIND)) == 0;
}

/* A descriptor of ours for the owner's bell: who may touch its memory may. */
static int borrow_bell(const struct ofi_table *table)
{
    int pid_fd, bell;
    int theirs = atomic_load(&table->bell_fd);

    if (theirs < 0)
        return -1;
    pid_fd = (int)syscall(SYS_pidfd_open, (pid_t)table->pid, 0);
    if (pid_fd < 0)
        return -1;
    bell = (int)syscall(SYS_pidfd_getfd, pid_fd, theirs, 0);
    close(pid_fd);
    if (bell < 0 || is_bell(bell))
        return bell;
    close(bell);
    return -1;
}

/* Still one of ours, or has the program closed it and opened a file there? */
static bool is_anonymous(int fd)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 && (stat.st_mode & S_IFMT) == 0;
}

static void ring_bell(struct ofi_peer *peer)
{
    uint64_t one = 1;
    ssize_t n;

    if (atomic_load(&peer->table->is_asleep) == 0 ||
        atomic_exchange(&peer->table->is_asleep, 0) == 0 ||
        !is_anonymous(peer->bell_fd))
        return;
    n = write(peer->bell_fd, &one, sizeof(one));
    (void)n; /* silent: it looks by itself, 100 ms late */
}

/* --- The sender's side --- */

static bool lock_lane(int fd, unsigned index)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = index, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static void unlock_lane(int fd, unsigned index)
{
    struct flock lock = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = index, .l_len = 1};

    fcntl(fd, F_OFD_SETLK, &lock);
}

/* Half of /dev/shm is left to others: MPI keeps its own rings there. */
static bool has_room(int fd)
{
    struct statvfs fs;

    return fstatvfs(fd, &fs) == 0 && fs.f_bavail >= fs.f_blocks / 2;
}

/* Its pages are made now: a write to a full /dev/shm would kill us. */
static bool make_pages(int fd, unsigned index)
{
    off_t at = (off_t)(offsetof(struct ofi_table, rings) +
                       (size_t)index * OFI_LANE_BYTES);

    return has_room(fd) && posix_fallocate(fd, at, OFI_LANE_BYTES) == 0;
}

static bool take_lane(struct ofi_peer *peer, unsigned index)
{
    struct ofi_lane *lane = &peer->table->lanes[index];

    if (atomic_load(&lane->state) != OFI_LANE_FREE ||
        !lock_lane(peer->lock_fd, index))
        return false;
    if (atomic_load(&lane->state) != OFI_LANE_FREE ||
        !make_pages(peer->lock_fd, index)) {
        unlock_lane(peer->lock_fd, index);
        return false;
    }
    atomic_store(&lane->head, 0);
    atomic_store(&lane->tail, 0);
    atomic_store(&lane->state, OFI_LANE_OPEN);
    atomic_fetch_add(&peer->table->nopened, 1);
    peer->lane = lane;
    peer->lane_bytes = peer->table->rings[index];
    return true;
}

void ofi_lane_take(struct ofi_net *net, struct ofi_peer *peer)
{
    unsigned first = (unsigned)getpid() % OFI_LANES_MAX;

    if (net->bell_fd < 0 || !peer->can_copy || peer->is_wired ||
        peer->table->network != net->table->network)
        return;
    peer->bell_fd = borrow_bell(peer->table);
    if (peer->bell_fd < 0)
        return;
    for (unsigned i = 0; i < OFI_LANES_MAX; i++)
        if (take_lane(peer, (first + i) % OFI_LANES_MAX))
            return;
    close(peer->bell_fd);
    peer->bell_fd = -1;
}

void ofi_lane_drop(struct ofi_peer *peer)
{
    if (peer->lane == NULL)
        return;
    unlock_lane(peer->lock_fd, (unsigned)(peer->lane - peer->table->lanes));
    close(peer->bell_fd);
    peer->bell_fd = -1;
    peer->lane = NULL;
}

/* Copy to a place in the ring, around its end. */
static void put_bytes(uint8_t *ring, uint64_t at, const void *from, size_t len)
{
    size_t where = at % OFI_LANE_BYTES, first = OFI_LANE_BYTES - where;

    if (first > len)
        first = len;
    memcpy(ring + where, from, first);
    memcpy(ring, (const char *)from + first, len - first);
}

static void get_bytes(const uint8_t *ring, uint64_t at, void *to, size_t len)
{
    size_t where = at % OFI_LANE_BYTES, first = OFI_LANE_BYTES - where;

    if (first > len)
        first = len;
    memcpy(to, ring + where, first);
    memcpy((char *)to + first, ring, len - first);
}

int ofi_lane_send(struct ofi_peer *peer, const void *message, size_t len)
{
    struct ofi_lane *lane = peer->lane;
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);
    uint64_t word = len;

    if (atomic_load_explicit(&lane->state, memory_order_relaxed) !=
        OFI_LANE_OPEN)
        return -ERR_LINK;
    if (tail - head + footprint(len) > OFI_LANE_BYTES)
        return -EAGAIN;
    put_bytes(peer->lane_bytes, tail, &word, sizeof(word));
    put_bytes(peer->lane_bytes, tail + HEAD, message, len);
    /* Published before the look at is_asleep; the owner the other way round. */
    atomic_store(&lane->tail, tail + footprint(len));
    ring_bell(peer);
    return 0;
}

/* --- The owner's side --- */

static void see_opened(struct ofi_net *net)
{
    uint32_t nopened = atomic_load(&net->table->nopened);

    if (nopened == net->nlanes_seen)
        return;
    net->nlanes_seen = nopened;
    net->nlanes = 0;
    for (unsigned i = 0; i < OFI_LANES_MAX; i++)
        if (atomic_load(&net->table->lanes[i].state) == OFI_LANE_OPEN)
            net->lanes[net->nlanes++] = (uint16_t)i;
}

static uint64_t bytes_in(const struct ofi_lane *lane)
{
    return atomic_load_explicit(&lane->tail, memory_order_acquire) -
           atomic_load_explicit(&lane->head, memory_order_relaxed);
}

/* The memory is the sender's too: nothing in it is believed.
 * @return false: nothing there, no buffer, or no message. */
static bool receive_one(struct ofi_net *net, unsigned index)
{
    struct ofi_lane *lane = &net->table->lanes[index];
    uint64_t there = bytes_in(lane), len;
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    void *buffer;

    if (there == 0 || (buffer = pool_get(&net->lane_pool)) == NULL)
        return false;
    get_bytes(net->table->rings[index], head, &len, sizeof(len));
    if (len > net->lane_pool.buffer_size || there > OFI_LANE_BYTES ||
        footprint(len) > there) {
        pool_put(&net->lane_pool, buffer);
        log_warn("a lane between processes holds no message; shut");
        atomic_store(&lane->state, OFI_LANE_SHUT);
        net->nlanes_seen--; /* look again which are open */
        return false;
    }
    get_bytes(net->table->rings[index], head + HEAD, buffer, len);
    atomic_store_explicit(&lane->head, head + footprint(len),
                          memory_order_release);
    net->recv(net->recv_ctx, &net->net, buffer, len);
    return true;
}

static bool is_locked(const struct ofi_net *net, unsigned index)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = index, .l_len = 1};

    return fcntl(net->lock_fd, F_OFD_GETLK, &lock) != 0 ||
           lock.l_type != F_UNLCK;
}

/* Free the lanes whose senders are gone; the lock first, then the bytes. */
static void sweep(struct ofi_net *net)
{
    for (unsigned i = 0; i < OFI_LANES_MAX; i++) {
        struct ofi_lane *lane = &net->table->lanes[i];
        uint32_t state = atomic_load(&lane->state);

        if (state == OFI_LANE_FREE || is_locked(net, i) ||
            (state == OFI_LANE_OPEN && bytes_in(lane) > 0))
            continue;
        atomic_store(&lane->state, OFI_LANE_FREE);
        net->nlanes_seen--;
    }
}

static void sweep_now_and_then(struct ofi_net *net)
{
    uint64_t now_ns;

    if (!net->is_resting && ++net->npolls % POLLS != 0)
        return;
    now_ns = clock_now(net->clock);
    if (now_ns < net->next_sweep_ns)
        return;
    net->next_sweep_ns = now_ns + SWEEP_NS;
    sweep(net);
    ofi_peers_let_go(net);
}

/* Did the provider end the sleep? Asked without waiting. */
static bool has_provider_event(const struct ofi_net *net)
{
    struct epoll_event events[BELL_FDS];
    int n = epoll_wait(net->both_fd, events, BELL_FDS, 0);

    for (int i = 0; i < n; i++)
        if (events[i].data.u32 != 0)
            return true;
    return n < 0; /* closed by the program: look */
}

static void wake_up(struct ofi_net *net)
{
    if (!net->is_resting)
        return;
    net->is_resting = false;
    atomic_store(&net->table->is_asleep, 0);
    if (has_provider_event(net))
        ofi_queue_is_due(net);
}

int ofi_lanes_poll(struct ofi_net *net)
{
    int nhandled = 0;

    if (net->bell_fd < 0)
        return 0;
    sweep_now_and_then(net);
    wake_up(net);
    see_opened(net);
    for (unsigned i = 0; i < net->nlanes; i++)
        for (unsigned k = 0; k < TURN_MAX && receive_one(net, net->lanes[i]);
             k++)
            nhandled++;
    return nhandled;
}

bool ofi_lanes_release(struct ofi_net *net, void *buffer)
{
    const char *base = net->lane_pool.base;
    size_t size = net->lane_pool.nbuffers * net->lane_pool.buffer_size;

    if (base == NULL || (char *)buffer < base || (char *)buffer >= base + size)
        return false;
    pool_put(&net->lane_pool, buffer);
    return true;
}

/* Peers whose lanes are full are tried again, asleep or not. */
static void set_timer(struct ofi_net *net)
{
    struct itimerspec spec = {.it_value.tv_nsec = RETRY_NS};

    timerfd_settime(net->timer_fd, 0, &spec, NULL);
}

static bool is_empty(const struct ofi_lane *lane)
{
    /* In one order with what is said of sleep, as the sender's. */
    return atomic_load(&lane->tail) == atomic_load(&lane->head);
}

bool ofi_lanes_may_sleep(struct ofi_net *net)
{
    bool is_idle;

    if (net->bell_fd < 0)
        return true;
    if (net->waiting != NULL)
        set_timer(net);
    net->is_resting = true;
    atomic_store(&net->table->is_asleep, 1);
    is_idle = atomic_load(&net->table->nopened) == net->nlanes_seen;
    for (unsigned i = 0; is_idle && i < net->nlanes; i++)
        is_idle = is_empty(&net->table->lanes[net->lanes[i]]) ||
                  net->lane_pool.nfree == 0;
    return is_idle;
}
