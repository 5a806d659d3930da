/* config - fills `struct settings` from defaults, a YAML file and the environment, in that order.
 *
 * Errors name file, line and key: `configs/application.yml:12: chat_workflows.websocket.port: 70000 is not
 * in 1..65535`; an unknown key names the nearest known one. Main thread, at start. */
#ifndef CONFIG_H
#define CONFIG_H

#include "settings.h"

#include <stdio.h>

struct config;

/* path NULL: the file configs/application.yml if it exists, otherwise defaults alone. An explicit path must exist.
 * environment: as in environ(7); variables that start with SHEETWIRE_ and name no key are errors, except
 * SHEETWIRE_REQUIRE and other names of the test runner listed in config.c. */
enum err config_load(struct config **out, const char *path, char **environment, struct fault *why) MUST_CHECK;
/* The same from bytes in memory; `name` stands for the file in messages. Both may be NULL: no file. */
enum err config_from_bytes(struct config **out, const char *name, const char *bytes, size_t len, char **environment,
                           struct fault *why) MUST_CHECK;
const struct settings *config_settings(const struct config *self);
/* Where a key's value comes from: "configs/application.yml:9", "SHEETWIRE_APP__PORT" or "default". Borrowed. */
const char *config_origin(const struct config *self, const struct setting_key *key);
void config_destroy(struct config **self_p);

#define CONFIG_DEFAULT_PATH "configs/application.yml"
#define CONFIG_BYTES_MAX    (1024 * 1024)
#define CONFIG_ENV_PREFIX   "SHEETWIRE_"
#define CONFIG_PATH_MAX     128 /* bytes of a key's full path with the final NUL */
#define CONFIG_TEXT_MAX     1024

/* "app.port" -> "SHEETWIRE_APP__PORT", NUL-terminated. */
void config_variable(const char *path, char out[2 * CONFIG_PATH_MAX]);

/* `--check-config`: one line a key: `chat_workflows.websocket.port: 5051  # configs/application.yml:9`. */
void config_print(const struct config *self, FILE *out);
/* The body of docs/configuration.md, from the table. */
void config_print_docs(FILE *out);

#endif
