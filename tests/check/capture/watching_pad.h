// SPDX-License-Identifier: LGPL-2.1-or-later
// A sink pad that records what a source's streaming thread allocates for a frame.
#pragma once

#include <gst/gst.h>

#include <future>
#include <string>
#include <vector>

namespace jkvm::testing {

/// All work of the element happens between the return of its push and the next buffer.
class WatchingPad {
public:
    static constexpr int settling = 50; ///< frames before the recording starts
    static constexpr int watched = 200; ///< frames recorded; then the stream ends

    explicit WatchingPad(GstElement *source);
    WatchingPad(const WatchingPad &) = delete;
    WatchingPad &operator=(const WatchingPad &) = delete;
    /// The source has stopped by then.
    ~WatchingPad();

    /// Waits for all frames. Fails the test for each call that allocates.
    void expect_nothing();

private:
    GstFlowReturn take(GstBuffer *buffer);

    GstPad *pad_;
    // Streaming thread, until is_done_.
    int frames_ = 0;
    std::vector<std::string> found_;
    std::promise<void> is_done_;
};

} // namespace jkvm::testing
