/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libfabric, loaded by name when the first endpoint of the process is opened.
 *
 * It brings the libraries of adapters along, and two of those (libpsm2,
 * libinfinipath) measure a clock for 0.1 s each when they are loaded. A program
 * that runs under the preload library and never asks a server, or `capstan
 * --help`, does not pay for that.
 *
 * These are the functions that its library exports; all else of its interface
 * is inline calls through what they return.
 *
 * Threads  any; all wait for the one that loads.
 * Failure  the library is not there, or too old (-ENODATA; said in the log).
 */
#ifndef CAPSTAN_NET_OFI_LIB_H
#define CAPSTAN_NET_OFI_LIB_H

#include <rdma/fabric.h>
#include <rdma/fi_errno.h>

struct ofi_lib {
    int (*getinfo)(uint32_t version, const char *node, const char *service,
                   uint64_t flags, const struct fi_info *hints,
                   struct fi_info **info);
    void (*freeinfo)(struct fi_info *info);
    struct fi_info *(*dupinfo)(
        const struct fi_info *info); /* NULL: a new one */
    int (*fabric)(struct fi_fabric_attr *attr, struct fid_fabric **fabric,
                  void *context);
    const char *(*strerror)(int errnum);
};

extern struct ofi_lib ofi_lib; /* filled once ofi_lib_load() has returned 0 */

/* Load it, unless that was done. @return 0, or -ENODATA. */
int ofi_lib_load(void);

#endif
