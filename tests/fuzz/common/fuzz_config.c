/* Any bytes as a configuration file: refused with a text, or accepted and printable. */
#include "config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config *config;
    struct fault why = {.text = ""};
    enum err err = config_from_bytes(&config, "fuzz.yml", (const char *)bytes, len, NULL, &why);
    if (err != ERR_OK) {
        if (config || !why.text[0])
            abort();
        return 0;
    }
    static FILE *null;
    if (!null)
        null = fopen("/dev/null", "w");
    config_print(config, null);
    config_destroy(&config);
    return 0;
}
