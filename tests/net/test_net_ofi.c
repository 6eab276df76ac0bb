/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two endpoints in one process, over each provider that is here: messages,
 * RMA, full queues, order, registration, names, waiting.
 */
#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/base/unit.h"
#include "tests/net/net_kit.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) /* its allocator is resident too */
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static const char *provider; /* of the run */
static struct kit_end a, b;

static void on_done(struct net_op *op, int rc)
{
    struct kit_call *call = (struct kit_call *)op;

    call->nended++;
    call->rc = rc;
}

static void open_both(unsigned receives)
{
    CU_ASSERT_EQUAL_FATAL(kit_open(&a, provider, NULL, receives), 0);
    CU_ASSERT_EQUAL_FATAL(kit_open(&b, provider, NULL, receives), 0);
}

static void close_both(void)
{
    net_close(a.net);
    net_close(b.net);
}

/* Bytes of this process that are in memory. */
static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all, pages = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fscanf(file, "%lu %lu", &all, &pages), 2);
    fclose(file);
    return pages * 4096;
}

/* Left to itself, tcp;ofi_rxm fills 68 MiB. */
static void test_endpoint_takes_little_memory(void)
{
    size_t before = resident();

    CU_ASSERT_EQUAL_FATAL(kit_open(&a, provider, NULL, 4), 0);
    if (strncmp(provider, "tcp", 3) == 0)
        CU_ASSERT(resident() - before < (40u << 20));
    net_close(a.net);
}

static void test_messages_go_there_and_back(void)
{
    static const size_t lens[] = {1, 64, 4096, KIT_MESSAGE_MAX};
    static char bytes[KIT_MESSAGE_MAX];
    struct kit_call call;
    uint64_t there, back;

    open_both(4);
    there = kit_peer(&a, &b);
    back = kit_peer(&b, &a);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(kit_send(&a, &b, &call, there, bytes, lens[i]), 0);
        CU_ASSERT_EQUAL(call.nended, 0);
        CU_ASSERT(kit_until(&a, &b, &b.nreceived, i + 1));
        CU_ASSERT(kit_until(&a, &b, &call.nended, 1));
        CU_ASSERT_EQUAL(call.rc, 0);
        CU_ASSERT_EQUAL(b.last_len, lens[i]);
        CU_ASSERT_EQUAL(kit_send(&b, &a, &call, back, bytes, lens[i]), 0);
        CU_ASSERT(kit_until(&a, &b, &a.nreceived, i + 1));
        CU_ASSERT(kit_until(&a, &b, &call.nended, 1));
        CU_ASSERT_EQUAL(a.last_len, lens[i]);
    }
    CU_ASSERT_EQUAL(kit_send(&a, &b, &call, there, bytes, KIT_MESSAGE_MAX + 1),
                    -EMSGSIZE);
    close_both();
}

static void test_many_messages_with_few_buffers_arrive_once(void)
{
    enum { N = 5000 };
    static struct kit_call calls[N];
    static uint32_t numbers[N];
    unsigned nended = 0;
    uint64_t there;

    open_both(8);
    there = kit_peer(&a, &b);
    for (uint32_t i = 0; i < N; i++) {
        numbers[i] = i;
        CU_ASSERT_EQUAL_FATAL(
            kit_send(&a, &b, &calls[i], there, &numbers[i], 4), 0);
    }
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, N));
    CU_ASSERT(kit_until(&a, &b, &calls[N - 1].nended, 1));
    for (unsigned i = 0; i < N; i++)
        nended += calls[i].nended == 1 && calls[i].rc == 0;
    CU_ASSERT_EQUAL(nended, N);
    CU_ASSERT_EQUAL(b.last, N - 1);
    close_both();
}

