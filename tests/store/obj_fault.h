/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that fails, or is slow, when it is told to: obj_uring with a fault
 * point in front of every operation. Only programs of the tests have it.
 *
 * It is told by a file `faults` in the target's directory, which is looked at
 * in every poll and so may come, change (by renaming another over it) and go
 * while the server runs. A line each:
 *
 *     VERB CODE      read, write, truncate, sync, destroy or allocate ends
 *                    with EIO, ENOSPC, EROFS or EDQUOT, and does nothing
 *     slow MS        every operation begins so much later
 *
 * Units    milliseconds.
 * Threads  the store's owner.
 * Failure  a line that is none of these ends the process: the test is wrong.
 */
#ifndef TESTS_STORE_OBJ_FAULT_H
#define TESTS_STORE_OBJ_FAULT_H

#include "store/obj.h"

extern const struct obj_driver obj_fault;

#endif
