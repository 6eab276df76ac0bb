/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes between processes of one machine: taken where they may be, freed by the
 * death of their sender, full, and filled with what is no message; and where
 * they may not be, the provider does it all.
 */
#include "base/err.h"
#include "base/rng.h"
#include "net/net_ofi_priv.h"
#include "tests/net/net_kit.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PROVIDER "tcp;ofi_rxm"
#define HIDDEN "CAPSTAN_TEST_HIDDEN" /* from other processes */

static struct kit_end a, b;

static struct ofi_net *net_of(const struct kit_end *end)
{
    return ofi_of(end->net);
}

static struct ofi_peer *peer_of(const struct kit_end *end, uint64_t id)
{
    return net_of(end)->peers[id];
}

/* a and b, and a lane from a to b that has carried one message. */
static uint64_t open_both(void)
{
    struct kit_call call;
    uint64_t peer;

    CU_ASSERT_EQUAL_FATAL(kit_open(&a, PROVIDER, NULL, 8), 0);
    CU_ASSERT_EQUAL_FATAL(kit_open(&b, PROVIDER, NULL, 8), 0);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &call, peer, "abcd", 4), 0);
    CU_ASSERT_FATAL(kit_until(&b, &a, &b.nreceived, 1));
    return peer;
}

static void close_both(void)
{
    net_close(a.net);
    net_close(b.net);
}

static void test_messages_of_all_lengths_pass_in_order(void)
{
    enum { N = 2000 };
    static char bytes[KIT_MESSAGE_MAX];
    struct kit_call call;
    uint64_t peer = open_both(), seed = clock_wall(clock_real());
    struct rng rng;
    unsigned nwrong = 0;
    size_t len;

    printf("seed %llu ", (unsigned long long)seed);
    rng_init(&rng, seed);
    CU_ASSERT_PTR_NOT_NULL(peer_of(&a, peer)->lane);
    for (uint32_t i = 0; i < N; i++) {
        len = 4 + rng_next(&rng) % (KIT_MESSAGE_MAX - 3);
        memcpy(bytes, &i, 4);
        CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &call, peer, bytes, len), 0);
        CU_ASSERT_FATAL(kit_until(&a, &b, &call.nended, 1));
        CU_ASSERT_FATAL(kit_until(&b, &a, &b.nreceived, i + 2));
        nwrong += b.last != i || b.last_len != len;
    }
    CU_ASSERT_EQUAL(nwrong, 0);
    CU_ASSERT_PTR_NOT_NULL(peer_of(&a, peer)->lane);
    close_both();
}

enum { MANY = OFI_LANE_BYTES / KIT_MESSAGE_MAX + 8 };

/* More than the lane to this peer holds. */
static void fill_lane(uint64_t peer, struct kit_call calls[MANY])
{
    static char bytes[KIT_MESSAGE_MAX];

    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL_FATAL(
            kit_send(&a, NULL, &calls[i], peer, bytes, sizeof(bytes)), 0);
}

static void test_full_lane_lets_the_sender_wait(void)
{
    enum { N = MANY };
    static struct kit_call calls[N];
    uint64_t peer = open_both();

    fill_lane(peer, calls);
    for (unsigned i = 0; i < 100; i++)
        net_poll(a.net);
    CU_ASSERT_EQUAL(calls[0].nended, 1);
    CU_ASSERT_EQUAL(calls[N - 1].nended, 0);
    CU_ASSERT(kit_until(&a, &b, &calls[N - 1].nended, 1));
    CU_ASSERT(kit_until(&b, &a, &b.nreceived, N + 1));
    CU_ASSERT_EQUAL(calls[N - 1].rc, 0);
    close_both();
}

/* Nobody rings when there is room again. */
static void test_full_lane_does_not_let_the_sender_oversleep(void)
{
    static struct kit_call calls[MANY];
    uint64_t peer = open_both();
    struct pollfd fd = {.fd = net_wait_fd(a.net), .events = POLLIN};

    fill_lane(peer, calls);
    for (unsigned i = 0; i < 3; i++) {
        while (net_may_sleep(a.net) != 0)
            net_poll(a.net);
        CU_ASSERT_EQUAL(poll(&fd, 1, 10000), 1);
        net_poll(a.net);
    }
    CU_ASSERT_EQUAL(calls[MANY - 1].nended, 0);
    CU_ASSERT(kit_until(&a, &b, &calls[MANY - 1].nended, 1));
    while (net_may_sleep(a.net) != 0)
        net_poll(a.net);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    close_both();
}

