/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See fault_preload.c. A program finds fault_arm by dlsym(), for it may run
 * without the preload.
 */
#ifndef CAPSTAN_TESTS_FAULT_PRELOAD_H
#define CAPSTAN_TESTS_FAULT_PRELOAD_H

#define FAULT_SHORT (-1)
#define FAULT_END (-2)

typedef void fault_arm_fn(const char *path, int how); /* how 0: disarm */
fault_arm_fn fault_arm;

#endif
