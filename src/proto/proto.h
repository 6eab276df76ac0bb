/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes on the wire: header, messages, runs, directory entries.
 *
 * Units    bytes; everything on the wire is little-endian.
 * Threads  pure functions; any thread.
 * Failure  a decoder trusts nothing: it returns -ERR_PROTOCOL for what is too
 *          short, too long or out of range, and has then set nothing that may
 *          be used. An encoder returns -EMSGSIZE when the room is too small.
 */
#ifndef CAPSTAN_PROTO_H
#define CAPSTAN_PROTO_H

#include "base/cred.h"
#include "base/inode.h"
#include "base/run.h"
#include "proto/msgs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_MAGIC 0x4e415043u /* "CPAN" */
#define PROTO_VERSION 3
#define PROTO_HEADER_SIZE 64
#define PROTO_MESSAGE_MAX 65536u /* header and body */
#define PROTO_NAME_MAX 128u
#define PROTO_INLINE_MAX 8192u /* payload that rides in a message */
#define PROTO_WRITE_INLINE_MAX 48640u /* in a WRITE: with its head, 48 KiB */
#define PROTO_RUNS_MAX 40960u  /* bytes of encoded runs in one request */
#define PROTO_SUMS_MAX 4096u   /* sums of fragments in one message */
#define PROTO_FRAGMENT 4096u   /* no fragment crosses a multiple of this */
#define PROTO_ENTRIES_MAX 57344u
#define PROTO_COUNTERS_MAX 128u
#define PROTO_CRED_MAX (9u + 4u * CRED_GROUPS_MAX)
#define PROTO_XATTR_MAX 4096u
#define PROTO_XATTRS_MAX 8192u
#define PROTO_HOLDS_MAX 512u
#define PROTO_SCRUB_BAD_MAX 4096u
#define PROTO_SCRUB_BUDGET_MAX (64ull << 20)
#define PROTO_TEXT_MAX 256u /* of an error text behind a failed reply */

enum { PROTO_ONCE = 1 };

/* How the sums of the fragments of a request travel. */
enum proto_sums {
    PROTO_SUMS_NONE,
    PROTO_SUMS_EACH, /* u32 each */
    PROTO_SUMS_FOLD, /* u64: exclusive-or of proto_sums_fold(), more than fit */
    PROTO_SUMS_CHECKED = 4, /* or'ed: READ, the server compares as well */
};

/* What obj_truncate does to an object: makes it exactly so long; longer only;
 * longer only, with storage for all of it first (obj_allocate has taken its
 * place). */
enum proto_resize { PROTO_RESIZE, PROTO_GROW, PROTO_ALLOCATE };

enum proto_opcode {
#define X(value, name, flags) PROTO_OP_##name = value,
    PROTO_MSGS(X)
#undef X
};

enum proto_flag { PROTO_FLAG_REPLY = 1 };

struct proto_header {
    uint32_t magic;
    uint16_t version;
    uint16_t opcode;
    uint32_t flags;   /* enum proto_flag */
    uint32_t status;  /* replies: enum proto_status (status.h) */
    uint64_t request; /* rising from 1 for each client and target */
    uint64_t session; /* from HELLO's reply; in HELLO: the client */
    uint64_t floor;   /* requests: no request below is under way */
    uint64_t target;  /* requests: the target meant */
    uint32_t body;    /* bytes that follow */
    uint32_t check;   /* CRC32C of the message, taken as 0 */
    uint64_t reserved2;
};

struct proto_bytes {
    const uint8_t *data; /* into the message: lives as long as it */
    uint32_t len;
};

/* struct proto_req_read, struct proto_rep_read, ...; unions of all. */
#define PROTO_F_U8(name) uint8_t name;
#define PROTO_F_U16(name) uint16_t name;
#define PROTO_F_U32(name) uint32_t name;
#define PROTO_F_U64(name) uint64_t name;
#define PROTO_F_INODE(name) struct inode name;
#define PROTO_F_BYTES(name, limit) struct proto_bytes name;
#define PROTO_FIELDS(list)                                                     \
    list(PROTO_F_U8, PROTO_F_U16, PROTO_F_U32, PROTO_F_U64, PROTO_F_INODE,     \
         PROTO_F_BYTES)
#define X(value, name, flags)                                                  \
    struct proto_req_##name {                                                  \
        PROTO_FIELDS(PROTO_REQ_##name)                                         \
    };                                                                         \
    struct proto_rep_##name {                                                  \
        PROTO_FIELDS(PROTO_REP_##name)                                         \
    };
PROTO_MSGS(X)
#undef X

union proto_req {
#define X(value, name, flags) struct proto_req_##name name;
    PROTO_MSGS(X)
#undef X
};

union proto_rep {
#define X(value, name, flags) struct proto_rep_##name name;
    PROTO_MSGS(X)
#undef X
};

/** The name of an opcode, or NULL if there is none. */
const char *proto_op_name(unsigned opcode);
/** PROTO_ONCE or 0. */
unsigned proto_op_flags(unsigned opcode);