/* A process that is stopped is waited for longer than a link; a dead one not.
 */
static void test_full_lane_outlasts_a_stop_but_not_a_death(void)
{
    static struct kit_call calls[MANY];
    struct kit_server server = {0};
    uint64_t peer, until_ns;

    CU_ASSERT_EQUAL_FATAL(kit_open(&a, PROVIDER, NULL, 8), 0);
    CU_ASSERT_EQUAL_FATAL(kit_server_start(&server, PROVIDER, "0"), 0);
    CU_ASSERT_EQUAL_FATAL(
        net_peer_insert(a.net, server.name, server.name_len, &peer), 0);
    CU_ASSERT_EQUAL_FATAL(kit_ask(&a, peer, 1), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(peer_of(&a, peer)->lane);
    kill(server.pid, SIGSTOP);
    fill_lane(peer, calls);
    until_ns = clock_now(clock_real()) + OFI_LINK_NS + NS_PER_SEC / 2;
    while (clock_now(clock_real()) < until_ns)
        net_wait(a.net, until_ns);
    CU_ASSERT_EQUAL(calls[MANY - 1].nended, 0);
    kit_server_kill(&server);
    CU_ASSERT(kit_until(&a, NULL, &calls[MANY - 1].nended, 1));
    CU_ASSERT_EQUAL(calls[MANY - 1].rc, -ERR_LINK);
    net_close(a.net);
}

/* The descriptor, not the deadline, ends the sleep. */
static void test_bell_is_seen_by_who_sleeps(void)
{
    uint64_t peer = open_both();
    struct pollfd fd = {.fd = net_wait_fd(b.net), .events = POLLIN};
    struct kit_call call;

    while (net_may_sleep(b.net) != 0)
        net_poll(b.net);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    CU_ASSERT_EQUAL_FATAL(kit_send(&a, NULL, &call, peer, "abcd", 4), 0);
    CU_ASSERT_EQUAL(poll(&fd, 1, 10000), 1);
    CU_ASSERT(kit_until(&b, &a, &b.nreceived, 2));
    /* And it may sleep again, undisturbed. */
    while (net_may_sleep(b.net) != 0)
        net_poll(b.net);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    CU_ASSERT_EQUAL_FATAL(kit_send(&a, NULL, &call, peer, "abcd", 4), 0);
    CU_ASSERT_EQUAL(net_may_sleep(b.net), -EAGAIN);
    close_both();
}

/* The time of a sleep that another thing ended runs out later: once. */
static void test_a_timer_that_is_over_lets_the_owner_sleep(void)
{
    const struct itimerspec spec = {.it_value.tv_nsec = NS_PER_MS};
    struct pollfd timer, fd;

    open_both();
    timer = (struct pollfd){.fd = net_of(&b)->timer_fd, .events = POLLIN};
    fd = (struct pollfd){.fd = net_wait_fd(b.net), .events = POLLIN};
    while (net_may_sleep(b.net) != 0)
        net_poll(b.net);
    CU_ASSERT_EQUAL(timerfd_settime(timer.fd, 0, &spec, NULL), 0);
    net_poll(b.net); /* awake before the time */
    CU_ASSERT_EQUAL(poll(&timer, 1, 10000), 1);
    for (unsigned i = 0; i < 2; i++) /* one sleep may be cut short */
        do
            net_poll(b.net);
        while (net_may_sleep(b.net) != 0);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    close_both();
}

/* b's owner in a thread of its own, who falls asleep as often as it may. */
enum { SPINS = 10000, MOMENTS = 5000 }; /* loops: some us */

struct sleeper {
    struct rng rng;
    atomic_uint nreceived;
    atomic_uint next; /* the message that is about to be sent */
    atomic_bool is_over;
    atomic_uint nlost; /* sleeps that outlasted the coming of a message */
    unsigned nsleeps;
};

static void sleep_once(struct sleeper *sleeper)
{
    struct pollfd fd = {.fd = net_wait_fd(b.net), .events = POLLIN};
    unsigned before = b.nreceived;

    if (net_may_sleep(b.net) != 0)
        return;
    sleeper->nsleeps++;
    if (poll(&fd, 1, 5000) > 0)
        return;
    net_poll(b.net);
    atomic_fetch_add(&sleeper->nlost, b.nreceived != before);
}

static void *fall_asleep(void *arg)
{
    struct sleeper *sleeper = arg;

    while (!atomic_load(&sleeper->is_over)) {
        for (unsigned n = 1 + rng_next(&sleeper->rng) % 4; n > 0; n--)
            net_poll(b.net);
        atomic_store(&sleeper->nreceived, b.nreceived);
        for (unsigned n = 0; n < SPINS; n++)
            if (atomic_load(&sleeper->next) > b.nreceived)
                break;
        sleep_once(sleeper);
    }
    return NULL;
}

/* Let it fall asleep now, and some moments pass. */
static void take_aim(struct sleeper *sleeper, struct rng *rng, unsigned i)
{
    atomic_store(&sleeper->next, i);
    for (unsigned n = rng_next(rng) % MOMENTS; n > 0; n--)
        atomic_signal_fence(memory_order_seq_cst);
}

/* Send message number i. */
static bool wake(struct kit_end *from, uint64_t peer, struct sleeper *sleeper,
                 unsigned i)
{
    uint64_t until_ns = clock_now(clock_real()) + KIT_DEADLINE_NS;
    static struct kit_call call;

    if (kit_send(from, NULL, &call, peer, &i, sizeof(i)) != 0)
        return false;
    while (atomic_load(&sleeper->nreceived) < i || call.nended == 0) {
        if (clock_now(clock_real()) > until_ns ||
            atomic_load(&sleeper->nlost) > 0)
            return false;
        net_poll(from->net);
    }
    return true;
}

/* a rings, c's messages come by the provider. */
static void test_no_ring_is_slept_through(void)
{
    enum { N = 20000 };
    static struct sleeper sleeper;
    uint64_t seed = clock_wall(clock_real()), by_bell, by_provider;
    bool is_woken = true;
    struct kit_call call;
    struct kit_end c;
    pthread_t thread;
    struct rng rng;

    printf("seed %llu ", (unsigned long long)seed);
    rng_init(&rng, seed);
    rng_init(&sleeper.rng, seed + 1);
    by_bell = open_both();
    setenv("CAPSTAN_LANES", "0", 1);
    CU_ASSERT_EQUAL_FATAL(kit_open(&c, PROVIDER, NULL, 8), 0);
    unsetenv("CAPSTAN_LANES");
    by_provider = kit_peer(&c, &b);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fall_asleep, &sleeper),
                          0);
    for (unsigned i = 2; is_woken && i < N; i++) {
        take_aim(&sleeper, &rng, i);
        if (rng_next(&rng) % 8 == 0)
            is_woken = wake(&c, by_provider, &sleeper, i);
        else
            is_woken = wake(&a, by_bell, &sleeper, i);
    }
    atomic_store(&sleeper.is_over, true);
    CU_ASSERT_EQUAL(kit_send(&a, NULL, &call, by_bell, "over", 4), 0);
    pthread_join(thread, NULL);
    printf("%u sleeps ", sleeper.nsleeps);
    CU_ASSERT(is_woken);
    CU_ASSERT_EQUAL(atomic_load(&sleeper.nlost), 0);
    CU_ASSERT(sleeper.nsleeps > 0);
    net_close(c.net);
    close_both();
}

