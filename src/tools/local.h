/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cluster on this machine, as `up` makes it: everything under one root.
 *
 *     ROOT/lock            held while up or down is at work
 *     ROOT/cluster.yaml    the cluster file; its first line holds the shape
 *     ROOT/sN/tM/          directory of target M of server N
 *     ROOT/sN.pid          the process, which may be long dead
 *     ROOT/sN.log          what it says; sN.log.old: what the one before said
 *
 * A pid file is believed only if /proc says that the process is that server of
 * that root, so a number that was given to another process is never signalled.
 *
 * Units    servers and targets count from 1; seconds.
 * Threads  one.
 * Failure  said on stderr.
 */
#ifndef CAPSTAN_TOOLS_LOCAL_H
#define CAPSTAN_TOOLS_LOCAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOCAL_SERVERS_MAX 64
#define LOCAL_TARGETS_MAX 64
#define LOCAL_PROVIDER_MAX 64

struct local_shape {
    uint64_t cluster_id;
    unsigned servers;
    unsigned targets; /* of each server */
    uint32_t stripe_size;
    char provider[LOCAL_PROVIDER_MAX];
};

/**
 * Find the root: the option, else $CAPSTAN_ROOT, else ~/.capstan/local;
 * absolute and without symlinks if it exists.
 *
 * @param root  PATH_MAX bytes.
 * @return 0 or -1.
 */
int local_root(const char *option, char *root);

/** Make the root and its parents. Resolves it again. @return 0 or -1. */
int local_root_make(char *root);

/** Keep other ups and downs out. Waits for them at most wait_sec.
 *  @return a descriptor that holds the lock until closed, or -1. */
int local_lock(const char *root, uint64_t wait_sec);

/** Read the shape of an existing cluster.
 *  @return 0, 1 (there is none, not an error) or -1. */
int local_shape_read(const char *root, struct local_shape *shape_out);

/** Write the cluster file, with ports that are free now. @return 0 or -1. */
int local_shape_write(const char *root, const struct local_shape *shape);

/** Make the directories of all targets. @return 0 or -1. */
int local_directories_make(const char *root, const struct local_shape *shape);

/** The live process of a server, or 0. */
pid_t local_pid(const char *root, unsigned server);

/** Start a server. @return its process, or -1. */
pid_t local_start(const char *root, unsigned server, const char *program);

/** Stop these servers: SIGTERM, after wait_sec SIGKILL. Pid files go too.
 *  @return 0, or -1 if one is still there. */
int local_stop(const char *root, const bool *servers, unsigned count,
               uint64_t wait_sec);

/** Print the end of a server's log on stderr. */
void local_show_log(const char *root, unsigned server);

/**
 * Find one of our own programs: what an environment variable names, beside this
 * program (build tree or installed), sbindir, PATH.
 *
 * @param directory  the program's own below src, for a build tree.
 * @param path       PATH_MAX bytes.
 * @return 0 or -1.
 */
int local_find_program(const char *name, const char *variable,
                       const char *directory, char *path);

/** The directory of this program. @param directory  PATH_MAX bytes. */
void local_program_directory(char *directory);

#endif
