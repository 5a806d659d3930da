#include "settings.h"

#include <stdio.h>
#include <string.h>

#define KEY(type, field, path, standard, min, max, choices, help)                                                      \
    {                                                                                                                  \
        path, type, offsetof(struct settings, field), standard, min, max, choices, help                                \
    }
#define TEXT(field, path, standard, help)            KEY(SETTING_TEXT, field, path, standard, 0, 0, NULL, help)
#define CHOICE(field, path, standard, choices, help) KEY(SETTING_TEXT, field, path, standard, 0, 0, choices, help)
#define TRUTH(field, path, standard, help)           KEY(SETTING_TRUTH, field, path, standard, 0, 0, NULL, help)
#define PORT(field, path, standard, help)            KEY(SETTING_PORT, field, path, standard, 1, 65535, NULL, help)
#define COUNT(field, path, standard, min, max, help) KEY(SETTING_COUNT, field, path, standard, min, max, NULL, help)

const struct setting_key settings_keys[] = {
    TEXT(app.name, "app.name", "Sheetwire", "Name in the banner and in health answers."),
    TEXT(app.version, "app.version", "v0.0.1", "API version that every REST answer carries in `meta.api_version`."),
    TEXT(app.host, "app.host", "127.0.0.1", "Address the REST server listens on."),
    PORT(app.port, "app.port", "5050", "Port the REST server listens on."),
    TEXT(api.prefix, "api.prefix", "/api/v1", "Path before every REST route."),
    TEXT(api.locale, "api.locale", "en_US", "Locale that every REST answer carries in `meta.locale`."),
    COUNT(file.max_file_size_mb, "file.max_file_size_mb", "50", 1, 1048576, "Largest upload in MiB; beyond it: 413."),
    TEXT(excel.default_sheet_name, "excel.default_sheet_name", "Sheet1",
         "Sheet name of Excel files an operation writes."),
    COUNT(excel.max_column_width, "excel.max_column_width", "50", 1, 255,
          "Widest column of written Excel files, in characters."),
    TRUTH(excel.include_info_sheet, "excel.include_info_sheet", "true",
          "Whether written Excel files get the sheet `Info`."),
    COUNT(excel.compression_level, "excel.compression_level", "6", 1, 9, "Deflate level of written Excel files."),
    TRUTH(normalization.backup_original, "normalization.backup_original", "true",
          "Whether `normalization/apply` keeps every column it changes as `{column}_original`."),
    CHOICE(logging.level, "logging.level", "INFO", "DEBUG|INFO|WARNING|ERROR",
           "Least important messages that are logged."),
    TEXT(logging.file, "logging.file", "logs/sheetwire.log",
         "Log file that `sheetwire serve` writes for all programs; empty for none. A single program logs to standard "
         "error."),
    TRUTH(chat_workflows.enabled, "chat_workflows.enabled", "true",
          "Whether the WebSocket listens; when false, chat routes answer 503."),
    COUNT(chat_workflows.max_connections, "chat_workflows.max_connections", "10", 1, 1000000,
          "WebSockets at a time in one gateway process; beyond it: error and close 1013."),
    TEXT(chat_workflows.websocket.host, "chat_workflows.websocket.host", "127.0.0.1",
         "Address the WebSocket server listens on."),
    PORT(chat_workflows.websocket.port, "chat_workflows.websocket.port", "5051",
         "Port the WebSocket server listens on."),
    COUNT(chat_workflows.websocket.ping_interval, "chat_workflows.websocket.ping_interval", "30", 1, 3600,
          "Seconds of silence after which the server pings a WebSocket."),
    COUNT(chat_workflows.websocket.ping_timeout, "chat_workflows.websocket.ping_timeout", "10", 1, 3600,
          "Seconds a WebSocket has to answer a ping before it is dropped."),
    COUNT(chat_workflows.websocket.message_bytes_max, "chat_workflows.websocket.message_bytes_max", "1048576", 1024,
          67108864, "Largest message a WebSocket client may send, in bytes; beyond it: close 1009."),
    COUNT(chat_workflows.websocket.queue_bytes_max, "chat_workflows.websocket.queue_bytes_max", "4194304", 65536,
          1073741824, "Bytes waiting for one slow WebSocket; beyond it the socket is closed with 1013 and may resume."),
    TEXT(chat_workflows.storage.workflows_path, "chat_workflows.storage.workflows_path", "./automation/workflows",
         "Folder of uploaded and produced files."),
    TEXT(chat_workflows.storage.dumps_path, "chat_workflows.storage.dumps_path", "./automation/dumps",
         "Folder of dumps."),
    TEXT(chat_workflows.storage.sqlite_path, "chat_workflows.storage.sqlite_path", "./automation/sqlite/chat.db",
         "The record: SQLite file of the broker."),
    COUNT(chat_workflows.execution.max_steps, "chat_workflows.execution.max_steps", "50", 1, 1000,
          "Steps of one workflow; more: 422."),
    COUNT(chat_workflows.execution.step_timeout_seconds, "chat_workflows.execution.step_timeout_seconds", "300", 1,
          86400, "Seconds a step may take; beyond it the step fails."),
    COUNT(chat_workflows.execution.run_timeout_seconds, "chat_workflows.execution.run_timeout_seconds", "3600", 1,
          604800, "Seconds a whole run may take; beyond it the run fails."),
    TRUTH(chat_workflows.execution.save_intermediate_files, "chat_workflows.execution.save_intermediate_files", "true",
          "Whether a step before the last writes its visible file too."),
    TRUTH(chat_workflows.backup.enabled, "chat_workflows.backup.enabled", "false",
          "Whether the broker takes snapshots of the record by itself."),
    COUNT(chat_workflows.backup.interval_minutes, "chat_workflows.backup.interval_minutes", "60", 1, 525600,
          "Minutes from one snapshot of the record to the next."),
    TEXT(chat_workflows.backup.snapshot_path, "chat_workflows.backup.snapshot_path", "./automation/sqlite/snapshots",
         "Folder of snapshots of the record, those taken by themselves and those asked for."),
    COUNT(chat_workflows.backup.retention_days, "chat_workflows.backup.retention_days", "7", 0, 36500,
          "Days after which a snapshot is removed (the newest one stays); 0 for never."),
    COUNT(chat_workflows.dump.upload_mb_max, "chat_workflows.dump.upload_mb_max", "1024", 1, 1048576,
          "Largest dump that can be restored, as it is sent, in MiB; beyond it: 413."),
    COUNT(chat_workflows.dump.unpacked_mb_max, "chat_workflows.dump.unpacked_mb_max", "4096", 1, 1048576,
          "MiB a dump may unpack to; beyond it: 413."),
    COUNT(chat_workflows.dump.member_mb_max, "chat_workflows.dump.member_mb_max", "4096", 1, 1048576,
          "Largest file in a dump that is restored, in MiB; beyond it: 413."),
    COUNT(chat_workflows.dump.members_max, "chat_workflows.dump.members_max", "20000", 1, 1000000,
          "Files and folders in a dump that is restored; beyond it: 413."),
    COUNT(chat_workflows.dump.record_mb_max, "chat_workflows.dump.record_mb_max", "16", 1, 48,
          "Largest record of one chat in a dump, in MiB; half of it is for events, of which the newest are taken."),
    COUNT(chat_workflows.dump.retention_days, "chat_workflows.dump.retention_days", "30", 0, 36500,
          "Days after which a dump is removed; 0 for never."),
    COUNT(http.header_bytes_max, "http.header_bytes_max", "16384", 1024, 1048576,
          "Request line and headers in bytes; beyond it: 431."),
    COUNT(http.json_bytes_max, "http.json_bytes_max", "4194304", 1024, 268435456,
          "Largest JSON body in bytes; beyond it: 413."),
    COUNT(http.idle_timeout_seconds, "http.idle_timeout_seconds", "60", 1, 3600,
          "Seconds a REST client may stay silent."),
    COUNT(http.connections_max, "http.connections_max", "1000", 1, 100000, "REST connections at a time."),
    COUNT(http.execute_wait_seconds, "http.execute_wait_seconds", "900", 1, 86400,
          "Seconds an execute request waits for its result; beyond it: 202 with the job id."),
    TEXT(wire.run_dir, "wire.run_dir", "./automation/run", "Folder (mode 0700) of the internal sockets."),
    TEXT(wire.requests, "wire.requests", "", "Endpoint of gateway requests; empty: `ipc://RUN_DIR/requests`."),
    TEXT(wire.feed, "wire.feed", "", "Endpoint of the feed to gateways; empty: `ipc://RUN_DIR/feed`."),
    TEXT(wire.work, "wire.work", "", "Endpoint of the workers; empty: `ipc://RUN_DIR/work`."),
    TEXT(wire.publish, "wire.publish", "tcp://127.0.0.1:5562",
         "Endpoint outside programs publish to (PUB); `off` for none."),
    TEXT(wire.publish_ack, "wire.publish_ack", "tcp://127.0.0.1:5563",
         "Endpoint outside programs publish to with acknowledgement (DEALER); `off` for none."),
    TEXT(wire.tap, "wire.tap", "tcp://127.0.0.1:5565", "Endpoint outside programs subscribe to (SUB); `off` for none."),
    TRUTH(wire.insecure, "wire.insecure", "false", "Allow TCP endpoints beyond loopback without encryption."),
    COUNT(wire.beat_ms, "wire.beat_ms", "1000", 10, 60000, "Milliseconds between the beats of a link."),
    COUNT(wire.link_window, "wire.link_window", "1024", 1, 1000000,
          "Batches a gateway may leave unacknowledged before it gets nothing more."),
    COUNT(wire.event_bytes_max, "wire.event_bytes_max", "65536", 1024, 16777216, "Largest event in bytes."),
    COUNT(broker.lease_ms, "broker.lease_ms", "10000", 100, 3600000,
          "Milliseconds a worker may be silent before its jobs go elsewhere."),
    COUNT(broker.attempts_max, "broker.attempts_max", "3", 1, 100,
          "Attempts a job gets when workers are lost or steps killed."),
    COUNT(broker.queue_jobs_max, "broker.queue_jobs_max", "100000", 1, 10000000,
          "Unfinished jobs over all chats; beyond it: 503."),
    COUNT(broker.chat_events_kept, "broker.chat_events_kept", "256", 1, 100000,
          "Recent events per chat kept in memory for replay."),
    COUNT(broker.rooms_max, "broker.rooms_max", "10000", 1, 1000000, "Chats without a conversation that are kept."),
    COUNT(broker.room_days, "broker.room_days", "7", 0, 36500,
          "Days after its newest event in which a chat without a conversation, and with nobody attached, is forgotten; "
          "0 for never."),
    COUNT(broker.batch_inputs_max, "broker.batch_inputs_max", "256", 1, 10000,
          "Inputs that share one transaction at most."),
    COUNT(broker.retention_days, "broker.retention_days", "0", 0, 36500,
          "Days after which the events of a chat without an unfinished job are forgotten; 0 for never."),
    COUNT(broker.retention_events_max, "broker.retention_events_max", "0", 0, 1000000000,
          "Newest events kept of each chat without an unfinished job; 0 for all."),
    COUNT(workflow.slots, "workflow.slots", "2", 1, 256, "Jobs a worker runs at a time."),
    COUNT(workflow.step_memory_mb, "workflow.step_memory_mb", "1024", 32, 1048576, "Memory of one step in MiB."),
    COUNT(workflow.output_bytes_max_mb, "workflow.output_bytes_max_mb", "4096", 1, 1048576,
          "Largest file a step may write, in MiB."),
    COUNT(workflow.cpu_seconds, "workflow.cpu_seconds", "600", 1, 86400, "CPU seconds of one step."),
    CHOICE(workflow.sandbox, "workflow.sandbox", "full", "full|limits-only",
           "`full` needs seccomp; `limits-only` runs steps with resource limits alone."),
    COUNT(workflow.progress_interval_ms, "workflow.progress_interval_ms", "250", 10, 60000,
          "Milliseconds between progress events of a step."),
    COUNT(workflow.drain_seconds, "workflow.drain_seconds", "4", 0, 3600,
          "Seconds a worker that is told to stop gives its running jobs; what is not finished then goes on elsewhere."),
    TEXT(workflow.beat_file, "workflow.beat_file", "",
         "File a worker touches with every beat it sends to the broker, for health checks; empty for none."),
    {.path = NULL},
};