static void test_bytes_that_are_no_message_shut_the_lane(void)
{
    uint64_t peer = open_both();
    struct ofi_lane *lane = peer_of(&a, peer)->lane;
    uint64_t nonsense = UINT64_MAX, tail = atomic_load(&lane->tail);
    struct kit_call call;

    memcpy(peer_of(&a, peer)->lane_bytes + tail, &nonsense, 8);
    atomic_store(&lane->tail, tail + 8);
    net_poll(b.net);
    CU_ASSERT_EQUAL(atomic_load(&lane->state), OFI_LANE_SHUT);
    CU_ASSERT_EQUAL(b.nreceived, 1);
    CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &call, peer, "efgh", 4), 0);
    CU_ASSERT(kit_until(&b, &a, &b.nreceived, 2));
    CU_ASSERT_EQUAL(memcmp(&b.last, "efgh", 4), 0);
    CU_ASSERT_PTR_NULL(peer_of(&a, peer)->lane);
    close_both();
}

/* What the provider moves must not be overtaken by a message in a lane. */
static void test_rma_by_the_provider_ends_the_lane(void)
{
    static char memory[4096], ours[4096];
    uint64_t peer = open_both();
    struct net_remote remote;
    struct kit_call call;
    struct net_mr *mr;

    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b.net, memory, sizeof(memory),
                                     NET_MEM_HOST, NET_REMOTE_WRITE, &mr),
                          0);
    net_mr_remote(b.net, mr, &remote);
    /* As if its table were a namesake's: no such key there. */
    atomic_store(
        &peer_of(&a, peer)->table->entries[remote.key % OFI_KEYS_MAX].key, 0);
    kit_send(&a, &b, &call, peer, "abcd", 4);
    CU_ASSERT(kit_until(&a, &b, &call.nended, 1));
    CU_ASSERT_PTR_NOT_NULL(peer_of(&a, peer)->lane);
    call.nended = 0;
    CU_ASSERT_EQUAL_FATAL(net_write(a.net, &call.op, peer, ours, sizeof(ours),
                                    NULL, remote.addr, remote.key),
                          0);
    CU_ASSERT_PTR_NULL(peer_of(&a, peer)->lane);
    CU_ASSERT(kit_until(&a, &b, &call.nended, 1));
    net_mr_dereg(b.net, mr);
    close_both();
}

