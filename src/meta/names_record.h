/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of the name store, to bytes and back: see doc/on-disk-format.md.
 *
 * Units    bytes.
 * Threads  pure; any.
 * Failure  decoding trusts nothing: -EIO for what is not exactly one valid
 *          value, with the output unspecified.
 */
#ifndef CAPSTAN_META_NAMES_RECORD_H
#define CAPSTAN_META_NAMES_RECORD_H

#include "base/inode.h"
#include "meta/names.h"

#include <stddef.h>

#define NAMES_LAYOUT_MAX (4 + 2 + 2 + 1 + 1 + 2 * LAYOUT_WIDTH_MAX)
#define NAMES_RECORD_MAX (1 + 1 + 2 + 4 * 4 + 7 * 8 + NAMES_LAYOUT_MAX)
#define NAMES_ENTRY_LEN (1 + 1 + 2 + 8)
#define NAMES_DIR_LEN (1 + 3 * 8)

/** May this inode be kept? Its number is not looked at.
 *  @return 0 or -EINVAL. */
int names_record_check(const struct inode *inode);

/** Encode an inode that passed the check. @return bytes. Decoding knows format
 *  1 too. */
size_t names_record_encode(const struct inode *inode,
                           unsigned char value[NAMES_RECORD_MAX]);
int names_record_decode(const void *value, size_t len, struct inode *inode_out);

/** What a name stands for. */
size_t names_entry_encode(uint64_t ino, enum inode_type type,
                          unsigned char value[NAMES_ENTRY_LEN]);
int names_entry_decode(const void *value, size_t len, uint64_t *ino_out,
                       enum inode_type *type_out);

size_t names_dir_encode(const struct names_dir_state *state,
                        unsigned char value[NAMES_DIR_LEN]);
int names_dir_decode(const void *value, size_t len,
                     struct names_dir_state *state_out);

size_t names_layout_encode(const struct layout *layout,
                           unsigned char value[NAMES_LAYOUT_MAX]);
int names_layout_decode(const void *value, size_t len,
                        struct layout *layout_out);

/** The format version of a store, and whose it is. A version other than
 *  NAMES_FORMAT_VERSION decodes with *target_out 0: its rest is not known. */
#define NAMES_FORMAT_VERSION 2
#define NAMES_FORMAT_OLD 1 /* converted when opened */
size_t names_format_encode(uint16_t target, unsigned char value[6]);
int names_format_decode(const void *value, size_t len, uint32_t *version_out,
                        uint16_t *target_out);

/** A number alone in a value. */
size_t names_u64_encode(uint64_t number, unsigned char value[8]);
int names_u64_decode(const void *value, size_t len, uint64_t *number_out);

#endif