const char *const settings_ignored[] = {
    "app.description",
    "app.author",
    "app.environment",
    "app.debug",
    "api.version",
    "api.rate_limit",
    "api.timeout",
    "file.upload_folder",
    "file.output_folder",
    "file.allowed_extensions",
    "file.supported_encodings",
    "excel.info_sheet_name",
    "excel.auto_adjust_columns",
    "sql",
    "normalization.generate_report",
    "logging.format",
    "chat_workflows.partition",
    "chat_workflows.file",
    "chat_workflows.dump.compression",
    "chat_workflows.dump.include_metadata",
    "chat_workflows.dump.include_logs",
    "chat_workflows.execution.stream_progress",
    NULL,
};

const struct setting_key *settings_find(const char *path)
{
    for (const struct setting_key *key = settings_keys; key->path; key++)
        if (strcmp(key->path, path) == 0)
            return key;
    return NULL;
}

const char *settings_text(const struct settings *self, const struct setting_key *key, char scratch[16])
{
    const char *field = (const char *)self + key->offset;
    const char *text;
    uint32_t count;
    uint16_t port;
    bool truth;
    switch (key->type) {
    case SETTING_TEXT: memcpy(&text, field, sizeof text); return text;
    case SETTING_TRUTH: memcpy(&truth, field, sizeof truth); return truth ? "true" : "false";
    case SETTING_PORT:
        memcpy(&port, field, sizeof port);
        snprintf(scratch, 16, "%u", port);
        return scratch;
    case SETTING_COUNT:
        memcpy(&count, field, sizeof count);
        snprintf(scratch, 16, "%u", count);
        return scratch;
    }
    return "";
}

enum err settings_endpoint(const struct settings *self, const char *setting, const char *name, char *out, size_t size)
{
    int len =
        setting[0] ? snprintf(out, size, "%s", setting) : snprintf(out, size, "ipc://%s/%s", self->wire.run_dir, name);
    return len > 0 && (size_t)len < size ? ERR_OK : ERR_TOO_LARGE;
}
