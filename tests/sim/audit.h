/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is a namespace whole? Looks into the name stores of a cluster whose servers
 * have been stopped, with none of the server's or the name store's own logic
 * but the decoders.
 *
 * Threads  one.
 * Failure  the first thing that is wrong, as a text.
 */
#ifndef CAPSTAN_TESTS_SIM_AUDIT_H
#define CAPSTAN_TESTS_SIM_AUDIT_H

#include "sim/sim_cluster.h"

#define AUDIT_TEXT_MAX 256

/**
 * Stop every server and look.
 *
 * @param text  AUDIT_TEXT_MAX bytes: what is wrong.
 * @return is it whole? Every entry has its inode and every inode as many names
 *         as it says, directories are a tree and know parent and counts, no
 *         change is unsettled, no name locked, no orphan left.
 */
bool audit_names(struct sim_cluster *sim, char *text);

#endif
