/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: guarded_call() notes the range and a place to come back to in
 * a variable of the thread, calls, and clears it. The handler compares the
 * address of a fault with the range of its thread, and jumps.
 *
 * The jump saves no mask, for that would cost every call: the handler puts back
 * the one that it interrupted, whatever is blocked in it (a sanitizer that
 * stands between blocks all). The variable is of the initial-exec model:
 * reading it in a handler allocates nothing, as it might in a library that is
 * loaded late.
 *
 * Possible failure modes: another handler is in force, or the thread blocks the
 * signal (the kernel then ends the process): guarded_is_possible() says no. A
 * program that replaces the handler in the middle of a call, from another
 * thread, gets the signal. One that keeps ours as its former handler, and calls
 * it after the code here is gone, crashes where it would have ended anyway.
 */
#include "base/guarded.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

struct guard {
    sigjmp_buf back;
    uintptr_t begin;
    uintptr_t end;
};

static _Thread_local struct guard *volatile guard
    __attribute__((tls_model("initial-exec")));

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_installed;
static struct sigaction former;

static bool is_from_kernel(const siginfo_t *info)
{
    return info->si_code > 0;
}

/* There was no handler. That a fault was to be ignored means nothing to the
 * kernel: it ends the process. */
static void default_action(int number, const siginfo_t *info)
{
    if (former.sa_handler == SIG_IGN && !is_from_kernel(info))
        return;
    signal(number, SIG_DFL); /* a fault comes again */
    if (!is_from_kernel(info))
        raise(number);
}

/* The signal is not for us: as if there were no handler of ours. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    sigset_t mask = former.sa_mask, before;

    if ((former.sa_flags & SA_SIGINFO) == 0 &&
        (former.sa_handler == SIG_DFL || former.sa_handler == SIG_IGN)) {
        default_action(number, info);
        return;
    }
    if ((former.sa_flags & SA_NODEFER) == 0)
        sigaddset(&mask, number);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    if ((former.sa_flags & SA_RESETHAND) != 0)
        signal(number, SIG_DFL);
    if ((former.sa_flags & SA_SIGINFO) != 0)
        former.sa_sigaction(number, info, context);
    else
        former.sa_handler(number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    struct guard *mine = guard;

    if (mine != NULL && is_from_kernel(info) && address >= mine->begin &&
        address < mine->end) {
        const ucontext_t *interrupted = context;

        pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, NULL);
        siglongjmp(mine->back, 1);
    }
    pass_on(number, info, context);
}

/* Kept as it is when a program has put its own in ours' place: that one may
 * call ours, which must not then call it. */
static bool install(void)
{
    struct sigaction action = {
        .sa_sigaction = on_fault,
        .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART,
    };

    pthread_mutex_lock(&install_lock);
    if (!is_installed) {
        sigemptyset(&action.sa_mask);
        is_installed = sigaction(SIGBUS, NULL, &former) == 0 &&
                       sigaction(SIGBUS, &action, NULL) == 0;
    }
    pthread_mutex_unlock(&install_lock);
    return is_installed;
}

static bool is_in_force(void)
{
    struct sigaction now;

    return sigaction(SIGBUS, NULL, &now) == 0 &&
           (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault;
}

bool guarded_is_possible(void)
{
    sigset_t blocked;

    return (__atomic_load_n(&is_installed, __ATOMIC_ACQUIRE) || install()) &&
           is_in_force() && pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 &&
           !sigismember(&blocked, SIGBUS);
}

bool guarded_call(const void *memory, size_t length, guarded_fn *fn, void *arg)
{
    struct guard here = {
        .begin = (uintptr_t)memory,
        .end = (uintptr_t)memory + length,
    };
    volatile bool is_whole = false;

    if (sigsetjmp(here.back, 0) == 0) {
        guard = &here;
        fn(arg);
        is_whole = true;
    }
    guard = NULL;
    return is_whole;
}

void guarded_fini(void)
{
    pthread_mutex_lock(&install_lock);
    if (is_installed && is_in_force())
        is_installed = sigaction(SIGBUS, &former, NULL) != 0;
    pthread_mutex_unlock(&install_lock);
}
