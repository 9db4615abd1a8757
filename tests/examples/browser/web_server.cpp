// SPDX-License-Identifier: LGPL-2.1-or-later
#include "web_server.h"

#include "page.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace jkvm::browser {

namespace {

constexpr const char *output_endpoint = "/whep";
constexpr const char *microphone_endpoint = "/whip";
// Not below the others, because libsoup refuses all other requests for a path with a WebSocket
// handler.
constexpr const char *liveness_endpoint = "/alive";
constexpr const char *sdp_type = "application/sdp";

std::optional<std::string_view> header(SoupServerMessage *request, const char *name)
{
    const char *value =
        soup_message_headers_get_one(soup_server_message_get_request_headers(request), name);
    return value != nullptr ? std::optional<std::string_view>(value) : std::nullopt;
}

bool is_method(SoupServerMessage *request, const char *method)
{
    return std::strcmp(soup_server_message_get_method(request), method) == 0;
}

void respond(SoupServerMessage *request, guint status, const char *type = nullptr,
             std::string_view body = {})
{
    soup_server_message_set_status(request, status, nullptr);
    if (type != nullptr)
        soup_server_message_set_response(request, type, SOUP_MEMORY_COPY, body.data(), body.size());
}

void refuse_method(SoupServerMessage *request, const char *allowed)
{
    auto *headers = soup_server_message_get_response_headers(request);
    soup_message_headers_replace(headers, "Allow", allowed);
    respond(request, is_method(request, SOUP_METHOD_OPTIONS) ? SOUP_STATUS_NO_CONTENT
                                                             : SOUP_STATUS_METHOD_NOT_ALLOWED);
}

/// Returns the last component of the path if it is a number.
std::optional<std::uint64_t> id_in(std::string_view path)
{
    path.remove_prefix(path.rfind('/') + 1);
    std::uint64_t id = 0;
    const auto parsed = std::from_chars(path.begin(), path.end(), id);
    const bool is_number = parsed.ec == std::errc() && parsed.ptr == path.end();
    return is_number ? std::optional(id) : std::nullopt;
}

} // namespace

std::unique_ptr<WebServer> WebServer::listen(unsigned port, PeerHost &output, PeerHost *microphone)
{
    ObjectRef<SoupServer> server(soup_server_new("server-header", "jkvm ", nullptr));
    GError *error = nullptr;
    if (!soup_server_listen_local(server.get(), port, SOUP_SERVER_LISTEN_IPV4_ONLY, &error)) {
        const ErrorPtr owned(error);
        g_printerr("Could not listen on port %u: %s\n", port, error->message);
        return nullptr;
    }
    GSList *addresses = soup_server_get_uris(server.get());
    const auto actual = static_cast<unsigned>(g_uri_get_port(static_cast<GUri *>(addresses->data)));
    g_slist_free_full(addresses, [](gpointer uri) { g_uri_unref(static_cast<GUri *>(uri)); });
    std::map<std::string, PeerHost *> hosts{{output_endpoint, &output}};
    if (microphone != nullptr)
        hosts.emplace(microphone_endpoint, microphone);
    return std::unique_ptr<WebServer>(new WebServer(server.release(), actual, std::move(hosts)));
}

WebServer::WebServer(SoupServer *server, unsigned port, std::map<std::string, PeerHost *> hosts)
    : server_(server), port_(port), guard_(port), hosts_(std::move(hosts))
{
    add_handlers();
}

WebServer::~WebServer()
{
    soup_server_disconnect(server_.get());
    for (const auto &[id, session] : sessions_)
        session.host->remove(*session.peer);
}

void WebServer::add_handlers()
{
    const auto early = [](SoupServer *, SoupServerMessage *request, const char *, GHashTable *,
                          gpointer self) { static_cast<WebServer *>(self)->check(request); };
    for (const char *path : {"/", output_endpoint, microphone_endpoint, liveness_endpoint})
        soup_server_add_early_handler(server_.get(), path, early, this, nullptr);
    soup_server_add_handler(
        server_.get(), "/",
        [](SoupServer *, SoupServerMessage *request, const char *path, GHashTable *,
           gpointer self) {
            if (std::strcmp(path, "/") == 0)
                static_cast<WebServer *>(self)->serve_page(request);
            else
                respond(request, SOUP_STATUS_NOT_FOUND);
        },
        this, nullptr);
    for (const auto &[endpoint, host] : hosts_)
        soup_server_add_handler(
            server_.get(), endpoint.c_str(),
            [](SoupServer *, SoupServerMessage *request, const char *path, GHashTable *,
               gpointer self) { static_cast<WebServer *>(self)->serve_sessions(request, path); },
            this, nullptr);
    soup_server_add_websocket_handler(
        server_.get(), liveness_endpoint, nullptr, nullptr,
        [](SoupServer *, SoupServerMessage *, const char *path, SoupWebsocketConnection *socket,
           gpointer self) { static_cast<WebServer *>(self)->on_socket(socket, path); },
        this, nullptr);
}

/// Refuses a request before its body is read.
void WebServer::check(SoupServerMessage *request) const
{
    const auto refuse = [request](guint status) {
        // libsoup reads the body nevertheless.
        soup_message_body_set_accumulate(soup_server_message_get_request_body(request), FALSE);
        respond(request, status);
    };
    if (!guard_.is_allowed(header(request, "Host"), header(request, "Origin")))
        return refuse(SOUP_STATUS_FORBIDDEN);
    auto *headers = soup_server_message_get_request_headers(request);
    // Without a length, the body could be endless.
    const bool is_chunked = soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CHUNKED;
    if (is_chunked || soup_message_headers_get_content_length(headers) > max_offer_size)
        refuse(SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE);
}

