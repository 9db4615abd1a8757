// SPDX-License-Identifier: LGPL-2.1-or-later
// Sets arbitrary text as a jkvm:// URI. The element rejects it and keeps its properties, or accepts
// it and returns an equivalent URI.
//
// The first byte of the input selects the element, and whether the text follows "jkvm:" or is a
// socket path, which must survive the conversion to a URI and back.
#include "check.h"
#include "common/gst_ref.h"

#include <algorithm>
#include <string>

extern "C" {
GST_PLUGIN_STATIC_DECLARE(jkvmipc);
}

namespace jkvm::fuzz {

namespace {

std::string take_text(gchar *text)
{
    std::string copy = text != nullptr ? text : "";
    g_free(text);
    return copy;
}

class UriElement {
public:
    explicit UriElement(const char *factory)
        : element_(GstRef<GstElement>::adopt(
              GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(factory, nullptr)))))
    {}

    /// Sets the URI. Returns whether the element accepted it.
    bool set(const std::string &uri)
    {
        GError *error = nullptr;
        const bool is_taken = gst_uri_handler_set_uri(handler(), uri.c_str(), &error) != FALSE;
        check(is_taken == (error == nullptr), "an error is set if and only if the URI is rejected");
        check(is_taken || error->domain == GST_URI_ERROR,
              "the error is in the domain GST_URI_ERROR");
        g_clear_error(&error);
        return is_taken;
    }
    [[nodiscard]] std::string uri() const { return take_text(gst_uri_handler_get_uri(handler())); }
    void set_path(const std::string &path)
    {
        g_object_set(element_.get(), "socket-path", path.c_str(), nullptr);
    }
    [[nodiscard]] std::string path() const
    {
        gchar *path = nullptr;
        g_object_get(element_.get(), "socket-path", &path, nullptr);
        return take_text(path);
    }

private:
    [[nodiscard]] GstURIHandler *handler() const { return GST_URI_HANDLER(element_.get()); }

    GstRef<GstElement> element_;
};

/// Initializes GStreamer with this project's statically linked plugin and no others.
void initialize()
{
    g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
    gst_init(nullptr, nullptr);
    // GLib aborts with a signal that libFuzzer does not handle.
    g_log_set_default_handler(
        [](const gchar *, GLogLevelFlags level, const gchar *message, gpointer) {
            check((level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) == 0, message);
        },
        nullptr);
    GST_PLUGIN_STATIC_REGISTER(jkvmipc);
}

void check_round_trip(const char *factory, const UriElement &element)
{
    UriElement again(factory);
    check(again.set(element.uri()), "an element accepts the URI that it returns");
    check(again.uri() == element.uri(), "the URI preserves all properties");
    check(again.path() == element.path(), "the URI preserves the path");
}

void run_uri(const char *factory, const std::string &uri)
{
    // GStreamer does not pass invalid URIs on to an element.
    if (gst_uri_is_valid(uri.c_str()) == FALSE)
        return;
    UriElement element(factory);
    const auto before = element.uri();
    if (element.set(uri))
        check_round_trip(factory, element);
    else
        check(element.uri() == before, "a rejected URI changes no property");
}

void run_path(const char *factory, const std::string &path)
{
    UriElement element(factory);
    element.set_path(path);
    // "/" cannot be a socket; a URI with this path means the default path.
    if (path != "/")
        check_round_trip(factory, element);
}

void run(unsigned settings, std::string text)
{
    text.resize(std::min(text.size(), text.find('\0'))); // URI and path are C strings
    const auto *factory = (settings & 1) == 0 ? "jkvmipcsink" : "jkvmipcsrc";
    if ((settings & 2) == 0)
        run_uri(factory, "jkvm:" + text);
    else
        run_path(factory, text);
}

} // namespace

} // namespace jkvm::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    static const bool is_initialized = (jkvm::fuzz::initialize(), true);
    if (is_initialized && size > 0)
        jkvm::fuzz::run(data[0], std::string(data + 1, data + size));
    return 0;
}
