/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Choosing among what libfabric offers.
 *
 * The happy path: ask for reliable datagrams with messages and RMA, manual
 * progress, and a send that never overtakes an RMA write; take the first offer
 * of the named provider at the given address. When no provider keeps that
 * order, ask again without it, and for writes that end when they have arrived;
 * net_caps tells.
 *
 * An endpoint's name carries one address, and peers connect to that one. Left
 * to itself, libfabric takes that of the fastest interface, wherever it leads.
 * So an endpoint that may listen anywhere takes the address from which the
 * first of the nodes that must reach it is reached, loopback only if there is
 * no other.
 *
 * Possible failure modes are: the provider is not installed (-ENODATA), the
 * address is none of this machine's or not a number (-EINVAL), no route to any
 * of the nodes (then any address is as good).
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>

#define TOWARD_MAX 8 /* nodes that are asked about; each may be a look-up */

#define RXM_RECEIVES "FI_OFI_RXM_MSG_RX_SIZE"
#define RXM_RECEIVES_COUNT "1024" /* as `capstan env` says */

/* Registration modes that net_ofi_mr.c can serve. */
#define MR_MODES                                                               \
    (FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY |        \
     FI_MR_ENDPOINT)

static struct fi_info *make_hints(const char *provider, uint64_t order)
{
    struct fi_info *hints = ofi_lib.dupinfo(NULL);

    if (hints == NULL)
        return NULL;
    hints->caps = FI_MSG | FI_RMA;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode = MR_MODES;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
    hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
    hints->tx_attr->msg_order = order;
    hints->rx_attr->msg_order = order;
    if ((order & FI_ORDER_SAW) == 0) /* then the end of a write must tell */
        hints->tx_attr->op_flags = FI_DELIVERY_COMPLETE;
    hints->fabric_attr->prov_name = strdup(provider);
    if (hints->fabric_attr->prov_name == NULL) {
        ofi_lib.freeinfo(hints);
        return NULL;
    }
    return hints;
}

static int ask(const char *provider, uint64_t order, const char *node,
               const char *service, struct fi_info **info_out)
{
    struct fi_info *hints = make_hints(provider, order);
    int rc;

    if (hints == NULL)
        return -ENOMEM;
    rc = ofi_lib.getinfo(OFI_VERSION, node, service,
                         node == NULL && service == NULL ? 0 : FI_SOURCE, hints,
                         info_out);
    ofi_lib.freeinfo(hints);
    return rc == -FI_ENOMEM ? -ENOMEM : rc;
}

/* Ask with the order that we like, else with the least that we need. */
static int ask_either(const char *provider, const char *node,
                      const char *service, struct fi_info **info_out)
{
    int rc;

    rc = ask(provider, FI_ORDER_SAS | FI_ORDER_SAW, node, service, info_out);
    if (rc == 0 || rc == -ENOMEM)
        return rc;
    return ask(provider, FI_ORDER_SAS, node, service, info_out);
}

/* Its address as text. @return false: of another family, or not a route's. */
static bool print_source(const struct fi_info *info, char text[NI_MAXHOST])
{
    const struct sockaddr *address = info->src_addr;

    if (info->addr_format != FI_SOCKADDR_IN &&
        info->addr_format != FI_SOCKADDR_IN6)
        return false;
    return address != NULL &&
           getnameinfo(address, (socklen_t)info->src_addrlen, text, NI_MAXHOST,
                       NULL, 0, NI_NUMERICHOST) == 0;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* The address of ours from which this node is reached. */
static bool source_toward(const char *provider, const char *node,
                          char text[NI_MAXHOST])
{
    struct fi_info *hints = make_hints(provider, FI_ORDER_SAS);
    struct fi_info *info = NULL;
    bool is_found;

    if (hints == NULL)
        return false;
    /* Any service will do: nobody is called. */
    is_found = ofi_lib.getinfo(OFI_VERSION, node, "1", 0, hints, &info) == 0 &&
               print_source(info, text);
    ofi_lib.freeinfo(hints);
    ofi_lib.freeinfo(info);
    return is_found;
}

/* @return false: no node was given, or none has a route. */
static bool choose_source(const struct net_config *config,
                          char text[NI_MAXHOST])
{
    char next[NI_MAXHOST];
    bool is_found = false;

    for (unsigned i = 0; i < config->toward_count && i < TOWARD_MAX; i++) {
        if (!source_toward(config->provider, config->toward[i], next))
            continue;
        if (!is_found || !is_loopback(next))
            memcpy(text, next, NI_MAXHOST);
        is_found = true;
        if (!is_loopback(next))
            break;
    }
    return is_found;
}

/*
 * Provider "tcp;ofi_rxm" receives into buffers of its own, of 16 KiB, shared by
 * all connections: 4096 of them, 68 MiB that it writes to when an endpoint is
 * enabled. TCP holds the sender back when they are used up, so fewer will do. It
 * takes the number from the environment, when it is first used by the process.
 * What the user says there stays, and nothing changes under other threads.
 */
static void take_less_memory(void)
{
    if (__libc_single_threaded)
        setenv(RXM_RECEIVES, RXM_RECEIVES_COUNT, 0);
}

int ofi_info_get(const struct net_config *config, struct fi_info **info_out)
{
    bool is_shm = strcmp(config->provider, "shm") == 0;
    const char *service = config->service;
    struct fi_info *info = NULL;
    char source[NI_MAXHOST];
    int rc;

    take_less_memory();
    if (ofi_lib_load() != 0)
        return -ENODATA;
    ofi_signals_free();
    if (is_shm) /* names are ours: net_ofi_shm.c */
        return ask_either("shm", NULL, NULL, info_out) == 0 ? 0 : -ENODATA;
    if (service == NULL)
        service = NET_ANY_PORT;
    if (config->node == NULL && choose_source(config, source) &&
        ask_either(config->provider, source, service, info_out) == 0)
        return 0;
    rc = ask_either(config->provider, config->node, service, info_out);
    if (rc == 0 || rc == -ENOMEM)
        return rc;
    if (ask_either(config->provider, NULL, NULL, &info) != 0) {
        log_error("fabric provider %s: not available here (%s)",
                  config->provider, ofi_lib.strerror(-rc));
        return -ENODATA;
    }
    ofi_lib.freeinfo(info);
    log_error("fabric address %s:%s: %s",
              config->node == NULL ? "*" : config->node, service,
              ofi_lib.strerror(-rc));
    return -EINVAL;
}

int ofi_info_resolve(const struct ofi_net *net, const char *node,
                     const char *service, struct fi_info **info_out)
{
    const struct fi_info *own = net->info;
    struct fi_info *hints;
    int rc;

    hints = make_hints(own->fabric_attr->prov_name, own->tx_attr->msg_order);
    if (hints == NULL)
        return -ENOMEM;
    hints->addr_format = own->addr_format;
    rc = ofi_lib.getinfo(OFI_VERSION, node, service, 0, hints, info_out);
    ofi_lib.freeinfo(hints);
    if (rc == -FI_ENOMEM)
        return -ENOMEM;
    return rc == 0 ? 0 : -EHOSTUNREACH;
}
