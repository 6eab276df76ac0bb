/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing one shard: files become samples, one behind the other, in the format
 * of the dataset. Then what was written is read again and compared.
 *
 * Units    bytes.
 * Threads  one a shard.
 * Failure  said on stderr.
 */
#ifndef CAPSTAN_TOOLS_SHARD_H
#define CAPSTAN_TOOLS_SHARD_H

#include "tools/dataset.h"
#include "tools/sources.h"

/* Which of all sources go into a shard. */
struct shard_range {
    const struct source *first;
    size_t count;
    size_t unreadable; /* of them, left out */
};

/** A dataset_make_fn; file->sources is a struct shard_range. */
int shard_make(struct dataset *dataset, const struct place *place,
               struct dataset_file *file);

#endif
