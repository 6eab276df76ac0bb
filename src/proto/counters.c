/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/counters.h"

const struct counter_info counter_info[COUNTER_COUNT] = {
#define X(name, unit, prose) {#name, unit, prose},
    COUNTERS(X)
#undef X
};