/* Also those that a provider would rather not have at once. */
static void test_messages_of_any_length_arrive_whole(void)
{
    enum { N = 400 };
    static char bytes[KIT_MESSAGE_MAX];
    struct kit_call call;
    uint32_t sum;
    struct rng rng;
    uint64_t there;
    size_t len;

    rng_init(&rng, unit_seed());
    open_both(4);
    there = kit_peer(&a, &b);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)rng_next(&rng);
    for (unsigned i = 0; i < N; i++) {
        len = 1 + rng_below(&rng, rng_chance(&rng, 30) ? 100 : sizeof(bytes));
        bytes[i % len]++;
        sum = crc32c(0, bytes, len);
        CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &call, there, bytes, len), 0);
        CU_ASSERT_FATAL(kit_until(&a, &b, &b.nreceived, i + 1));
        CU_ASSERT_FATAL(kit_until(&a, &b, &call.nended, 1));
        CU_ASSERT(call.rc == 0 && b.last_len == len && b.last_sum == sum);
    }
    close_both();
}

static void test_long_and_short_messages_keep_their_order(void)
{
    enum { N = 300 };
    static char bytes[2][KIT_MESSAGE_MAX];
    static struct kit_call calls[N];
    unsigned nended = 0;
    uint64_t there;

    open_both(8);
    there = kit_peer(&a, &b);
    for (uint32_t i = 0; i < N; i++)
        CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &calls[i], there, bytes[i % 2],
                                       i % 3 == 0 ? 4 : KIT_MESSAGE_MAX),
                              0);
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, N));
    CU_ASSERT(kit_until(&a, &b, &calls[N - 1].nended, 1));
    for (unsigned i = 0; i < N; i++)
        nended += calls[i].nended == 1 && calls[i].rc == 0;
    CU_ASSERT_EQUAL(nended, N);
    CU_ASSERT_EQUAL(b.last_len, KIT_MESSAGE_MAX);
    close_both();
}

static void test_start_is_refused_when_too_many_are_under_way(void)
{
    enum { N = 100000 };
    static struct kit_call calls[N];
    unsigned n = 0;
    uint64_t there;

    open_both(8);
    there = kit_peer(&a, &b);
    for (; n < N; n++) { /* nobody polls */
        calls[n] = (struct kit_call){.op.done = on_done};
        if (net_send(a.net, &calls[n].op, there, "abcd", 4, NULL) != 0)
            break;
    }
    CU_ASSERT(n > 0 && n < N);
    CU_ASSERT_EQUAL(net_send(a.net, &calls[n].op, there, "abcd", 4, NULL),
                    -EAGAIN);
    CU_ASSERT_EQUAL(calls[0].nended, 0);
    CU_ASSERT(kit_until(&a, &b, &calls[n - 1].nended, 1));
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, n));
    CU_ASSERT_EQUAL(calls[n].nended, 0);
    close_both();
}

/* A write has surely arrived when a message sent behind it has. */
static void flush(uint64_t peer)
{
    unsigned want = b.nreceived + 1;
    struct kit_call call;

    CU_ASSERT_EQUAL_FATAL(kit_send(&a, &b, &call, peer, "abcd", 4), 0);
    CU_ASSERT_FATAL(kit_until(&a, &b, &b.nreceived, want));
    CU_ASSERT_FATAL(kit_until(&a, &b, &call.nended, 1));
}

static int rma(bool is_write, uint64_t peer, void *memory, size_t len,
               struct net_mr *mr, uint64_t addr, uint64_t key)
{
    static struct kit_call call;
    int rc;

    call = (struct kit_call){.op.done = on_done};
    rc = is_write ? net_write(a.net, &call.op, peer, memory, len, mr, addr, key)
                  : net_read(a.net, &call.op, peer, memory, len, mr, addr, key);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    CU_ASSERT_EQUAL(call.nended, 0);
    CU_ASSERT_FATAL(kit_until(&a, &b, &call.nended, 1));
    return call.rc;
}

static char remote_bytes[4 << 20], local_bytes[4 << 20];

