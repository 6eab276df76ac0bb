/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The write cache of a simulated device: changes that are visible but not
 * durable, in order. At most JOURNAL_BYTES_MAX of them; older ones reach the
 * durable image by themselves, as on a real device.
 *
 * Units    bytes.
 * Threads  one owner thread.
 * Failure  -ENOMEM; a change is then either still kept here or durable.
 */
#ifndef CAPSTAN_STORE_JOURNAL_MEM_H
#define CAPSTAN_STORE_JOURNAL_MEM_H

#include "store/image_mem.h"

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_BYTES_MAX ((size_t)64 << 20)

enum change_kind { CHANGE_WRITE, CHANGE_TRUNCATE, CHANGE_DESTROY };

struct change {
    struct change *next;
    enum change_kind kind;
    uint64_t ino;
    uint64_t offset; /* TRUNCATE: the size */
    size_t length;   /* of bytes; 0 unless WRITE */
    char bytes[];
};

struct journal {
    struct change *head;
    struct change **end;
    size_t bytes;
};

void journal_init(struct journal *journal);

/** Forget every change. */
void journal_fini(struct journal *journal);

/** Keep a change; older ones may move to `durable`. @return 0 or -ENOMEM. */
int journal_add(struct journal *journal, struct image *durable,
                enum change_kind kind, uint64_t ino, uint64_t offset,
                const void *bytes, size_t length);

/** Move the changes of one object to `durable`. @return 0 or -ENOMEM. */
int journal_settle(struct journal *journal, struct image *durable,
                   uint64_t ino);

/**
 * Lose power: of the changes a seeded subset reaches `durable`, in order, some
 * writes only in part (whole sectors of 512 bytes). The rest are forgotten.
 *
 * @return 0 or -ENOMEM.
 */
int journal_power_loss(struct journal *journal, struct image *durable,
                       uint64_t seed);

#endif
