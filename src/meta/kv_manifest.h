/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Are the records of a RocksDB manifest whole?
 *
 * RocksDB takes a record that ends behind its file for one whose writer died,
 * and leaves it out without a word: also when damage has only made its length
 * longer. Whoever knows how far the manifest went can tell.
 *
 * Source   github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
 * Threads  any.
 */
#ifndef CAPSTAN_META_KV_MANIFEST_H
#define CAPSTAN_META_KV_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

/** @return whether every record that begins in the first `bytes` of the file
 *  is all there, and what its sum says. */
bool kv_manifest_is_whole(const char *path, uint64_t bytes);

#endif