static void test_rma_moves_bytes_both_ways(void)
{
    static const size_t lens[] = {1, 4096, 65537, 1 << 20, 3 << 20};
    struct net_remote remote;
    struct net_mr *mr, *local;
    uint64_t peer;

    open_both(4);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b.net, remote_bytes, sizeof(remote_bytes),
                                     NET_MEM_HOST,
                                     NET_REMOTE_READ | NET_REMOTE_WRITE, &mr),
                          0);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(a.net, local_bytes, sizeof(local_bytes),
                                     NET_MEM_HOST, NET_LOCAL, &local),
                          0);
    net_mr_remote(b.net, mr, &remote);
    for (unsigned i = 0; i < 5; i++) {
        memset(remote_bytes, 0, sizeof(remote_bytes));
        memset(local_bytes, (int)i + 1, sizeof(local_bytes));
        CU_ASSERT_EQUAL(rma(true, peer, local_bytes, lens[i], local,
                            remote.addr + 77, remote.key),
                        0);
        flush(peer);
        CU_ASSERT_EQUAL(remote_bytes[76], 0);
        CU_ASSERT_EQUAL(memcmp(remote_bytes + 77, local_bytes, lens[i]), 0);
        CU_ASSERT_EQUAL(remote_bytes[77 + lens[i]], 0);
        memset(local_bytes, 0, sizeof(local_bytes));
        CU_ASSERT_EQUAL(rma(false, peer, local_bytes, lens[i], NULL,
                            remote.addr + 77, remote.key),
                        0);
        CU_ASSERT_EQUAL(memcmp(remote_bytes + 77, local_bytes, lens[i]), 0);
    }
    net_mr_dereg(b.net, mr);
    net_mr_dereg(a.net, local);
    close_both();
}

static void check_copies(uint64_t peer, const struct net_remote *remote)
{
    int file = memfd_create("cut", MFD_CLOEXEC);
    const size_t len = 1 << 20;
    char *mapped;

    CU_ASSERT_EQUAL_FATAL(ftruncate(file, (off_t)len), 0);
    mapped = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CU_ASSERT_FATAL(mapped != MAP_FAILED);
    memset(mapped, 'm', len);
    CU_ASSERT_EQUAL(
        net_copy(a.net, peer, mapped, len, remote->addr + 1, remote->key), 0);
    CU_ASSERT_EQUAL(remote_bytes[0], 0);
    CU_ASSERT_EQUAL(memcmp(remote_bytes + 1, mapped, len), 0);
    CU_ASSERT_EQUAL(remote_bytes[len + 1], 0);
    CU_ASSERT_EQUAL(
        net_copy(a.net, peer, mapped, len, remote->addr, remote->key + 1),
        -EACCES);
    CU_ASSERT_EQUAL_FATAL(ftruncate(file, 4096), 0);
    CU_ASSERT_EQUAL(
        net_copy(a.net, peer, mapped, len, remote->addr, remote->key), -EACCES);
    munmap(mapped, len);
    close(file);
}

/* Its own memory may be gone: a mapping of a file that was cut. */
static void test_copy_goes_at_once_or_not_at_all(void)
{
    struct net_remote remote;
    struct net_mr *mr;
    uint64_t peer;

    open_both(4);
    peer = kit_peer(&a, &b);
    flush(peer);
    memset(remote_bytes, 0, sizeof(remote_bytes));
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b.net, remote_bytes, sizeof(remote_bytes),
                                     NET_MEM_HOST, NET_REMOTE_WRITE, &mr),
                          0);
    net_mr_remote(b.net, mr, &remote);
    CU_ASSERT_EQUAL(net_can_copy(a.net, peer), !KIT_NO_SHORTCUT);
    if (!KIT_NO_SHORTCUT)
        check_copies(peer, &remote);
    else
        CU_ASSERT_EQUAL(net_copy(a.net, peer, "m", 1, remote.addr, remote.key),
                        -ENOTSUP);
    net_mr_dereg(b.net, mr);
    close_both();
}