/* Who is root may touch every process, unless it does without that right. */
static void allow_ptrace(bool is_allowed)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    CU_ASSERT_EQUAL_FATAL(syscall(SYS_capget, &header, data), 0);
    if (is_allowed)
        data[0].effective |= data[0].permitted & 1u << CAP_SYS_PTRACE;
    else
        data[0].effective &= ~(1u << CAP_SYS_PTRACE);
    CU_ASSERT_EQUAL_FATAL(syscall(SYS_capset, &header, data), 0);
}

/* As between containers, under Yama, or where a server gave up rights. */
static void test_memory_out_of_reach_leaves_all_to_the_provider(void)
{
    static unsigned char bytes[4096];
    struct kit_server server = {0};
    struct kit_call call = {.op.done = NULL};
    unsigned nwrong = 0;
    uint64_t peer;

    setenv(HIDDEN, "1", 1);
    CU_ASSERT_EQUAL_FATAL(kit_open(&a, PROVIDER, NULL, 8), 0);
    CU_ASSERT_EQUAL_FATAL(kit_server_start(&server, PROVIDER, "0"), 0);
    unsetenv(HIDDEN);
    allow_ptrace(false);
    CU_ASSERT_EQUAL_FATAL(
        net_peer_insert(a.net, server.name, server.name_len, &peer), 0);
    for (uint32_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(kit_ask(&a, peer, i), 0);
    CU_ASSERT_FALSE(peer_of(&a, peer)->can_copy);
    CU_ASSERT_PTR_NULL(peer_of(&a, peer)->lane);
    kit_send(&a, NULL, &call, peer, "abcd", 4);
    CU_ASSERT(kit_until(&a, NULL, &call.nended, 1));
    call.nended = 0;
    CU_ASSERT_EQUAL_FATAL(net_read(a.net, &call.op, peer, bytes, sizeof(bytes),
                                   NULL, server.remote.addr, server.remote.key),
                          0);
    CU_ASSERT(kit_until(&a, NULL, &call.nended, 1));
    CU_ASSERT_EQUAL(call.rc, 0);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        nwrong += bytes[i] != i % 251;
    CU_ASSERT_EQUAL(nwrong, 0);
    CU_ASSERT_EQUAL(kit_ask(&a, peer, 9), 0);
    allow_ptrace(true);
    kit_server_stop(&server);
    net_close(a.net);
}

/* Put the file where the descriptor was, as if the program had closed all. */
static void replace(int fd, FILE *file)
{
    CU_ASSERT_EQUAL_FATAL(dup2(fileno(file), fd), fd);
}

static void test_files_opened_in_their_place_are_let_alone(void)
{
    static const char text[] = "0123456789abcdef";
    uint64_t peer = open_both();
    FILE *file = tmpfile();
    struct kit_call call;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(write(fileno(file), text, sizeof(text)), sizeof(text));
    lseek(fileno(file), 0, SEEK_SET);
    while (net_may_sleep(b.net) != 0)
        net_poll(b.net);
    replace(peer_of(&a, peer)->bell_fd, file);
    replace(net_of(&b)->bell_fd, file);
    replace(net_of(&b)->timer_fd, file);
    CU_ASSERT_EQUAL_FATAL(kit_send(&a, NULL, &call, peer, "abcd", 4), 0);
    CU_ASSERT(kit_until(&b, &a, &b.nreceived, 2));
    CU_ASSERT_EQUAL(lseek(fileno(file), 0, SEEK_CUR), 0);
    CU_ASSERT_EQUAL(lseek(fileno(file), 0, SEEK_END), sizeof(text));
    close_both();
    fclose(file);
}

/* CAPSTAN_LANES=0 in either process: memory is copied, messages are not. */
static void test_lanes_can_be_turned_off(void)
{
    struct kit_call call;
    uint64_t peer;

    setenv("CAPSTAN_LANES", "0", 1);
    CU_ASSERT_EQUAL_FATAL(kit_open(&b, PROVIDER, NULL, 8), 0);
    unsetenv("CAPSTAN_LANES");
    CU_ASSERT_EQUAL_FATAL(kit_open(&a, PROVIDER, NULL, 8), 0);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &call, peer, "abcd", 4), 0);
    CU_ASSERT_FATAL(kit_until(&b, &a, &b.nreceived, 1));
    CU_ASSERT_TRUE(peer_of(&a, peer)->can_copy);
    CU_ASSERT_PTR_NULL(peer_of(&a, peer)->lane);
    peer = kit_peer(&b, &a);
    CU_ASSERT_EQUAL_FATAL(kit_send(&b, &a, &call, peer, "abcd", 4), 0);
    CU_ASSERT_FATAL(kit_until(&a, &b, &a.nreceived, 1));
    CU_ASSERT_PTR_NULL(peer_of(&b, peer)->lane);
    close_both();
}