void WebServer::serve_page(SoupServerMessage *request) const
{
    if (!is_method(request, SOUP_METHOD_GET) && !is_method(request, SOUP_METHOD_HEAD))
        return refuse_method(request, "GET, HEAD, OPTIONS");
    auto *headers = soup_server_message_get_response_headers(request);
    // No other site may frame the page and have its buttons clicked.
    const auto port = std::to_string(port_);
    const auto policy =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data:; connect-src 'self' ws://127.0.0.1:" +
        port + " ws://localhost:" + port + "; frame-ancestors 'none'";
    soup_message_headers_replace(headers, "Content-Security-Policy", policy.c_str());
    soup_message_headers_replace(headers, "Cache-Control", "no-store");
    respond(request, SOUP_STATUS_OK, "text/html; charset=utf-8", page);
}

void WebServer::serve_sessions(SoupServerMessage *request, const std::string &path)
{
    if (const auto host = hosts_.find(path); host != hosts_.end())
        return is_method(request, SOUP_METHOD_POST) ? on_offer(request, path, *host->second)
                                                    : refuse_method(request, "POST, OPTIONS");
    const auto session = find(path);
    if (session == sessions_.end())
        return respond(request, SOUP_STATUS_NOT_FOUND);
    if (!is_method(request, SOUP_METHOD_DELETE))
        return refuse_method(request, "DELETE, OPTIONS");
    remove(session->first);
    respond(request, SOUP_STATUS_OK);
}

void WebServer::on_offer(SoupServerMessage *request, const std::string &endpoint, PeerHost &host)
{
    const char *type = soup_message_headers_get_content_type(
        soup_server_message_get_request_headers(request), nullptr);
    if (g_strcmp0(type, sdp_type) != 0)
        return respond(request, SOUP_STATUS_UNSUPPORTED_MEDIA_TYPE);
    const auto peers = std::ranges::count_if(
        sessions_, [&host](const auto &session) { return session.second.host == &host; });
    if (static_cast<std::size_t>(peers) >= host.max_peers())
        return respond(request, host.max_peers() == 1 ? SOUP_STATUS_CONFLICT
                                                      : SOUP_STATUS_SERVICE_UNAVAILABLE);
    const auto *body = soup_server_message_get_request_body(request);
    auto offer =
        parse_offer({body->data, static_cast<std::size_t>(body->length)}, host.direction());
    if (!offer)
        return respond(request, SOUP_STATUS_BAD_REQUEST);
    auto peer = host.add(*offer);
    if (!peer)
        return respond(request, SOUP_STATUS_INTERNAL_SERVER_ERROR);
    const Id id = next_id_++;
    soup_server_message_pause(request);
    on_signal(request, "disconnected", [this, id] { on_client_left(id); });
    sessions_.emplace(
        id, Session{.host = &host, .peer = peer, .request = share(request), .socket = {}});
    peer->answer(
        std::move(offer->sdp),
        [this, address = endpoint + "/" + std::to_string(id)](const auto &sdp) {
            on_answer(address, sdp);
        },
        [this, id] { remove(id); });
}

/// The client disconnected before it received the answer.
void WebServer::on_client_left(Id id)
{
    const auto session = sessions_.find(id);
    if (session != sessions_.end() && session->second.request)
        remove(id);
}

void WebServer::on_answer(const std::string &address, const std::optional<std::string> &sdp)
{
    const auto session = find(address);
    if (session == sessions_.end())
        return;
    const auto request = std::exchange(session->second.request, nullptr);
    if (sdp) {
        soup_message_headers_replace(soup_server_message_get_response_headers(request.get()),
                                     "Location", address.c_str());
        respond(request.get(), SOUP_STATUS_CREATED, sdp_type, *sdp);
    } else {
        respond(request.get(), SOUP_STATUS_SERVICE_UNAVAILABLE); // the source provides no packets
        remove(session->first);
    }
    soup_server_message_unpause(request.get());
}

void WebServer::on_socket(SoupWebsocketConnection *socket, const std::string &path)
{
    const auto session = find(path);
    if (session == sessions_.end() || session->second.socket) {
        soup_websocket_connection_close(socket, SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION, nullptr);
        return;
    }
    session->second.socket = share(socket);
    on_signal(socket, "closed", [this, id = session->first] { remove(id); });
}

void WebServer::remove(Id id)
{
    const auto session = sessions_.find(id);
    if (session == sessions_.end())
        return;
    session->second.host->remove(*session->second.peer);
    sessions_.erase(session);
}

WebServer::Sessions::iterator WebServer::find(const std::string &path)
{
    const auto id = id_in(path);
    const auto session = id ? sessions_.find(*id) : sessions_.end();
    if (session == sessions_.end())
        return session;
    const auto folder = path.substr(0, path.rfind('/'));
    const auto host = hosts_.find(folder);
    const bool is_own = host != hosts_.end() && host->second == session->second.host;
    return is_own || folder == liveness_endpoint ? session : sessions_.end();
}

} // namespace jkvm::browser
