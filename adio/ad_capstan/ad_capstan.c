/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of capstan: paths. It cannot do anything yet: every call says
 * -ENOTSUP.
 */
#include "adio/common/adio.h"

const struct adio_driver *ad_capstan(void)
{
    static struct adio_driver driver = {.name = "capstan"};

    if (driver.open == NULL)
        adio_driver_complete(&driver);
    return &driver;
}
