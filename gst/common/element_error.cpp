// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/element_error.h"

namespace jkvm {

namespace {

struct Row {
    GQuark domain;
    int code;
    const char *before; // the sentence around the offending value
    const char *after;
};

Row row(ErrorKind kind)
{
    const GQuark core = GST_CORE_ERROR;
    const GQuark library = GST_LIBRARY_ERROR;
    const GQuark resource = GST_RESOURCE_ERROR;
    const GQuark stream = GST_STREAM_ERROR;
    switch (kind) {
    case ErrorKind::device_missing:
        return {resource, GST_RESOURCE_ERROR_NOT_FOUND, "There is no sound device ", "."};
    case ErrorKind::device_busy:
        return {resource, GST_RESOURCE_ERROR_BUSY, "Another program uses the sound device ", "."};
    case ErrorKind::device_forbidden:
        return {resource, GST_RESOURCE_ERROR_NOT_AUTHORIZED,
                "No permission to open the sound device ", "."};
    case ErrorKind::device_unsupported:
        return {resource, GST_RESOURCE_ERROR_SETTINGS, "The sound device ",
                " cannot capture in the format needed."};
    case ErrorKind::device_lost:
        return {resource, GST_RESOURCE_ERROR_READ, "The sound device ", " is lost."};
    case ErrorKind::path_busy:
        return {resource, GST_RESOURCE_ERROR_BUSY, "Another server holds the socket path ", "."};
    case ErrorKind::path_unusable:
        return {resource, GST_RESOURCE_ERROR_OPEN_READ_WRITE, "Cannot use the socket path ", "."};
    case ErrorKind::peer_unreachable:
        return {resource, GST_RESOURCE_ERROR_OPEN_READ, "Cannot connect to ", "."};
    case ErrorKind::peer_gone:
        return {resource, GST_RESOURCE_ERROR_READ, "The connection to ", " ended."};
    case ErrorKind::protocol_violation:
        return {stream, GST_STREAM_ERROR_WRONG_TYPE, "What comes from ",
                " is not the JetKVM audio protocol."};
    case ErrorKind::encoder_setup:
        return {library, GST_LIBRARY_ERROR_INIT, "The Opus encoder cannot be set up: ", "."};
    case ErrorKind::encode_failed:
        return {stream, GST_STREAM_ERROR_ENCODE, "The Opus encoder failed: ", "."};
    case ErrorKind::child_failed:
        return {resource, GST_RESOURCE_ERROR_FAILED, "The worker process failed too often; it ",
                "."};
    case ErrorKind::launch_invalid:
        return {resource, GST_RESOURCE_ERROR_SETTINGS, "The launch line cannot be run: ", "."};
    case ErrorKind::settings_conflict:
        return {library, GST_LIBRARY_ERROR_SETTINGS, "Settings contradict each other: ", "."};
    case ErrorKind::out_of_resources:
        return {core, GST_CORE_ERROR_THREAD, "No thread, memory or descriptor left for ", "."};
    }
    return {core, GST_CORE_ERROR_FAILED, "", ""};
}

void post(GstElement *element, GstMessageType type, const Error &error)
{
    auto [domain, code, text] = element_error_code(error);
    // Takes over both strings.
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
