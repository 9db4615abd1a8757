// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/element_error.h"

namespace jkvm {

namespace {

struct Row {
    GQuark domain;
    int code;
    const char *before; // the sentence for the user, up to the offending value
    const char *after;  // the rest of the sentence
};

Row row(ErrorKind kind)
{
    const GQuark core = GST_CORE_ERROR;
    const GQuark library = GST_LIBRARY_ERROR;
    const GQuark resource = GST_RESOURCE_ERROR;
    const GQuark stream = GST_STREAM_ERROR;
    switch (kind) {
    case ErrorKind::device_missing:
        return {resource, GST_RESOURCE_ERROR_NOT_FOUND, "Could not open audio device ",
                ": no such device."};
    case ErrorKind::device_busy:
        return {resource, GST_RESOURCE_ERROR_BUSY, "Could not open audio device ",
                ": it is in use by another program."};
    case ErrorKind::device_forbidden:
        return {resource, GST_RESOURCE_ERROR_NOT_AUTHORIZED, "Could not open audio device ",
                ": permission denied."};
    case ErrorKind::device_unsupported:
        return {resource, GST_RESOURCE_ERROR_SETTINGS, "Audio device ",
                " does not support the required format."};
    case ErrorKind::device_lost:
        return {resource, GST_RESOURCE_ERROR_READ, "Audio device ", " was lost."};
    case ErrorKind::path_busy:
        return {resource, GST_RESOURCE_ERROR_BUSY, "Could not listen on socket path ",
                ": another server is using it."};
    case ErrorKind::path_unusable:
        return {resource, GST_RESOURCE_ERROR_OPEN_READ_WRITE, "Could not use socket path ", "."};
    case ErrorKind::peer_unreachable:
        return {resource, GST_RESOURCE_ERROR_OPEN_READ, "Could not connect to ", "."};
    case ErrorKind::peer_gone:
        return {resource, GST_RESOURCE_ERROR_READ, "The connection to ", " was closed."};
    case ErrorKind::protocol_violation:
        return {stream, GST_STREAM_ERROR_WRONG_TYPE, "The peer at ",
                " does not speak the JetKVM audio protocol."};
    case ErrorKind::encoder_setup:
        return {library, GST_LIBRARY_ERROR_INIT, "Could not set up the Opus encoder: ", "."};
    case ErrorKind::encode_failed:
        return {stream, GST_STREAM_ERROR_ENCODE, "The Opus encoder failed: ", "."};
    case ErrorKind::child_failed:
        return {resource, GST_RESOURCE_ERROR_FAILED, "The worker process failed too often; it ",
                "."};
    case ErrorKind::child_unstartable:
        return {resource, GST_RESOURCE_ERROR_NOT_FOUND, "Could not start the worker program ",
                "; check the installation or the environment variable JKVM_WORKER."};
    case ErrorKind::child_incompatible:
        return {resource, GST_RESOURCE_ERROR_FAILED, "The worker program ",
                " reports nothing that can be understood; its messages are ignored until it is "
                "restarted."};
    case ErrorKind::launch_invalid:
        return {resource, GST_RESOURCE_ERROR_SETTINGS, "Could not run the launch line: ", "."};
    case ErrorKind::request_invalid:
        return {library, GST_LIBRARY_ERROR_SETTINGS, "Refused an encoder request: ", "."};
    case ErrorKind::request_unsupported:
        return {library, GST_LIBRARY_ERROR_SETTINGS, "The sender cannot receive the request for ",
                "."};
    case ErrorKind::settings_conflict:
        return {library, GST_LIBRARY_ERROR_SETTINGS, "Settings contradict each other: ", "."};
    case ErrorKind::out_of_resources:
        return {core, GST_CORE_ERROR_THREAD, "No thread, memory or descriptor available for ", "."};
    }
    return {core, GST_CORE_ERROR_FAILED, "", ""};
}

void post(GstElement *element, GstMessageType type, const Error &error)
{
    auto [domain, code, text] = element_error_code(error);
    // Transfers both strings.
    gst_element_message_full(element, type, domain, code, g_strdup(text.c_str()),
                             g_strdup(error.detail.c_str()), __FILE__, "post", __LINE__);
}

} // namespace

ElementErrorCode element_error_code(const Error &error)
{
    const auto [domain, code, before, after] = row(error.kind);
    return {domain, code, before + ("\"" + error.subject + "\"") + after};
}

void post_error(GstElement *element, const Error &error)
{
    post(element, GST_MESSAGE_ERROR, error);
}

void post_warning(GstElement *element, const Error &error)
{
    post(element, GST_MESSAGE_WARNING, error);
}

} // namespace jkvm
