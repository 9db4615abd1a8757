// SPDX-License-Identifier: LGPL-2.1-or-later
// Controls headless Chromium by the DevTools protocol.
#pragma once

#include "support/program.h"
#include "support/temporary_directory.h"

#include <libsoup/soup.h>

#include <memory>
#include <string>
#include <vector>

namespace jkvm::testing {

struct UnrefGObject {
    void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using GObjectPtr = std::unique_ptr<T, UnrefGObject>;

/// A page in a tab. Main thread only.
class ChromiumPage {
public:
    /// `url`: of the tab's DevTools WebSocket.
    explicit ChromiumPage(const std::string &url);
    ChromiumPage(const ChromiumPage &) = delete;
    ChromiumPage &operator=(const ChromiumPage &) = delete;
    ~ChromiumPage();

    /// Evaluates JavaScript as if the user had caused it, and waits for a promise. Returns the
    /// value as text; "undefined" for none. Fails the test if the script throws.
    std::string evaluate(const std::string &script);
    double evaluate_number(const std::string &script) { return std::stod(evaluate(script)); }
    /// Waits until the script's value is `text`. Fails the test after `wait_timeout`.
    void expect(const std::string &script, const std::string &text);
    /// Writes a picture of the page.
    void save_picture(const std::string &path);

private:
    /// Returns the JSON text of the reply.
    std::string call(const std::string &method, const std::string &parameters);

    GObjectPtr<SoupSession> session_;
    GObjectPtr<SoupWebsocketConnection> socket_;
    std::string received_; // the last message
    int calls_ = 0;
};

/// A browser process without a window, sound device or permission prompts.
class Chromium {
public:
    /// `microphone`: a WAV file (48 kHz, 16 bits, mono) that it captures; empty: beeps.
    explicit Chromium(const std::string &microphone = {});

    /// Opens a tab and waits until the page was loaded.
    std::unique_ptr<ChromiumPage> open(const std::string &url);

private:
    TemporaryDirectory directory_;
    Program program_;
};

} // namespace jkvm::testing
