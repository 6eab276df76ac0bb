/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device of a target, mounted on its directory
 * (doc/adr/0022-a-device-is-a-file-system.md).
 *
 * Threads  any; calls for one target from one at a time.
 * Failure  logged where it is decided; what is mounted stays as it is.
 */
#ifndef CAPSTAN_SERVER_MOUNT_H
#define CAPSTAN_SERVER_MOUNT_H

#include "rpc/cluster.h"

#include <stdbool.h>

/**
 * See to it that the target's directory lies on its device. Nothing to do if it
 * has none, or if that is so already.
 *
 * @param is_ours_out  it was mounted just now: to be undone by srv_unmount().
 * @return 0; -ENOTBLK; -EINVAL (not made by `capstan format`); -ENOTEMPTY (the
 *         directory holds something); what mkdir(2) and mount(2) give.
 */
int srv_mount(const struct cluster_target *target, bool *is_ours_out);

/** Undo it. Somebody who is at work there keeps it mounted: that is logged. */
void srv_unmount(const struct cluster_target *target);

#endif