static void test_send_follows_writes(void)
{
    struct kit_call write_call, send_call;
    struct net_remote remote;
    struct net_mr *mr;
    uint64_t peer;

    open_both(4);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b.net, remote_bytes, sizeof(remote_bytes),
                                     NET_MEM_HOST, NET_REMOTE_WRITE, &mr),
                          0);
    net_mr_remote(b.net, mr, &remote);
    for (unsigned i = 1; net_caps(a.net)->send_after_write && i < 20; i++) {
        local_bytes[sizeof(local_bytes) - 1] = (char)i;
        write_call = (struct kit_call){.op.done = on_done};
        CU_ASSERT_EQUAL(net_write(a.net, &write_call.op, peer, local_bytes,
                                  sizeof(local_bytes), NULL, remote.addr,
                                  remote.key),
                        0);
        CU_ASSERT_EQUAL(kit_send(&a, &b, &send_call, peer, &i, 4), 0);
        CU_ASSERT(kit_until(&b, &a, &b.nreceived, i));
        CU_ASSERT_EQUAL(remote_bytes[sizeof(remote_bytes) - 1], (char)i);
        CU_ASSERT(kit_until(&a, &b, &write_call.nended, 1));
        CU_ASSERT(kit_until(&a, &b, &send_call.nended, 1));
    }
    net_mr_dereg(b.net, mr);
    close_both();
}

static void test_memory_is_out_of_reach_after_dereg(void)
{
    struct net_remote remote;
    struct net_mr *mr;
    struct kit_call call;
    uint64_t peer, until_ns;
    unsigned before;

    open_both(4);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b.net, remote_bytes, 65536, NET_MEM_HOST,
                                     NET_REMOTE_WRITE, &mr),
                          0);
    net_mr_remote(b.net, mr, &remote);
    memset(local_bytes, 7, 65536);
    CU_ASSERT_EQUAL(
        rma(true, peer, local_bytes, 65536, NULL, remote.addr, remote.key), 0);
    flush(peer);
    CU_ASSERT_EQUAL(remote_bytes[100], 7);
    net_mr_dereg(b.net, mr);
    memset(local_bytes, 8, 65536);
    rma(true, peer, local_bytes, 65536, NULL, remote.addr, remote.key);
    CU_ASSERT_EQUAL(remote_bytes[100], 7);

    /*
     * Some providers drop the connection, and what is on it. The peer can be
     * reached again by the same number.
     */
    until_ns = clock_now(clock_real()) + KIT_DEADLINE_NS;
    for (before = b.nreceived;
         b.nreceived == before && clock_now(clock_real()) < until_ns;) {
        CU_ASSERT_EQUAL(kit_send(&a, &b, &call, peer, "abcd", 4), 0);
        CU_ASSERT_FATAL(kit_until(&a, &b, &call.nended, 1));
        net_poll(b.net);
    }
    CU_ASSERT(b.nreceived > before);
    close_both();
}

static void test_write_needs_the_right(void)
{
    struct net_remote remote;
    struct net_mr *mr;
    uint64_t peer;

    open_both(4);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b.net, remote_bytes, 4096, NET_MEM_HOST,
                                     NET_REMOTE_READ, &mr),
                          0);
    net_mr_remote(b.net, mr, &remote);
    remote_bytes[0] = 1;
    local_bytes[0] = 2;
    rma(true, peer, local_bytes, 4096, NULL, remote.addr, remote.key);
    CU_ASSERT_EQUAL(remote_bytes[0], 1);
    net_mr_dereg(b.net, mr);
    close_both();
}

static void test_held_buffers_come_back(void)
{
    struct kit_call calls[8];
    uint64_t there;

    open_both(4);
    there = kit_peer(&a, &b);
    b.keeps = true;
    for (uint32_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(kit_send(&a, &b, &calls[i], there, "abcd", 4), 0);
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, 4));
    for (unsigned i = 0; i < 200; i++)
        net_poll(b.net);
    CU_ASSERT_EQUAL(b.nreceived, 4);
    b.keeps = false;
    while (b.nheld > 0)
        net_release(b.net, b.held[--b.nheld]);
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, 8));
    close_both();
}

/* However few of them the provider has at a time. */
static void test_every_buffer_can_be_held(void)
{
    enum { N = 60 };
    static struct kit_call calls[N];
    uint64_t there;

    open_both(N);
    there = kit_peer(&a, &b);
    b.keeps = true;
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(kit_send(&a, &b, &calls[i], there, "abcd", 4), 0);
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, N));
    CU_ASSERT(kit_until(&a, &b, &calls[N - 1].nended, 1));
    while (b.nheld > 0)
        net_release(b.net, b.held[--b.nheld]);
    close_both();
}

