/* server_address - where a gateway with these settings is reached from this machine. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include "settings.h"

#define SERVER_ADDRESS_MAX 512

/* "127.0.0.1" for a listener on every address, "[::1]" for "::", otherwise the host itself, bracketed when IPv6. */
void server_address_host(const char *listen_host, char out[SERVER_ADDRESS_MAX]);
void server_address_rest(const struct settings *settings, char out[SERVER_ADDRESS_MAX]); /* http://127.0.0.1:5050 */
void server_address_ws(const struct settings *settings, char out[SERVER_ADDRESS_MAX]);   /* ws://127.0.0.1:5051 */
/* Both from the usual configuration file and environment; the defaults when there is none that can be read. */
void server_address_default(char rest[SERVER_ADDRESS_MAX], char ws[SERVER_ADDRESS_MAX]);

#endif
