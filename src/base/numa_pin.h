/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NUMA placement of a thread and its memory.
 *
 * Units    NUMA node numbers; -1 means no preference or not known.
 * Threads  numa_pin_thread acts on the calling thread.
 * Failure  a machine without NUMA is node 0 only; nothing here is fatal.
 */
#ifndef CAPSTAN_BASE_NUMA_PIN_H
#define CAPSTAN_BASE_NUMA_PIN_H

/** The node of the block device below a path, from /sys, or -1. */
int numa_node_of_path(const char *path);

/** Run this thread, and take its memory, on a node. @return 0 or -ENOTSUP. */
int numa_pin_thread(int node);

/** The node that this thread runs on just now, or -1. */
int numa_node_of_thread(void);

/** The node that a page in use lies on, or -1. */
int numa_node_of_memory(const void *memory);

#endif
