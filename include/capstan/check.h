/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is the namespace whole? Walks what every target keeps, while it is in use.
 *
 * Units    counts.
 * Threads  as the session.
 * Failure  as the session; a target that does not answer ends the check.
 */
#ifndef CAPSTAN_CHECK_H
#define CAPSTAN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <capstan/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, "name", what it means) */
#define CAPSTAN_PROBLEMS(X)                                                    \
    X(DANGLING, "dangling", "an entry stands for an inode that is not there")  \
    X(LOST, "lost", "an inode has no name")                                    \
    X(NLINK, "nlink", "an inode says another number of names than it has")     \
    X(DOUBLE, "double", "a directory has several names")                       \
    X(PARENT, "parent", "a directory is not where it believes to be")          \
    X(COUNTS, "counts", "a target counts a directory's entries wrong")         \
    X(FROZEN, "frozen", "a directory refuses entries, though it is there")     \
    X(LAYOUT, "layout", "a file's layout names a target that is not there")    \
    X(DAMAGED, "damaged", "a record does not decode")                          \
    X(LOCKED, "locked", "a name is locked for a change that is forgotten")     \
    X(UNSETTLED, "unsettled", "a change of several targets does not end")      \
    X(ORPHAN, "orphan", "a removed file's objects are not freed")             \
    X(STRAY, "stray", "a target holds data of an inode that is not there")     \
    X(SUMS, "sums", "a file of checksums is damaged or cannot be read")        \
    X(FORMAT, "format", "a file of checksums has a format of another version")

enum capstan_problem_kind {
#define X(NAME, name, prose) CAPSTAN_PROBLEM_##NAME,
    CAPSTAN_PROBLEMS(X)
#undef X
        CAPSTAN_PROBLEM_COUNT
};

struct capstan_problem {
    enum capstan_problem_kind kind;
    const char *name;  /* of the kind */
    const char *prose; /* of the kind */
    uint16_t target;   /* that keeps what is wrong */
    uint64_t ino;      /* concerned; 0: none */
    uint64_t dir;      /* of an entry; 0: none */
    const char *text;  /* of an entry, else "" */
    bool is_repaired;
};

struct capstan_check_options {
    bool is_repair; /* put right what can be put right without a guess */
    void (*problem)(void *ctx, const struct capstan_problem *problem);
    void (*progress)(void *ctx, uint64_t records); /* may be NULL */
    void *ctx;
};

struct capstan_check_counts {
    uint64_t entries;
    uint64_t inodes;
    uint64_t problems;
    uint64_t repaired;
};

/**
 * Check all. What looks wrong is looked at once more some seconds later, so
 * that changes under way are not taken for damage.
 *
 * @return 0 (problems or not), -ENOMEM, -ETIMEDOUT.
 */
int capstan_check(struct capstan_session *session,
                  const struct capstan_check_options *options,
                  struct capstan_check_counts *counts_out);

#ifdef __cplusplus
}
#endif

#endif
