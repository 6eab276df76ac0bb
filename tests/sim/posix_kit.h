/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated cluster of four targets and two clients, and short forms of the
 * calls that tests of files and names make most. `i` is a client.
 *
 * Units    bytes.
 * Threads  one.
 * Failure  assertions of CUnit, unless a function returns a code.
 */
#ifndef CAPSTAN_TESTS_SIM_POSIX_KIT_H
#define CAPSTAN_TESTS_SIM_POSIX_KIT_H

#include "client/cli.h"
#include "sim/sim_cluster.h"

extern struct sim_cluster sim;

struct capstan_session *s(unsigned i);
/** Make the cluster; both clients are user 0. */
void start(void);
/** Everything must be whole in the end. */
void stop(void);
void become(unsigned i, uint32_t uid, uint32_t gid);
struct capstan_file *make(const char *path, uint32_t mode);
void make_closed(const char *path, uint32_t mode);
struct capstan_stat stat_of(const char *path);
uint64_t ino_of(const char *path);
int chmod_as(unsigned i, const char *path, uint32_t mode);
int chown_as(unsigned i, const char *path, uint32_t uid, uint32_t gid);
int open_as(unsigned i, const char *path, unsigned flags);

#endif
