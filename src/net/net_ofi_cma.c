/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RMA between two processes of one machine: process_vm_readv(2) and its
 * sibling, under the protection of the owner's table of keys.
 *
 * Why not by the provider: over TCP every byte would be copied twice more. And
 * provider "shm" (libfabric 1.17) either lets the target move the bytes, where
 * one peer that computes, stops or dies holds up the completions of all others
 * and a revoked key is never answered; or lets the initiator move them without
 * asking for any key, so that memory given back to the program may be written.
 *
 * The happy path: an initiator raises the entry's count of users, sees that the
 * key is still there and allows the access, has the kernel copy, and lowers the
 * count. Deregistration takes the key away, then waits until no user is left:
 * after that nobody touches the memory.
 *
 * Possible failure modes are: the key is gone or too narrow (-EACCES), the
 * process is gone (-ERR_LINK), an initiator that was killed while it was a user
 * (deregistration waits DRAIN_NS, far longer than any copy, and goes on).
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <sched.h>
#include <sys/uio.h>

#define PIECE (256u << 10) /* copied under one look at the key */
#define DRAIN_NS (1 * NS_PER_SEC)

/* --- The owner's side --- */

int ofi_cma_publish(struct ofi_table *table, uint64_t number,
                    const struct ofi_range *range, uint64_t *key_out)
{
    for (unsigned i = 0; i < OFI_KEYS_MAX; i++) {
        uint64_t index = (number + i) % OFI_KEYS_MAX;
        struct ofi_entry *entry = &table->entries[index];

        if (atomic_load(&entry->key) != 0)
            continue;
        entry->access = range->access;
        entry->addr = range->addr;
        entry->base = (uint64_t)(uintptr_t)range->memory;
        entry->len = range->len;
        *key_out = (number + 1) * OFI_KEYS_MAX + index;
        atomic_store(&entry->key, *key_out);
        return 0;
    }
    return -ENOMEM;
}

void ofi_cma_revoke(struct ofi_table *table, uint64_t key,
                    const struct clock *clock)
{
    struct ofi_entry *entry = &table->entries[key % OFI_KEYS_MAX];
    uint64_t until_ns = clock_now(clock) + DRAIN_NS;

    atomic_store(&entry->key, 0);
    while (atomic_load(&entry->users) != 0) {
        if (clock_now(clock) > until_ns) {
            log_warn("registration: a peer died while using it");
            atomic_store(&entry->users, 0);
            return;
        }
        sched_yield();
    }
}

/* --- The initiator's side --- */

static bool allows(const struct ofi_entry *entry, const struct ofi_start *start)
{
    unsigned access =
        start->verb == OFI_WRITE ? NET_REMOTE_WRITE : NET_REMOTE_READ;

    return (entry->access & access) != 0 && start->len <= entry->len &&
           start->remote_addr >= entry->addr &&
           start->remote_addr - entry->addr <= entry->len - start->len;
}

/* Copy a piece; the kernel may stop early. @return bytes or a negative code. */
static ssize_t copy(pid_t pid, const struct ofi_entry *entry,
                    const struct ofi_start *start, size_t at)
{
    uint64_t remote = entry->base + (start->remote_addr - entry->addr) + at;
    size_t len = start->len - at < PIECE ? start->len - at : PIECE;
    struct iovec here = {(char *)start->memory + at, len};
    struct iovec there = {(void *)(uintptr_t)remote, len};
    ssize_t n;

    if (len == 0)
        return 0;
    n = start->verb == OFI_WRITE
            ? process_vm_writev(pid, &here, 1, &there, 1, 0)
            : process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (n > 0)
        return n;
    return n < 0 && errno == EFAULT ? -EACCES : -ERR_LINK;
}

static ssize_t copy_if_allowed(struct ofi_table *table,
                               const struct ofi_start *start, size_t at)
{
    struct ofi_entry *entry = &table->entries[start->key % OFI_KEYS_MAX];
    ssize_t n = -EACCES;

    atomic_fetch_add(&entry->users, 1);
    if (start->key != 0 && atomic_load(&entry->key) == start->key &&
        allows(entry, start))
        n = copy((pid_t)table->pid, entry, start, at);
    atomic_fetch_sub(&entry->users, 1);
    return n;
}

int ofi_cma_move(struct ofi_table *table, const struct ofi_start *start)
{
    size_t at = 0;
    ssize_t n;

    do {
        n = copy_if_allowed(table, start, at);
        if (n < 0)
            return (int)n;
        at += (size_t)n;
    } while (at < start->len);
    return 0;
}
