// SPDX-License-Identifier: LGPL-2.1-or-later
#include "chromium.h"

#include "webrtc_client.h"

#include "core/base/time.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>
#include <json-glib/json-glib.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace jkvm::testing {

namespace {

using namespace std::chrono_literals;

struct FreeNode {
    void operator()(JsonNode *node) const { json_node_unref(node); }
};
using NodePtr = std::unique_ptr<JsonNode, FreeNode>;

NodePtr parse(const std::string &json)
{
    return NodePtr(json_from_string(json.c_str(), nullptr));
}

/// Returns the value at the path, such as "result.value"; null if there is none. Borrowed.
JsonNode *find(const NodePtr &root, const std::string &path)
{
    auto *node = root.get();
    std::istringstream names(path);
    for (std::string name; node != nullptr && std::getline(names, name, '.');)
        node = JSON_NODE_HOLDS_OBJECT(node) != FALSE
                   ? json_object_get_member(json_node_get_object(node), name.c_str())
                   : nullptr;
    return node;
}

/// Returns a string as it is, and other values as JSON.
std::string text_of(JsonNode *node)
{
    if (node == nullptr)
        return "undefined";
    if (json_node_get_value_type(node) == G_TYPE_STRING)
        return json_node_get_string(node);
    gchar *json = json_to_string(node, FALSE);
    std::string text(json);
    g_free(json);
    return text;
}

std::string quote_for_json(const std::string &text)
{
    const NodePtr node(json_node_init_string(json_node_alloc(), text.c_str()));
    gchar *json = json_to_string(node.get(), FALSE);
    std::string quoted(json);
    g_free(json);
    return quoted;
}

/// Runs the main loop until the condition is true. Returns false after `wait_timeout`.
template <typename Condition>
bool run_until(const Condition &condition)
{
    bool is_over = false;
    const auto id = g_timeout_add(
        static_cast<guint>(std::chrono::milliseconds(wait_timeout).count()),
        [](gpointer flag) -> gboolean {
            *static_cast<bool *>(flag) = true;
            return G_SOURCE_CONTINUE;
        },
        &is_over);
    while (!condition() && !is_over)
        g_main_context_iteration(nullptr, TRUE);
    g_source_remove(id);
    return condition();
}

std::vector<std::string> chromium_command(const TemporaryDirectory &directory,
                                          const std::string &microphone)
{
    std::vector<std::string> command{
        // Files that it leaves behind disappear with the test.
        "env", "TMPDIR=" + directory.path().string(), "chromium", "--headless", "--no-sandbox",
        "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-extensions", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
        // On a machine whose only interface is the loopback one.
        "--allow-loopback-in-peer-connection", "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream", "--remote-debugging-port=0",
        "--user-data-dir=" + directory.file("profile")};
    if (!microphone.empty())
        command.push_back("--use-file-for-fake-audio-capture=" + microphone);
    return command;
}

} // namespace

ChromiumPage::ChromiumPage(const std::string &url) : session_(soup_session_new())
{
    const GObjectPtr<SoupMessage> message(soup_message_new(SOUP_METHOD_GET, url.c_str()));
    soup_session_websocket_connect_async(
        session_.get(), message.get(), nullptr, nullptr, G_PRIORITY_DEFAULT, nullptr,
        [](GObject *session, GAsyncResult *result, gpointer self) {
            static_cast<ChromiumPage *>(self)->socket_.reset(
                soup_session_websocket_connect_finish(SOUP_SESSION(session), result, nullptr));
        },
        this);
    if (!run_until([this] { return socket_ != nullptr; }))
        throw std::runtime_error("no connection to the browser at " + url);
    soup_websocket_connection_set_max_incoming_payload_size(socket_.get(), 0); // for pictures
    g_signal_connect(socket_.get(), "message",
                     G_CALLBACK(+[](SoupWebsocketConnection *, int, GBytes *bytes, gpointer self) {
                         gsize size = 0;
                         const auto *data =
                             static_cast<const char *>(g_bytes_get_data(bytes, &size));
                         static_cast<ChromiumPage *>(self)->received_.assign(data, size);
                     }),
                     this);
}

ChromiumPage::~ChromiumPage() = default;

std::string ChromiumPage::call(const std::string &method, const std::string &parameters)
{
    const auto id = std::to_string(++calls_);
    const auto request =
        R"({"id":)" + id + R"(,"method":")" + method + R"(","params":)" + parameters + "}";
    received_.clear();
    soup_websocket_connection_send_text(socket_.get(), request.c_str());
    const auto is_answered = [&] {
        return !received_.empty() && text_of(find(parse(received_), "id")) == id;
    };
    EXPECT_TRUE(run_until(is_answered)) << method << " is not answered";
    return received_;
}

std::string ChromiumPage::evaluate(const std::string &script)
{
    const auto reply = parse(
        call("Runtime.evaluate", R"({"returnByValue":true,"awaitPromise":true,"userGesture":true,)"
                                 R"("expression":)" +
                                     quote_for_json(script) + "}"));
    EXPECT_EQ(find(reply, "result.exceptionDetails"), nullptr)
        << script << ": " << text_of(find(reply, "result.exceptionDetails"));
    return text_of(find(reply, "result.result.value"));
}

void ChromiumPage::expect(const std::string &script, const std::string &text)
{
    std::string value;
    const auto give_up = monotonic_now() + wait_timeout;
    do
        value = evaluate(script);
    while (value != text && monotonic_now() < give_up);
    EXPECT_EQ(value, text) << script;
}

void ChromiumPage::save_picture(const std::string &path)
{
    const auto reply = parse(call("Page.captureScreenshot", "{}"));
    gsize size = 0;
    guchar *data = g_base64_decode(text_of(find(reply, "result.data")).c_str(), &size);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char *>(data), static_cast<std::streamsize>(size));
    g_free(data);
}

Chromium::Chromium(const std::string &microphone)
    : program_(chromium_command(directory_, microphone))
{}

std::unique_ptr<ChromiumPage> Chromium::open(const std::string &url)
{
    const std::string text = "DevTools listening on ws://127.0.0.1:";
    EXPECT_TRUE(program_.wait_for_output(text)) << program_.output();
    const auto port =
        std::stoi(program_.output().substr(program_.output().find(text) + text.size()));
    const auto tab = parse(request(port, "PUT", "/json/new?" + url).body);
    if (!tab)
        throw std::runtime_error("the browser opens no tab");
    auto page = std::make_unique<ChromiumPage>(text_of(find(tab, "webSocketDebuggerUrl")));
    page->expect("location.protocol + document.readyState", "http:complete");
    return page;
}

} // namespace jkvm::testing
