/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/err.h"

#include <string.h>

static const struct {
    int value;
    const char *text;
    enum err_action action;
} table[] = {
#define X(name, value, text, action) {value, text, ERR_##action},
    ERR_TABLE(X)
#undef X
};

const char *err_text(int code)
{
    size_t i;
    const char *text;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].value == -code)
            return table[i].text;
    text = strerrordesc_np(-code);
    return text != NULL ? text : "unknown error";
}

enum err_action err_action(int code)
{
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].value == -code)
            return table[i].action;
    return code == -EAGAIN ? ERR_RETRY : ERR_GIVE_UP;
}