static void test_buffers_that_are_not_needed_are_not_touched(void)
{
    enum { RECEIVES = 512, N = 2 * RECEIVES };
    static char bytes[KIT_MESSAGE_MAX];
    struct kit_call call;
    size_t before;
    uint64_t there;

    open_both(RECEIVES);
    there = kit_peer(&a, &b);
    memset(bytes, 1, sizeof(bytes));
    before = resident();
    for (unsigned i = 0; i < N; i++) {
        CU_ASSERT_EQUAL_FATAL(
            kit_send(&a, &b, &call, there, bytes, sizeof(bytes)), 0);
        CU_ASSERT_FATAL(kit_until(&a, &b, &b.nreceived, i + 1));
        CU_ASSERT_FATAL(kit_until(&a, &b, &call.nended, 1));
    }
    if (strcmp(provider, "shm") != 0 && !IS_SANITIZED)
        CU_ASSERT(resident() - before < RECEIVES * sizeof(bytes) / 2);
    close_both();
}

static void test_wait_ends_at_its_time_and_at_an_event(void)
{
    const struct clock *clock = clock_real();
    struct kit_call call;
    uint64_t until_ns;

    open_both(4);
    until_ns = clock_now(clock) + 20 * NS_PER_MS;
    while (clock_now(clock) < until_ns)
        CU_ASSERT_EQUAL(net_wait(a.net, until_ns), 0);
    CU_ASSERT_EQUAL(net_wait(a.net, 0), 0);
    CU_ASSERT_EQUAL(net_caps(a.net)->has_wait_fd, net_wait_fd(a.net) >= 0);
    CU_ASSERT_EQUAL(kit_send(&a, &b, &call, kit_peer(&a, &b), "abcd", 4), 0);
    CU_ASSERT(kit_until(&a, &b, &call.nended, 1));
    until_ns = clock_now(clock) + KIT_DEADLINE_NS;
    while (b.nreceived == 0 && clock_now(clock) < until_ns)
        net_wait(b.net, until_ns);
    CU_ASSERT_EQUAL(b.nreceived, 1);
    CU_ASSERT(clock_now(clock) < until_ns);
    close_both();
}

static void test_name_that_is_none_is_refused(void)
{
    static const char zeros[256];
    char name[NET_NAME_MAX + 1] = {0};
    size_t len = NET_NAME_MAX, small = 3;
    uint64_t peer;

    open_both(1);
    CU_ASSERT_EQUAL(net_name(b.net, name, &small), -ENOSPC);
    CU_ASSERT_EQUAL(net_name(b.net, name, &len), 0);
    CU_ASSERT_EQUAL(net_peer_insert(a.net, name, len - 1, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a.net, name, len + 1, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a.net, name, 0, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a.net, zeros, 16, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a.net, zeros, 256, &peer), -EINVAL);
    memset(name, 0xff, 8);
    CU_ASSERT_EQUAL(net_peer_insert(a.net, name, len, &peer), -EINVAL);
    close_both();
}

static void test_peer_added_twice_is_one(void)
{
    struct kit_call call;
    uint64_t first, second;

    open_both(4);
    first = kit_peer(&a, &b);
    second = kit_peer(&a, &b);
    CU_ASSERT_EQUAL(first, second);
    net_peer_remove(a.net, first);
    CU_ASSERT_EQUAL(kit_send(&a, &b, &call, second, "abcd", 4), 0);
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, 1));
    net_peer_remove(a.net, second);
    close_both();
}

static void test_taken_address_is_refused(void)
{
    char service[NET_NAME_MAX], name[NET_NAME_MAX] = {0};
    size_t len = sizeof(name);

    CU_ASSERT_EQUAL_FATAL(kit_open(&a, provider, kit_service(provider), 1), 0);
    net_name(a.net, name, &len);
    snprintf(service, sizeof(service), "%s", kit_service_of(provider, name));
    CU_ASSERT_EQUAL(kit_open(&b, provider, service, 1), -EADDRINUSE);
    net_close(a.net);
    CU_ASSERT_EQUAL_FATAL(kit_open(&b, provider, service, 1), 0);
    net_close(b.net);
}

