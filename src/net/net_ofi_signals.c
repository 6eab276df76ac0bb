/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libinfinipath, which libfabric brings along, takes the signals of a process
 * when it is loaded, and its handler calls exit(3): a program that is ended in
 * the middle of a call of libfabric then waits for ever in libfabric's
 * destructor. So those signals go back to their default, and those alone.
 *
 * Possible failure modes are: none; who has no such library keeps what he has.
 */
#include "net/net_ofi_priv.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#define LIBRARY "libinfinipath"

static bool is_theirs(const struct sigaction *action)
{
    Dl_info info;

    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN &&
           dladdr((void *)(uintptr_t)action->sa_handler, &info) != 0 &&
           info.dli_fname != NULL && strstr(info.dli_fname, LIBRARY) != NULL;
}

void ofi_signals_free(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP,  SIGILL,
                                  SIGABRT, SIGBUS, SIGSEGV, SIGFPE};
    struct sigaction action;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && is_theirs(&action))
            signal(numbers[i], SIG_DFL);
}
