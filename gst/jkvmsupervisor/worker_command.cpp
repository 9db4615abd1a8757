// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker_command.h"

#include <glib.h>

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

/// Returns the directory of the file that contains this function: the plugin or, if it is linked
/// statically, the program.
std::string own_directory()
{
    Dl_info info{};
    if (::dladdr(reinterpret_cast<const void *>(&own_directory), &info) == 0 ||
        info.dli_fname == nullptr)
        return ".";
    gchar *directory = g_path_get_dirname(info.dli_fname);
    std::string copy = directory;
    g_free(directory);
    return copy;
}

/// Returns GST_TRACERS without jkvmmetrics, whose port is in use by this process.
std::string without_metrics(const char *tracers)
{
    std::string rest;
    gchar **each = g_strsplit(tracers, ";", -1);
    for (gchar **tracer = each; *tracer != nullptr; ++tracer) {
        if (!g_str_has_prefix(g_strstrip(*tracer), "jkvmmetrics"))
            rest += (rest.empty() ? "" : ";") + std::string(*tracer);
    }
    g_strfreev(each);
    return rest;
}

/// Returns this process's environment without the variables that would be wrong in a worker.
std::vector<std::string> make_environment()
{
    gchar **environment = g_get_environ();
    // This process has just updated the registry; the worker does not need to check every plugin
    // file again.
    environment = g_environ_setenv(environment, "GST_REGISTRY_UPDATE", "no", FALSE);
    // Only this process reports to its service manager.
    for (const char *name : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})
        environment = g_environ_unsetenv(environment, name);
    // Each worker would truncate this process's log. Without a file it logs to its error output.
    const char *log = g_environ_getenv(environment, "GST_DEBUG_FILE");
    if (log != nullptr && g_strstr_len(log, -1, "%p") == nullptr)
        environment = g_environ_unsetenv(environment, "GST_DEBUG_FILE");
    if (const char *tracers = g_environ_getenv(environment, "GST_TRACERS"))
        environment =
            g_environ_setenv(environment, "GST_TRACERS", without_metrics(tracers).c_str(), TRUE);
    std::vector<std::string> result(environment, environment + g_strv_length(environment));
    g_strfreev(environment);
    return result;
}

/// Half of the hang time-out has to be longer than the time between two heartbeats. It is up to
/// twice the minimum, because a sign of life just before the minimum is not sent.
nanoseconds heartbeat_interval(nanoseconds hang_timeout)
{
    constexpr nanoseconds usual = 100ms;
    return hang_timeout > 0ns ? std::clamp<nanoseconds>(hang_timeout / 4, 1ms, usual) : usual;
}

} // namespace

std::string worker_program()
{
    const char *path = ::secure_getenv("JKVM_WORKER");
    if (path != nullptr && *path != '\0')
        return path;
    const auto beside = own_directory() + "/jkvm-worker";
    const bool is_installed = ::access(JKVM_WORKER_PATH, X_OK) == 0;
    return !is_installed && ::access(beside.c_str(), X_OK) == 0 ? beside : JKVM_WORKER_PATH;
}

ChildCommand make_worker_command(const char *side, const std::string &socket,
                                 const std::string &launch, nanoseconds hang_timeout)
{
    return {{worker_program(), std::string("--") + side + "=" + socket,
             "--heartbeat-fd=" + std::to_string(ChildProcess::heartbeat_fd),
             "--heartbeat-interval=" + std::to_string(heartbeat_interval(hang_timeout) / 1ms),
             "--control-fd=" + std::to_string(ChildProcess::control_fd),
             "--parent=" + std::to_string(::getpid()), "--", launch},
            make_environment()};
}

} // namespace jkvm
