#include "server_address.h"

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void server_address_host(const char *listen_host, char out[SERVER_ADDRESS_MAX])
{
    if (!listen_host[0] || strcmp(listen_host, "0.0.0.0") == 0 || strcmp(listen_host, "*") == 0)
        listen_host = "127.0.0.1";
    else if (strcmp(listen_host, "::") == 0)
        listen_host = "::1";
    bool bare_v6 = strchr(listen_host, ':') && listen_host[0] != '[';
    snprintf(out, SERVER_ADDRESS_MAX, bare_v6 ? "[%.400s]" : "%.400s", listen_host);
}

static void url(const char *scheme, const char *listen_host, unsigned port, char out[SERVER_ADDRESS_MAX])
{
    char host[SERVER_ADDRESS_MAX];
    server_address_host(listen_host, host);
    snprintf(out, SERVER_ADDRESS_MAX, "%s://%.400s:%u", scheme, host, port);
}

void server_address_rest(const struct settings *settings, char out[SERVER_ADDRESS_MAX])
{
    url("http", settings->app.host, settings->app.port, out);
}

void server_address_ws(const struct settings *settings, char out[SERVER_ADDRESS_MAX])
{
    url("ws", settings->chat_workflows.websocket.host, settings->chat_workflows.websocket.port, out);
}

void server_address_default(char rest[SERVER_ADDRESS_MAX], char ws[SERVER_ADDRESS_MAX])
{
    struct config *config;
    if (config_load(&config, NULL, environ, NULL) == ERR_OK) {
        server_address_rest(config_settings(config), rest);
        server_address_ws(config_settings(config), ws);
        config_destroy(&config);
        return;
    }
    url("http", "127.0.0.1", 5050, rest);
    url("ws", "127.0.0.1", 5051, ws);
}
