/* settings - every configuration key of all programs, declared once.
 *
 * `struct settings` holds the values; settings_keys[] (settings.c) declares for each: YAML path, type, default, range
 * and help. From this table come parsing, `--check-config`, docs/configuration.md and the names
 * of the environment overrides (key in capitals, `__` between levels: SHEETWIRE_CHAT_WORKFLOWS__WEBSOCKET__PORT).
 * Filled once at start by config_load(); constant afterwards and shared by all threads. Texts are owned by the struct.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "err.h"

#include <stdint.h>

struct settings {
    struct {
        const char *name;    /* banner and health */
        const char *version; /* meta.api_version of every answer */
        const char *host;    /* REST listener */
        uint16_t port;
    } app;
    struct {
        const char *prefix; /* "/api/v1" */
        const char *locale; /* meta.locale */
    } api;
    struct {
        uint32_t max_file_size_mb; /* upload limit */
    } file;
    struct {
        const char *default_sheet_name;
        uint32_t max_column_width;
        bool include_info_sheet;
        uint32_t compression_level; /* 1..9 */
    } excel;
    struct {
        bool backup_original;
    } normalization;
    struct {
        const char *level;
        const char *file; /* written by `sheetwire serve` for all children; "" = none */
    } logging;
    struct {
        bool enabled;
        uint32_t max_connections; /* WebSockets per gateway process */
        struct {
            const char *host;
            uint16_t port;
            uint32_t ping_interval;     /* seconds */
            uint32_t ping_timeout;      /* seconds */
            uint32_t message_bytes_max; /* from a client; beyond: close 1009 */
            uint32_t queue_bytes_max;   /* to one socket; beyond: closed with "resume me" */
        } websocket;
        struct {
            const char *workflows_path;
            const char *dumps_path;
            const char *sqlite_path;
        } storage;
        struct {
            uint32_t max_steps;
            uint32_t step_timeout_seconds;
            uint32_t run_timeout_seconds;
            bool save_intermediate_files;
        } execution;
        struct {
            bool enabled;
            uint32_t interval_minutes; /* between snapshots of the record */
            const char *snapshot_path; /* folder of snapshots, scheduled or asked for */
            uint32_t retention_days;   /* older snapshots go; 0 = never */
        } backup;
        struct {
            uint32_t upload_mb_max;   /* a dump as it is sent */
            uint32_t unpacked_mb_max; /* everything in it */
            uint32_t member_mb_max;   /* one file in it */
            uint32_t members_max;
            uint32_t record_mb_max;  /* its metadata, and the record of a chat that is dumped */
            uint32_t retention_days; /* older dumps go; 0 = never */
        } dump;
    } chat_workflows;
    struct {
        uint32_t header_bytes_max;     /* request line and headers; beyond: 431 */
        uint32_t json_bytes_max;       /* a JSON body; beyond: 413 */
        uint32_t idle_timeout_seconds; /* a silent client */
        uint32_t connections_max;
        uint32_t execute_wait_seconds; /* an execute that outlasts this is answered 202 */
    } http;
    struct {
        const char *run_dir;  /* 0700 folder of the ipc:// sockets */
        const char *requests; /* "" = ipc://RUN_DIR/requests; otherwise a ZeroMQ endpoint */
        const char *feed;
        const char *work;
        const char *publish;     /* outside PUB, tcp://127.0.0.1:5562 */
        const char *publish_ack; /* outside DEALER, tcp://127.0.0.1:5563 */
        const char *tap;         /* outside SUB, tcp://127.0.0.1:5565 */
        bool insecure;           /* allow TCP beyond loopback without keys */
        uint32_t beat_ms;        /* both sides of a link beat this often */
        uint32_t link_window;    /* unacknowledged batches before a link gets nothing more */
        uint32_t event_bytes_max;
    } wire;
    struct {
        uint32_t lease_ms;             /* a worker silent for this long has lost its jobs */
        uint32_t attempts_max;         /* lost workers or killed steps before a job is given up */
        uint32_t queue_jobs_max;       /* accepted and not finished, over all chats; beyond: 503 */
        uint32_t chat_events_kept;     /* recent events kept in memory per chat for replay */
        uint32_t rooms_max;            /* chats without a conversation */
        uint32_t room_days;            /* after which a quiet one is forgotten; 0 = never */
        uint32_t batch_inputs_max;     /* inputs per transaction */
        uint32_t retention_days;       /* age beyond which events go; 0 = never */
        uint32_t retention_events_max; /* newest events kept of each chat; 0 = all */
    } broker;
    struct {
        uint32_t slots; /* jobs at a time */
        uint32_t step_memory_mb;
        uint32_t output_bytes_max_mb; /* one output file */
        uint32_t cpu_seconds;         /* CPU time of one step */
        const char *sandbox;          /* "full" | "limits-only" */
        uint32_t progress_interval_ms;
        uint32_t drain_seconds; /* after SIGTERM: time for running jobs to end */
        const char *beat_file;  /* touched with every beat, for health checks; "" = none */
    } workflow;
};

enum setting_type { SETTING_TEXT, SETTING_TRUTH, SETTING_PORT, SETTING_COUNT };

struct setting_key {
    const char *path; /* "chat_workflows.websocket.port" */
    enum setting_type type;
    size_t offset;        /* in struct settings */
    const char *standard; /* default as text */
    uint32_t min, max;    /* of COUNT and PORT */
    const char *choices;  /* of TEXT: "full|limits-only", or NULL */
    const char *help;     /* with the unit */
};

extern const struct setting_key settings_keys[]; /* ended by path NULL */
/* Keys of the Python original that mean nothing here: accepted without effect, so its files load. Ended by NULL. */
extern const char *const settings_ignored[];

const struct setting_key *settings_find(const char *path); /* NULL = no such key */
/* A key's value as text: "5051", "true". Texts are borrowed from the settings, numbers are written into scratch. */
const char *settings_text(const struct settings *self, const struct setting_key *key, char scratch[16]);

/* Endpoint of an internal socket: the setting, or ipc://RUN_DIR/NAME when it is empty. */
enum err settings_endpoint(const struct settings *self, const char *setting, const char *name, char *out,
                           size_t size) MUST_CHECK;

#endif
