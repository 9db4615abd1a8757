// SPDX-License-Identifier: LGPL-2.1-or-later
// A sink pad that sees what a source's streaming thread allocates for a frame.
#pragma once

#include <gst/gst.h>

#include <future>
#include <string>
#include <vector>

namespace jkvm::testing {

/// Between a buffer that was taken and the next one that arrives lies all that the element does.
class WatchingPad {
public:
    static constexpr int settling = 50; ///< frames that are not watched
    static constexpr int watched = 200; ///< frames behind them; then the stream ends

    explicit WatchingPad(GstElement *source);
    WatchingPad(const WatchingPad &) = delete;
    WatchingPad &operator=(const WatchingPad &) = delete;
    /// The source has stopped by then.
    ~WatchingPad();

    /// Waits until all frames have come. Fails the test for each place that allocates.
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