/** Write PROTO_HEADER_SIZE bytes in front of the body, which is there: the
 *  check is computed over both. */
void proto_header_encode(const struct proto_header *header, uint8_t *at);

/**
 * Read a header from a message of len bytes.
 *
 * @return 0, -ERR_PROTOCOL (not ours, or body length is not len's, or a bit of
 *         it was flipped on the way), or
 *         -ERR_VERSION (ours, another version; header_out is set).
 */
int proto_header_decode(const uint8_t *at, size_t len,
                        struct proto_header *header_out);

/** Encode a body. @return 0, -EMSGSIZE, or -ERR_PROTOCOL (unknown opcode, a
 *  field over its limit). */
int proto_req_encode(unsigned opcode, const union proto_req *req, uint8_t *at,
                     size_t room, size_t *len_out);
int proto_rep_encode(unsigned opcode, const union proto_rep *rep, uint8_t *at,
                     size_t room, size_t *len_out);

/** Decode a body of exactly len bytes; byte fields point into it. */
int proto_req_decode(unsigned opcode, const uint8_t *at, size_t len,
                     union proto_req *req_out);
int proto_rep_decode(unsigned opcode, const uint8_t *at, size_t len,
                     union proto_rep *rep_out);

/*
 * Runs are encoded as differences in LEB128 varints, so a list of equal
 * samples costs about ten bytes each. Start with a zeroed state.
 */
struct proto_runs {
    uint64_t end;     /* where the run before ended in the file */
    uint64_t mem_end; /* and in memory */
    uint64_t length;
};

/** Append a run. @return 0, or -EMSGSIZE: *at_p is unchanged. */
int proto_run_encode(struct proto_runs *state, const struct run *run,
                     uint8_t **at_p, const uint8_t *end);

/**
 * Take the next run. Checks that offsets, lengths and their products stay
 * below 2^63.
 *
 * @return 0, -ENOENT (at the end), -ERR_PROTOCOL.
 */
int proto_run_decode(struct proto_runs *state, const uint8_t **at_p,
                     const uint8_t *end, struct run *run_out);

/** What a fragment adds to a fold: its number counts, so order does too. */
static inline uint64_t proto_sums_fold(uint32_t number, uint32_t crc)
{
    uint64_t x = (uint64_t)number << 32 | crc;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* One entry of a directory page. */
struct proto_entry {
    struct proto_bytes text;
    bool is_away;   /* as LOOKUP's reply */
    struct inode inode;
    uint64_t object_size; /* of the home's column */
    uint64_t object_mtime_ns;
};

/* One record in a page of CHECK: what fsck needs of it. */
enum {
    PROTO_CHECK_LAYOUT = 1,
    PROTO_CHECK_DAMAGED = 2,
    PROTO_CHECK_SUMS = 3,   /* an object's header of sums is damaged */
    PROTO_CHECK_FORMAT = 4, /* or of a format that the server does not know */
};

/* The kind that is no record but an object: a is its inode number. */
#define PROTO_CHECK_OBJECT 'd'

struct proto_check {
    uint8_t kind;  /* first byte of the key: see the on-disk format */
    uint8_t type;  /* of an inode; of a directory: frozen or gone */
    uint8_t state; /* PROTO_CHECK_*: what is wrong by itself */
    uint32_t n;    /* names; directories in a directory */
    uint64_t a;    /* the first number of the key */
    uint64_t b;    /* ino of an entry; parent; entries; change of a lock */
    struct proto_bytes text; /* a name */
    struct proto_bytes key;  /* to go on behind it */
};

/* What REPAIR does, and to what: entry (a directory, text, b the inode that is
 * not there), nlink (inode a, n), parent (inode a, b), counts (directory a), lock
 * (a, text, b), name (make: directory a, text, inode b, type n), thaw (a). */
enum {
    PROTO_REPAIR_ENTRY = 1,
    PROTO_REPAIR_NLINK = 2,
    PROTO_REPAIR_PARENT = 3,
    PROTO_REPAIR_COUNTS = 4,
    PROTO_REPAIR_LOCK = 5,
    PROTO_REPAIR_NAME = 6,
    PROTO_REPAIR_THAW = 7,
};

/** As entries. */
int proto_check_encode(const struct proto_check *record, uint8_t **at_p,
                       const uint8_t *end);
int proto_check_decode(const uint8_t **at_p, const uint8_t *end,
                       struct proto_check *record_out);

/** Who asks, as a byte field of a request. @return its length. */
uint32_t proto_cred_encode(const struct cred *cred,
                           uint8_t at[PROTO_CRED_MAX]);
/** @return 0, -ERR_PROTOCOL. */
int proto_cred_decode(const struct proto_bytes *bytes, struct cred *cred_out);

/** @return 0, or -EMSGSIZE: *at_p is unchanged. */
int proto_entry_encode(const struct proto_entry *entry, uint8_t **at_p,
                       const uint8_t *end);
/** @return 0, -ENOENT (at the end), -ERR_PROTOCOL. */
int proto_entry_decode(const uint8_t **at_p, const uint8_t *end,
                       struct proto_entry *entry_out);

#endif
