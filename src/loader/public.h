/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public headers, for the sources that define its calls: those are visible
 * outside of the library, and nothing else is.
 *
 * Units, Threads, Failure: as capstan/loader.h.
 */
#ifndef CAPSTAN_LOADER_PUBLIC_H
#define CAPSTAN_LOADER_PUBLIC_H

#pragma GCC visibility push(default)
#include <capstan/loader.h>
#include <capstan/tensors.h>
#pragma GCC visibility pop

#endif
