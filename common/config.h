/* config - fills `struct settings` from defaults, a YAML file and the environment, in that order.
 *
 * Errors name file, line and key: `configs/application.yml:12: chat_workflows.websocket.port: 70000 is not in 1..65535`;
 * an unknown key names the nearest known one. Main thread, at start. */
#ifndef CONFIG_H
#define CONFIG_H

#include "settings.h"

#include <stdio.h>

struct config;

/* path NULL: the file configs/application.yml if it exists, otherwise defaults alone. An explicit path must exist.
 * environment: as in environ(7); variables that start with SHEETWIRE_ and name no key are errors, except
 * SHEETWIRE_REQUIRE and other names of the test runner listed in config.c. */
enum err config_load(struct config **out, const char *path, char **environment, struct fault *why) MUST_CHECK;
const struct settings *config_settings(const struct config *self);
void config_destroy(struct config **self_p);

/* `--check-config`: one line a key: `chat_workflows.websocket.port: 5051  # configs/application.yml:9`. */
void config_print(const struct config *self, FILE *out);
/* The body of docs/configuration.md, from the table. */
void config_print_docs(FILE *out);

#endif
