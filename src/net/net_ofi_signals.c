/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libinfinipath, which libfabric brings along, takes the signals of a process
 * when it is loaded, and its handler calls exit(3): a program that is ended in
 * the middle of a call of libfabric then waits for ever in libfabric's
 * destructor. So when we load it, each of those signals gets back what it had;
 * when somebody else did, what it had is not known, and those that are still
 * taken go back to their default.
 *
 * Possible failure modes are: none; who has no such library keeps what he has.
 */
#include "net/net_ofi_priv.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define LIBRARY "libinfinipath"

static const int numbers[OFI_SIGNALS] = {SIGINT,  SIGTERM, SIGHUP,  SIGILL,
                                         SIGABRT, SIGBUS,  SIGSEGV, SIGFPE};

static bool is_theirs(const struct sigaction *action)
{
    Dl_info info;

    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN &&
           dladdr((void *)(uintptr_t)action->sa_handler, &info) != 0 &&
           info.dli_fname != NULL && strstr(info.dli_fname, LIBRARY) != NULL;
}

/* @param to what each of them gets back; NULL: its default. */
static void give_back(const struct sigaction *to)
{
    static const struct sigaction by_default = {.sa_handler = SIG_DFL};
    struct sigaction action;

    for (size_t i = 0; i < OFI_SIGNALS; i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && is_theirs(&action))
            sigaction(numbers[i], to == NULL ? &by_default : &to[i], NULL);
}

void ofi_signals_keep(struct ofi_signals *kept)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept->mask);
    for (size_t i = 0; i < OFI_SIGNALS; i++)
        sigaction(numbers[i], NULL, &kept->actions[i]);
}

void ofi_signals_restore(const struct ofi_signals *kept)
{
    give_back(kept->actions);
    pthread_sigmask(SIG_SETMASK, &kept->mask, NULL);
}

void ofi_signals_free(void)
{
    give_back(NULL);
}
