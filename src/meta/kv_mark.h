/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far the name store's log went: a small file beside it that says which
 * change was the last to be written, and which the last to be made durable.
 *
 * A log that is cut short by damage looks like one whose end was torn by a loss
 * of power. The mark tells them apart: what it says was durable must be there
 * again, whatever happened, and what was written must be while the machine has
 * not started anew. Likewise the manifest, RocksDB's list of its tables, must
 * be as long as it was, and its records whole so far (kv_manifest.h).
 *
 * The mark itself is written without waiting for the device, so after a loss of
 * power it may ask for less than it might, never for more: of the manifest it
 * keeps the length that it had a sync earlier, for it is synced by others.
 *
 * Units    changes are RocksDB's sequence numbers.
 * Threads  one owner thread.
 * Failure  a mark that cannot be written is one that asks for less; logged
 * once.
 */
#ifndef CAPSTAN_META_KV_MARK_H
#define CAPSTAN_META_KV_MARK_H

#include <stdbool.h>
#include <stdint.h>

struct kv_mark {
    bool is_open;
    bool has_failed;
    int fd;
    uint64_t machine; /* this start of the operating system; 0: unknown */
    uint64_t synced;
    uint64_t written;
    int manifest_fd;
    uint64_t manifest;       /* its number */
    uint64_t manifest_bytes; /* that it must have */
    uint64_t manifest_seen;  /* that it had at the last sync */
};

/**
 * Look at the mark of the store in a directory. Changes nothing on the device.
 *
 * @param least_out  the change that the store must hold; 0: there is no mark.
 * @return 0, or -EIO (damaged, or cannot be read; logged).
 */
int kv_mark_look(struct kv_mark *mark, const char *directory, uint64_t machine,
                 uint64_t *least_out);

/** The store is open, or open anew, and holds `change`: open the mark that was
 *  looked at, or make it. @return 0 or -errno (logged). */
int kv_mark_open(struct kv_mark *mark, const char *directory, uint64_t change);

/** A change was written, and is durable if so said. */
void kv_mark_note(struct kv_mark *mark, uint64_t change, bool is_synced);

/** Close; a zeroed mark is allowed. is_orderly: the store is closed, and all of
 *  it is where it belongs. */
void kv_mark_close(struct kv_mark *mark, bool is_orderly);

#endif