static unsigned count_open(const struct kit_end *end)
{
    unsigned n = 0;

    for (unsigned i = 0; i < OFI_LANES_MAX; i++)
        n += atomic_load(&net_of(end)->table->lanes[i].state) != OFI_LANE_FREE;
    return n;
}

/* A killed process leaves no lane behind, nor descriptors of its own. */
static void test_death_frees_lanes(void)
{
    enum { ROUNDS = 3 };
    uint64_t until_ns = clock_now(clock_real()) + KIT_DEADLINE_NS;
    struct kit_server server = {0};
    unsigned nopened = 0;
    uint64_t peer;

    CU_ASSERT_EQUAL_FATAL(kit_open(&a, PROVIDER, NULL, 8), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        CU_ASSERT_EQUAL_FATAL(kit_server_start(&server, PROVIDER, "0"), 0);
        CU_ASSERT_EQUAL_FATAL(
            net_peer_insert(a.net, server.name, server.name_len, &peer), 0);
        CU_ASSERT_EQUAL_FATAL(kit_ask(&a, peer, i), 0);
        nopened += count_open(&a); /* the server answered by one */
        kit_server_kill(&server);
    }
    if (nopened == 0)
        printf("(a child may not touch our memory here: nothing seen) ");
    while (count_open(&a) > 0 && clock_now(clock_real()) < until_ns)
        net_wait(a.net, clock_now(clock_real()) + 50 * NS_PER_MS);
    CU_ASSERT_EQUAL(count_open(&a), 0);
    CU_ASSERT_PTR_NULL(peer_of(&a, peer)->table);
    net_close(a.net);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"all lengths, in order", test_messages_of_all_lengths_pass_in_order},
        {"full", test_full_lane_lets_the_sender_wait},
        {"full, asleep", test_full_lane_does_not_let_the_sender_oversleep},
        {"full, stopped", test_full_lane_outlasts_a_stop_but_not_a_death},
        {"bell", test_bell_is_seen_by_who_sleeps},
        {"timer", test_a_timer_that_is_over_lets_the_owner_sleep},
        {"rings at any moment", test_no_ring_is_slept_through},
        {"no message", test_bytes_that_are_no_message_shut_the_lane},
        {"rma by the provider", test_rma_by_the_provider_ends_the_lane},
        {"out of reach", test_memory_out_of_reach_leaves_all_to_the_provider},
        {"others' files", test_files_opened_in_their_place_are_let_alone},
        {"turned off", test_lanes_can_be_turned_off},
        {"death", test_death_frees_lanes},
        CU_TEST_INFO_NULL};

    unsetenv("CAPSTAN_LANES");
    if (getenv(HIDDEN) != NULL)
        prctl(PR_SET_DUMPABLE, 0);
    if (argc == 4 && strcmp(argv[1], "--serve") == 0)
        return kit_serve(argv[2], argv[3]);
    if (!kit_has(PROVIDER)) {
        printf("skipped: fabric provider %s is not available\n", PROVIDER);
        return 77;
    }
    if (kit_open(&a, PROVIDER, NULL, 1) != 0 || net_of(&a)->bell_fd < 0) {
        printf("skipped: no lanes between processes here\n");
        return 77;
    }
    net_close(a.net);
    return kit_run("lanes", tests);
}
