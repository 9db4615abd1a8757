// SPDX-License-Identifier: LGPL-2.1-or-later
// Example of an application that embeds jkvm: serves a page on which browsers on this machine
// listen to the received audio, WHEP for other clients that listen, and WHIP for one that speaks.
//
//     jkvm-browser [--port PORT] [--microphone SOCKET-PATH] SOCKET-PATH
//     jkvm-browser [--port PORT] [--microphone SOCKET-PATH] --source LAUNCH-LINE
#include "audio_output.h"
#include "launch_line.h"
#include "microphone.h"
#include "web_server.h"

#include <glib-unix.h>

#include <csignal>
#include <string>

namespace jkvm::browser {
namespace {

constexpr int default_port = 8089;
constexpr int exit_usage = 2;

struct Options {
    int port = default_port;
    std::string source;
    std::string microphone; ///< path of the socket; empty: none
};

/// Returns the command line's options, or nothing after a message on standard error.
std::optional<Options> parse_options(int argc, char **argv)
{
    Options options;
    gchar *source = nullptr;
    gchar *microphone = nullptr;
    gchar **paths = nullptr;
    const GOptionEntry entries[] = {
        {"port", 'p', 0, G_OPTION_ARG_INT, &options.port, "TCP port on 127.0.0.1; 0 = any", "PORT"},
        {"source", 's', 0, G_OPTION_ARG_STRING, &source,
         "elements that provide Opus packets, instead of a socket", "LAUNCH-LINE"},
        {"microphone", 'm', 0, G_OPTION_ARG_FILENAME, &microphone,
         "socket for the audio of a client that speaks", "SOCKET-PATH"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &paths, nullptr, "SOCKET-PATH"},
        {},
    };
    auto *context = g_option_context_new("- play the audio of a KVM in a browser");
    g_option_context_add_main_entries(context, entries, nullptr);
    g_option_context_add_group(context, gst_init_get_option_group());
    GError *error = nullptr;
    const bool is_parsed = g_option_context_parse(context, &argc, &argv, &error) != FALSE;
    g_option_context_free(context);
    const ErrorPtr owned_error(error);
    const Text owned_source(source);
    const Text owned_microphone(microphone);
    const std::unique_ptr<gchar *, decltype(&g_strfreev)> owned_paths(paths, &g_strfreev);
    if (!is_parsed) {
        g_printerr("%s\n", error->message);
        return std::nullopt;
    }
    const guint path_count = paths != nullptr ? g_strv_length(paths) : 0;
    constexpr int max_port = 65535;
    if (path_count + (source != nullptr ? 1 : 0) != 1 || options.port < 0 ||
        options.port > max_port) {
        g_printerr("usage: jkvm-browser [--port PORT] [--microphone SOCKET-PATH] SOCKET-PATH; "
                   "--help lists the "
                   "options.\n");
        return std::nullopt;
    }
    if (microphone != nullptr)
        options.microphone = microphone;
    if (source != nullptr)
        options.source = source;
    else
        options.source =
            "jkvmipcsrc timestamp-mode=capture-even socket-path=" + quote_for_gst(paths[0]);
    return options;
}

int run(const Options &options)
{
    const std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)> loop(
        g_main_loop_new(nullptr, FALSE), &g_main_loop_unref);
    int status = EXIT_SUCCESS;
    const auto fail = [&] {
        status = EXIT_FAILURE;
        g_main_loop_quit(loop.get());
    };
    const auto output = AudioOutput::start(options.source, fail);
    if (!output)
        return EXIT_FAILURE;
    std::unique_ptr<Microphone> microphone;
    if (!options.microphone.empty()) {
        microphone = Microphone::start(options.microphone, fail);
        if (!microphone)
            return EXIT_FAILURE;
    }
    warm_up_webrtc();
    const auto server =
        WebServer::listen(static_cast<unsigned>(options.port), *output, microphone.get());
    if (!server)
        return EXIT_FAILURE;
    const auto quit = [](gpointer data) -> gboolean {
        g_main_loop_quit(static_cast<GMainLoop *>(data));
        return G_SOURCE_CONTINUE;
    };
    g_unix_signal_add(SIGINT, quit, loop.get());
    g_unix_signal_add(SIGTERM, quit, loop.get());
    g_print("Listening on http://127.0.0.1:%u/\n", server->port());
    g_main_loop_run(loop.get());
    return status;
}

/// Returns whether all elements exist. Prints the Debian package of a missing one.
bool check_elements()
{
    struct Requirement {
        const char *element;
        const char *package;
    };
    for (const auto &[element, package] :
         {Requirement{"jkvmipcsrc", "jkvm's plugins, in GST_PLUGIN_PATH"},
          Requirement{"webrtcbin", "gstreamer1.0-plugins-bad"},
          Requirement{"nicesink", "gstreamer1.0-nice"},
          Requirement{"rtpopuspay", "gstreamer1.0-plugins-good"}}) {
        auto *factory = gst_element_factory_find(element);
        if (factory == nullptr) {
            g_printerr("The element %s is missing: install %s.\n", element, package);
            return false;
        }
        gst_object_unref(factory);
    }
    return true;
}

} // namespace
} // namespace jkvm::browser

int main(int argc, char **argv)
{
    using namespace jkvm::browser;
    const auto options = parse_options(argc, argv);
    if (!options)
        return exit_usage;
    return check_elements() ? run(*options) : EXIT_FAILURE;
}