static void test_bad_configurations_are_refused(void)
{
    CU_ASSERT_EQUAL(kit_open(&a, "no-such-provider", NULL, 1), -ENODATA);
    CU_ASSERT_EQUAL(kit_open(&a, provider, NULL, 0), -EINVAL);
    CU_ASSERT_EQUAL(kit_open(&a, provider, "no such/service", 1), -EINVAL);
}

static void test_operation_to_nobody_ends_with_link(void)
{
    char service[NET_NAME_MAX], name[NET_NAME_MAX] = {0};
    size_t len = sizeof(name);
    struct kit_call calls[3];
    uint64_t peer;

    open_both(4);
    net_close(b.net);
    CU_ASSERT_EQUAL_FATAL(kit_open(&b, provider, kit_service(provider), 1), 0);
    net_name(b.net, name, &len);
    snprintf(service, sizeof(service), "%s", kit_service_of(provider, name));
    net_close(b.net);
    CU_ASSERT_EQUAL(net_peer_resolve(a.net, "127.0.0.1", service, &peer), 0);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(kit_send(&a, NULL, &calls[i], peer, "abcd", 4), 0);
    CU_ASSERT(kit_until(&a, NULL, &calls[2].nended, 1));
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(calls[i].nended == 1 && calls[i].rc == -ERR_LINK);
    CU_ASSERT_EQUAL_FATAL(kit_open(&b, provider, service, 4), 0);
    CU_ASSERT_EQUAL(kit_send(&a, &b, &calls[0], peer, "abcd", 4), 0);
    CU_ASSERT(kit_until(&a, &b, &b.nreceived, 1));
    close_both();
}

static void test_removed_peer_ends_what_waits(void)
{
    struct kit_call call;
    uint64_t peer;

    open_both(4);
    peer = kit_peer(&a, &b);
    CU_ASSERT_EQUAL(kit_send(&a, &b, &call, peer, "abcd", 4), 0);
    net_peer_remove(a.net, peer);
    CU_ASSERT_EQUAL(call.nended, 0);
    CU_ASSERT(kit_until(&a, &b, &call.nended, 1));
    CU_ASSERT_EQUAL(call.nended, 1);
    close_both();
}

static void test_open_survives_no_memory(void)
{
    int n, rc = -ENOMEM;

    for (n = 0; n < 20 && rc != 0; n++) {
        mem_fault_set(n);
        rc = kit_open(&a, provider, NULL, 4);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || rc == -ENOMEM);
    }
    CU_ASSERT(n > 2);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    net_close(a.net);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"messages go there and back", test_messages_go_there_and_back},
        {"many messages, few buffers",
         test_many_messages_with_few_buffers_arrive_once},
        {"any length", test_messages_of_any_length_arrive_whole},
        {"long and short", test_long_and_short_messages_keep_their_order},
        {"too many under way",
         test_start_is_refused_when_too_many_are_under_way},
        {"rma both ways", test_rma_moves_bytes_both_ways},
        {"copies", test_copy_goes_at_once_or_not_at_all},
        {"send follows writes", test_send_follows_writes},
        {"out of reach after dereg", test_memory_is_out_of_reach_after_dereg},
        {"write needs the right", test_write_needs_the_right},
        {"held buffers", test_held_buffers_come_back},
        {"every buffer held", test_every_buffer_can_be_held},
        {"buffers not needed",
         test_buffers_that_are_not_needed_are_not_touched},
        {"wait", test_wait_ends_at_its_time_and_at_an_event},
        {"names", test_name_that_is_none_is_refused},
        {"memory", test_endpoint_takes_little_memory},
        {"peer twice", test_peer_added_twice_is_one},
        {"taken address", test_taken_address_is_refused},
        {"bad configurations", test_bad_configurations_are_refused},
        {"nobody there", test_operation_to_nobody_ends_with_link},
        {"removed peer", test_removed_peer_ends_what_waits},
        {"no memory", test_open_survives_no_memory},
        CU_TEST_INFO_NULL};

    provider = argc > 1 ? argv[1] : KIT_PROVIDER;
    if (!kit_has(provider)) {
        printf("skipped: fabric provider %s is not available\n", provider);
        return 77;
    }
    return kit_run(provider, tests);
}
